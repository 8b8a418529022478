from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.errors import InputError
from clusterlab.lab import Lab, lab_paths
from clusterlab.pages.lab import lab_page, labs_page
from clusterlab.pages.words import ENGLISH, SPANISH, plain
from tests.clusterlab.conftest import ROOT, spoil
from tests.clusterlab.reproduction.test_reproduction import made

SPANISH_TOY = "goal: Learn to add.\nes: {title: Suma, goal: Aprender a sumar.}\n"


@pytest.fixture
def toy(house: Path) -> Lab:
    spoil(house / "labs" / "toy.expected.yaml", "goal: Learn to add.\n", SPANISH_TOY)
    return Lab.load(house / "labs" / "toy.yaml")


def test_the_page_has_goal_claim_commands_costs_ranges_and_what_was_verified(house: Path, toy: Lab) -> None:
    made(house).keep(house)
    page = lab_page(toy, house, ENGLISH)
    assert page.startswith("# Toy: add one and one\n\n[En español](../es/labs/toy.md)")
    for text in (
        "Learn to add.",
        "one and one are two.",
        "sky launch labs/toy.yaml",
        "| `tiny` | this machine | 1 / 2 / 4 | 0.00 / 0.00 / 0.00 | 5.00 |",
        "| `single` | 1 x L4 or 1 x A10G |",
        "| `loss` | 0.9 to 1.1 | a book | any |",
        "**PASS** at `tiny`, on 2026-11-29, at commit `abababababab`, on 2 cores, no GPU, in 12 s.",
        "| `loss` | 1 | 0.9 to 1.1 | PASS |",
        "[`labs/toy.yaml`](../../labs/toy.yaml)",
        "[`jobs.toy.Config`](../api/jobs/toy.md)",
    ):
        assert text in page


def test_the_spanish_page_is_in_spanish_and_links_from_where_it_is(house: Path, toy: Lab) -> None:
    page = lab_page(toy, house, SPANISH)
    assert page.startswith("# Suma\n\n[In English](../../labs/toy.md)")
    for text in ("Aprender a sumar.", "## Cuánto cuesta", "1 x L4 o 1 x A10G", "de 0.9 a 1.1"):
        assert text in page
    assert "Todavía no se ha reproducido: `make results LABS=toy`" in page
    assert "[`labs/toy.yaml`](../../../labs/toy.yaml)" in page


def test_a_lab_without_spanish_says_where_it_goes(house: Path) -> None:
    with pytest.raises(InputError, match=r"^labs/toy\.expected\.yaml: es: missing; allowed: title and goal in Spanish"):
        lab_page(Lab.load(house / "labs" / "toy.yaml"), house, SPANISH)


def test_the_page_of_all_labs_names_each_with_its_last_result(house: Path, toy: Lab) -> None:
    made(house).keep(house)
    assert f"| [{toy.name}](toy.md) | Toy: add one and one |" in labs_page(house, ENGLISH)
    assert "| Suma |" in labs_page(house, SPANISH)
    assert "PASS, 2026-11-29" in labs_page(house, SPANISH)


@pytest.mark.parametrize("path", lab_paths(ROOT / "labs"), ids=lambda path: path.stem)
def test_each_lab_has_a_title_and_a_goal_in_spanish(path: Path) -> None:
    lab = Lab.load(path)
    assert lab.spanish is not None, (
        f"{path.stem}.expected.yaml: `es` is missing: title and goal in Spanish, as in qlora's"
    )
    assert lab.spanish.title != lab.title
    assert lab.spanish.goal != lab.goal


def test_both_languages_say_everything() -> None:
    for name in ENGLISH.__slots__:
        english, spanish = getattr(ENGLISH, name), getattr(SPANISH, name)
        assert name == "original" or (bool(english) and bool(spanish))
        assert len(english) == len(spanish) or isinstance(english, str), name


def test_markdown_shows_text_as_it_is_but_for_code() -> None:
    assert plain("32/(64*256) < 5 in `a*b < c`") == "32/(64\\*256) &lt; 5 in `a*b < c`"
