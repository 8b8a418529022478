from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.class_schema import FIRST_LINE
from clusterlab.reference import ARCHITECTURE, CLI, README, cli_page, lab_table, main, pages
from clusterlab.request import RESULTS_PAGE
from clusterlab.tour import TOUR
from tests.clusterlab.conftest import ROOT, spoil

MAP = "<!-- map -->\n<!-- /map -->\n"
MARKED = "# House\n<!-- labs -->\nold\n<!-- /labs -->\nbetween\n<!-- map -->\n<!-- /map -->\nafter\n"


@pytest.fixture
def marked(house: Path) -> Path:
    """The small house, with a README that has the markers."""
    (house / "README.md").write_text(MARKED)
    (house / "docs").mkdir()
    (house / "docs" / "architecture.md").write_text(MAP)
    (house / "clusterlab").mkdir()
    (house / "clusterlab" / "__init__.py").write_text('"""The library."""\n')
    (house / "clusterlab" / "one.py").write_text('"""One noun,\nin two lines.\n\nMore."""\n')
    (house / "jobs" / "__init__.py").write_text('"""The jobs."""\n')
    return house


@pytest.mark.parametrize("path", [CLI, TOUR, RESULTS_PAGE, README, ARCHITECTURE], ids=str)
def test_the_pages_of_this_repository_are_fresh(path: Path) -> None:
    assert (ROOT / path).read_text() == pages(ROOT)[path], "`python -m clusterlab.reference` rewrites it"


def test_the_cli_page_has_each_verb_option_and_exit_code() -> None:
    page = cli_page()
    for text in (
        "## clusterlab check",
        "## clusterlab run",
        "`--env KEY=VALUE`",
        "`--scale <tiny",
        "| 130 | interrupted |",
    ):
        assert text in page


@pytest.mark.usefixtures("marked")
def test_rewriting_makes_what_check_calls_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 2
    stale = [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()]
    pages = ["docs/cli.md", "docs/tour.md", "docs/results.md", "README.md", "docs/architecture.md"]
    assert stale == [*pages, "clusters/class.schema.json", "clusters/llm-2026.yaml"]
    assert main([]) == 0
    assert main(["--check"]) == 0
    text = Path("README.md").read_text()
    assert "old" not in text
    assert "between" in text
    assert text.endswith("after\n")


@pytest.mark.usefixtures("marked")
def test_each_class_names_the_schema_once_and_is_else_as_it_was() -> None:
    path = Path("clusters/llm-2026.yaml")
    before = path.read_text()
    Path("clusters/slurm.yaml").write_text("name: centre\n")
    for _ in range(2):
        assert main([]) == 0
        assert path.read_text() == f"{FIRST_LINE}{before}"
    assert Path("clusters/slurm.yaml").read_text() == "name: centre\n"


def test_the_lab_table_has_hours_and_dollars_of_each_scale(marked: Path) -> None:
    table = lab_table(marked)
    assert "| [toy](labs/toy.yaml) | Toy: add one and one | `toy` | Learn to add. | tiny: 2 h, 0.00 USD<br>" in table


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize("marker", ["<!-- labs -->", "<!-- /map -->"])
def test_a_missing_marker_is_named(marker: str, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(Path("README.md"), marker, "")
    assert main([]) == 2
    assert f"README.md: {marker}: stands 0 times; must be once" in capsys.readouterr().err


def test_an_unknown_argument_is_an_input_error() -> None:
    assert main(["--chek"]) == 2
