from __future__ import annotations

import pytest

from clusterlab.course.events import (
    Change,
    Diagnostic,
    Done,
    Event,
    Failure,
    Outputs,
    State,
    Step,
    Violation,
    from_line,
    to_line,
)

EVENTS: list[Event] = [
    Change(op="create", kind="aws:ec2/vpc:Vpc", name="network", region="", inputs={"cidrBlock": "10.0.0.0/16"}),
    Step(op="create", kind="aws:ec2/vpc:Vpc", name="network", phase="began"),
    Diagnostic(severity="error", message="no room\nat all", name="network"),
    Violation(policy="encryption", message="not encrypted", mandatory=True),
    State(exists=True, known=("vpc-1", "i-1"), pending=()),
    Outputs(values={"aws_regions": ["us-east-1"], "aws_labels": {"course": "llm-2026"}}),
    Failure(kind="InputError", message="x: wrong"),
    Done(changes={"create": 2}),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_event_is_read_back_as_it_was_told(event: Event) -> None:
    line = to_line(event)
    assert "\n" not in line
    assert from_line(line) == event


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"event": "Boom"}', '{"event": "Step", "op": "create"}'])
def test_what_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"no event|Expecting value"):
        from_line(line)
