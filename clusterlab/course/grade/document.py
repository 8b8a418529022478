"""The gradebook as JSON."""

from __future__ import annotations

from typing import Any

from clusterlab.course.grade.book import Book, Graded, Row
from clusterlab.course.grade.due import late_hours
from clusterlab.report.results import result_json


def document(book: Book) -> dict[str, Any]:
    """All of it, scores and hours as texts, instants in UTC."""
    return {
        "course": book.course,
        "at": book.at.isoformat(),
        "time_zone": book.time_zone,
        "take": book.take,
        "anonymous": book.anonymous,
        "labs": list(book.labs),
        "rows": [_row(row) for row in book.rows],
        "not_in_the_roster": dict(book.strangers),
        "others": dict(book.others),
        "problems": [{"path": each.path, "message": each.message} for each in book.problems],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "student": row.student,
        "team": row.team,
        "lab": row.lab,
        "due": row.due_day and row.due_day.isoformat(),
        "due_before": row.due and row.due.isoformat(),
        "graded": row.graded and _graded(row.graded),
        "flags": [{"kind": flag.kind, "whom": flag.whom, "why": flag.why} for flag in row.flags],
    }


def _graded(graded: Graded) -> dict[str, Any]:
    changed = graded.differences
    return {
        "run_id": graded.run_id,
        "folder": graded.folder,
        "verdict": graded.verdict or None,
        "score": None if graded.score is None else str(graded.score),
        "results": [result_json(each) | {"verdict": each.verdict} for each in graded.results],
        "submitted": graded.submitted.isoformat(),
        "late_hours": None if graded.late is None else str(late_hours(graded.late)),
        "as_handed_out": not changed.kinds,
        "changed_envs": {each.env: {"handed_out": each.handed_out, "used": each.used} for each in changed.envs},
        "changed_others": list(changed.others),
    }
