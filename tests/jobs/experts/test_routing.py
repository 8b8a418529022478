from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.experts.controllers import KEYWORDS, MODEL, Decision
from jobs.experts.expert_server import Execution
from jobs.experts.findings import edit_distance, found_of, metrics_of
from jobs.experts.picture import draw
from jobs.experts.plan import Plan, checked, parse_lines
from jobs.experts.requests import Request, Resource, Shape
from jobs.experts.routing import Outcome, Routed, judge
from jobs.experts.table import markdown
from jobs.experts.tasks import Kind
from jobs.thinking.journal import Journal
from tests.jobs.experts.conftest import CARDS

LINES = "0 image-to-text image=image-1\n1 translation text=#0\n2 text-classification text=#1\n"
MODELS = {0: "runes", 1: "tavi", 2: "moods"}


def plan_of(text: str) -> Plan:
    return checked(parse_lines(text), {"image-1": Kind.IMAGE}, 8)


REQUEST = Request(
    text="Tell me whether the Tavi rune sign image-1 is positive.",
    resources={"image-1": Resource(kind=Kind.IMAGE, value=None)},
    plan=plan_of(LINES),
    models=MODELS,
    answers=("positive",),
    shape=Shape.SEQUENTIAL,
    new=False,
)


def execution(*values: str | None) -> Execution:
    same = {"replica": "r", "loaded": True, "begin": 1.0, "end": 3.0, "error": "died"}
    return Execution(steps=[{"id": number, "value": value, **same} for number, value in enumerate(values)])


def judged(decision: Decision, *values: str | None) -> Routed:
    return judge(0, REQUEST, MODEL, decision, execution(*values))


def test_all_right_is_right() -> None:
    routed = judged(Decision(plan=plan_of(LINES), models=MODELS), "vasi", "food was good", "positive")
    assert routed.outcome is Outcome.RIGHT
    assert (routed.right, routed.parsed, routed.planned) == (True, True, True)
    assert (routed.num_matched, routed.num_routed, routed.num_asked, routed.num_loaded) == (3, 3, 3, 3)
    assert (routed.busy_seconds, routed.wall_seconds) == (6.0, 2.0)


def test_what_is_wrong_has_the_first_thing_that_went_wrong() -> None:
    wrong = ("vasi", "food was bad", "negative")
    short = plan_of("0 image-to-text image=image-1\n1 text-classification text=#0\n")
    cases = [
        (judged(Decision(plan=None, problem="plan: 0 steps")), Outcome.NO_PLAN),
        (judged(Decision(plan=short, models=MODELS), *wrong[:2]), Outcome.WRONG_PLAN),
        (judged(Decision(plan=plan_of(LINES), models=MODELS | {1: "moru"}), *wrong), Outcome.WRONG_MODEL),
        (judged(Decision(plan=plan_of(LINES), models=MODELS), "vasi", None, None), Outcome.FAILED),
        (judged(Decision(plan=plan_of(LINES), models=MODELS), *wrong), Outcome.MISTAKEN),
    ]
    assert [routed.outcome for routed, _ in cases] == [outcome for _, outcome in cases]
    assert not any(routed.right for routed, _ in cases)
    assert [(routed.num_matched, routed.num_routed) for routed, _ in cases] == [(0, 0), (1, 1), (3, 2), (3, 3), (3, 3)]
    assert cases[0][0].reason == "plan: 0 steps"
    assert cases[3][0].reason == "step 1: died; step 2: died"


def test_a_step_without_a_model_is_not_routed() -> None:
    routed = judged(Decision(plan=plan_of(LINES), models={0: "runes", 2: "moods"}), "vasi", None, None)
    assert (routed.num_routed, routed.outcome) == (2, Outcome.WRONG_MODEL)


def test_a_plan_without_any_answer_takes_no_time() -> None:
    routed = judged(Decision(plan=plan_of(LINES), models={}), None, None, None)
    assert (routed.busy_seconds, routed.wall_seconds, routed.num_asked) == (0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("abc", "abc", 0), ("abc", "ac", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)],
)
def test_the_edit_distance_is_levenshteins(first: Sequence[str], second: Sequence[str], distance: int) -> None:
    assert edit_distance(first, second) == edit_distance(second, first) == distance


def attempts() -> list[Routed]:
    """Two right ones, one without a plan, and one with a step too few; new ones in turn."""
    right = judged(Decision(plan=plan_of(LINES), models=MODELS), "vasi", "food was good", "positive")
    short = plan_of("0 image-to-text image=image-1\n1 text-classification text=#0\n")
    found = [right, right, judged(Decision(plan=None)), judged(Decision(plan=short, models=MODELS), "vasi", "negative")]
    return [replace(each, problem=number, new=number % 2 == 1) for number, each in enumerate(found)]


def test_shares_are_of_all_requests_and_steps() -> None:
    metrics = metrics_of(found_of(attempts()))
    assert metrics["valid_model"] == 0.75
    assert metrics["plan_accuracy_model"] == metrics["success_model"] == 0.5
    assert metrics["plan_accuracy_known_model"] == metrics["plan_accuracy_new_model"] == 0.5
    assert metrics["plan_accuracy_model_sequential"] == 0.5
    assert "success_model_graph" not in metrics
    assert metrics["routing_model"] == pytest.approx(7 / 12)
    assert metrics["selection_model"] == 1
    assert metrics["task_f1_model"] == pytest.approx(2 * 8 / (8 + 12))
    assert (metrics["failed_model"], metrics["no_plan_model"], metrics["wrong_plan_model"]) == (0, 0.25, 0.25)
    assert "right_model" not in metrics  # It would say what `success_model` says.
    assert metrics["hits_model"] == 0
    one = found_of(attempts())[MODEL]
    assert one.tasks == pytest.approx((1, 8 / 12, 0.8))
    assert one.edit_distance == pytest.approx((0 + 0 + 1 + 1 / 3) / 4)


def test_what_was_found_is_written_as_tables_and_drawn_and_kept(tmp_path: Path) -> None:
    both = [*attempts(), *(replace(each, method=KEYWORDS) for each in attempts()[:1])]
    journal = Journal(path=tmp_path / "attempts.jsonl", kind=Routed)
    for each in both:
        journal.add(each)
    assert journal.all() == both
    found = found_of(journal.all())
    text = markdown(found, CARDS, {"speedup": 1.25, "overlap": 1.5}, "Said.")
    assert "| language model | 4 | 75.0 % | 50.0 % | 50.0 % | 50.0 % | 58.3 % | 100.0 % | 50.0 % | " in text
    assert "| keywords | 1 | 100.0 % | 100.0 % | 100.0 % |  |" in text
    assert "| language model | sequential | 4 | 50.0 % | 100.0 % | 66.7 % | 80.0 % | 0.33 | 50.0 % |" in text
    assert "1.50 times as long as the plans, which took 1.25 times as long one step at a time" in text
    assert "| moods-quick | text-classification | rough and quick" in text
    draw(found, "A title", tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_the_right_and_wrong_of_nobody_is_nothing() -> None:
    assert metrics_of(found_of([])) == {}
    assert "Said." in markdown({}, CARDS, {}, "Said.")
