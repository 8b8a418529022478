from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.vision.counting import beside
from jobs.vision.findings import found_of, gains, metrics_of
from jobs.vision.picture import draw
from jobs.vision.table import markdown
from jobs.vision.tiling import SIZES, SMALL
from jobs.vision.views import OWN, SERVED, Answered, View

KINDS = ("shape", "colour", "count", "side")
RIGHT = {View.TILES: 36, View.ONE_TILE: 24, View.SWAPPED: 16, View.BLANK: 14, SERVED: 36}


def answer(method: str, number: int, *, right: bool, **values: Any) -> Answered:
    same: dict[str, Any] = {
        "question": "?",
        "answer": "a",
        "kind": KINDS[number % 4],
        "prompt_tokens": 100,
        "new_tokens": 2,
    }
    # Numbers in eights: four about a small thing, four about a large one.
    same |= {"small": number % 8 < 4 if number % 4 != 2 else None, "said": [f"{number}"], "requests": 1}
    return Answered(method=method, problem=number, right=right, **(same | values))


def answers() -> list[Answered]:
    """Of 40 questions the first ones are right, in an order that is not theirs."""
    made = [answer(view, number, right=number < right) for view, right in RIGHT.items() for number in range(40)]
    return made[::-1]


def row(name: str, **values: Any) -> dict[str, Any]:
    same = {"name": name, "size": (336, 336), "grid": (1, 2), "base": 576, "patches": (24, 24)}
    return same | {"formula": 1176, "processor": 1176, "model": 1176} | values


TOKENS = {"published": [row(name) for name in SIZES], "made": [row("icon")]}


def test_accuracy_is_by_view_and_by_kind_with_what_chance_has() -> None:
    metrics = metrics_of(found_of(answers()), TOKENS, seed=0)
    assert {view: metrics[f"accuracy_{view}"] for view in RIGHT} == {view: n / 40 for view, n in RIGHT.items()}
    assert metrics["accuracy_shape_tiles"] == 0.9
    assert metrics["chance"] == pytest.approx((1 / 4 + 1 / 6 + 1 / 4 + 1 / 2) / 4)
    # Wilson's interval of 36 of 40.
    assert metrics["accuracy_tiles_low"] == pytest.approx(0.7695, abs=1e-4)


def test_gains_are_of_the_same_questions_and_outlines_of_shapes_and_colours() -> None:
    found = {(gain.name, gain.about): gain for gain in gains(found_of(answers()), seed=0)}
    assert found["looks", ""].gain == pytest.approx(20 / 40)
    assert found["tiles", ""].gain == pytest.approx(12 / 40)
    assert found["tiles", "small"].num == found["tiles", "large"].num == 10
    assert found["tiles", "small"].gain == pytest.approx(4 / 10)
    assert found["tiles", "large"].gain == pytest.approx(2 / 10)
    assert found["looks", ""].low <= found["looks", ""].gain <= found["looks", ""].high
    # Twenty questions that only one of both got right, all of them the same one.
    assert found["looks", ""].p == pytest.approx(2 / 2**20)


@pytest.mark.parametrize("changed", [{"said": ["else"]}, {"prompt_tokens": 99}])
def test_a_server_agrees_where_it_says_the_same_of_as_many_tokens(changed: dict[str, Any]) -> None:
    assert metrics_of(found_of(answers()), TOKENS, seed=0)["agreement"] == 1
    others = [each for each in answers() if (each.method, each.problem) != (SERVED, 3)]
    others.append(answer(SERVED, 3, right=True, **changed))
    assert metrics_of(found_of(others), TOKENS, seed=0)["agreement"] == 39 / 40


def test_a_picture_of_which_one_counts_otherwise_is_counted() -> None:
    assert metrics_of({}, TOKENS, seed=0)["tokens_differ"] == 0
    wrong = {"published": TOKENS["published"], "made": [row("icon", model=1), row("icon", processor=1), row("icon")]}
    assert metrics_of({}, wrong, seed=0)["tokens_differ"] == 2


def test_what_vllm_counts_is_held_against_the_formula() -> None:
    assert "tokens_differ_vllm" not in metrics_of({}, beside(TOKENS, {}), seed=0)
    for counted, differ in ((1176, 0), (1175, 1)):
        tokens = beside(TOKENS, {"icon": counted})
        assert metrics_of({}, tokens, seed=0)["tokens_differ_vllm"] == differ
        said = f"| 1,176 | 1,176 | 1,176 | {counted:,} |"
        assert markdown({}, tokens, "What was asked.", seed=0).count(said) == 1


def test_own_pictures_are_judged_where_the_answer_is_known() -> None:
    own = [answer(OWN, number, right=number == 0, kind="", answer="a" if number < 2 else None) for number in range(5)]
    metrics = metrics_of(found_of(own), TOKENS, seed=0)
    assert (metrics["accuracy_own"], metrics["prompt_tokens_own"]) == (0.5, 100)
    unknown = [answer(OWN, 0, right=False, kind="", answer=None)]
    assert "accuracy_own" not in metrics_of(found_of(unknown), TOKENS, seed=0)


def test_tables_and_picture_have_every_view(tmp_path: Path) -> None:
    made = [*answers(), answer(OWN, 0, right=False, kind="", answer=None)]
    found = found_of(made)
    text = markdown(found, TOKENS, "What was asked.", seed=0)
    assert "| as it is, in tiles | 40 | 90.0 % | 77 to 96 | 90.0 % |" in text
    assert "| as it is, in tiles | reduced to one tile | small outlines | 10 | +40.0 points |" in text
    assert "| own pictures | 1 |  |  |" in text
    assert "| two by two tiles | 336 x 336 | 1 x 2 | 576 | 24 x 24 | 24 | 1,176 | 1,176 | 1,176 |  |" in text
    draw(found, TOKENS, SMALL, "What was asked.", tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000
