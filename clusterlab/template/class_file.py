"""The file of a class that begins: every key of the schema with what the schema says of it, and a value to change.

A key that a class can do without is there as a comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from clusterlab.class_check import COURSE, COURSE_RULE
from clusterlab.class_schema import FILE, FIRST_LINE, class_schema, schema_text
from clusterlab.cluster import FOLDER
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem
from clusterlab.lab import lab_paths
from clusterlab.template.comment import comment

AHEAD = timedelta(weeks=2)
"""How long before its first week a class is written down."""
LENGTH = timedelta(weeks=15, days=-3)
"""From a Monday to a Friday."""

HEAD = """#
# Usage: clusterlab check clusters/{name}.yaml                        is it well-formed, and are its labs there
#        clusterlab plan --class clusters/{name}.yaml                 roster x labs, against its budget
#        clusterlab class preflight clusters/{name}.yaml --offline    is all ready; without it clouds are asked
#
# Made by `clusterlab new class`. Put your own into roster, instructors, dates, hours, labs, budget_usd and
# network.ssh_from, which are made up. Keys in comments may be left out.
"""


def class_files(name: str, root: Path, *, today: date) -> dict[Path, str]:
    """The file of a class, and the schema that it names where that is not there, by their paths from the root.

    Raises:
        InputError: the name is none of a course.
    """
    if not COURSE.fullmatch(name):
        raise InputError(Problem(path="NAME", message=f"{name!r}; allowed: {COURSE_RULE}"))
    files = {FOLDER / f"{name}.yaml": class_text(name, _lab_of(name, root), today=today)}
    if not (root / FOLDER / FILE).exists():
        files[FOLDER / FILE] = schema_text()
    return files


def class_text(name: str, lab: str | None, *, today: date) -> str:
    """A class that does one lab, or none where there is none yet, from a Monday some weeks after today."""
    start = today + AHEAD - timedelta(days=today.weekday())
    shown, hidden = _shown(name, start), _hidden(start)
    if lab is None:
        shown["labs"] = "{}"
    else:
        shown[f"labs.{lab}.runs"] = "1"
        hidden |= {f"labs.{lab}.scale": "single", f"labs.{lab}.due": str(start + LENGTH)}
    head = f"{FIRST_LINE}# The class {name}.\n{HEAD.format(name=name)}"
    return head + "".join(f"{line}\n" for line in _keys(_children(class_schema()), "", shown, hidden))


def _shown(name: str, start: date) -> dict[str, str]:
    """What a class needs, by dotted key."""
    return {
        "course": name,
        "infra": "[aws/us-east-1]",
        "roster": "[ana, ben, carla]",
        "instructors": "[instructor@example.org]",
        "dates.start": str(start),
        "dates.end": str(start + LENGTH),
        "time_zone": "UTC",
        "hours": '["mon 10:00-12:00", "wed 10:00-12:00"]',
        "warm_minutes": "0",
        "mode": "per-student",
        "keep": "{}",
        "budget_usd.course": "100",
        "budget_usd.student": "25",
        "server": "false",
        "file_system": "efs",
        "network.cidr": "10.60.0.0/16",
        "network.ssh_from": "[192.0.2.0/24]",
        "network.zones": "[a, b, c]",
    }


def _hidden(start: date) -> dict[str, str]:
    """What it may have beside."""
    return {
        "instances": "[g4dn.xlarge, g5.xlarge, g6.xlarge]",
        "teams": "{red: [ana, ben]}",
        "holidays": f"[{start + timedelta(weeks=5)}]",
        "limits.gpus": "1",
        "limits.gpu_hours": "8",
        "limits.window_days": "7",
        "budget_usd.team": "50",
        "network.https_from": "[192.0.2.0/24]",
        "gcp.project": "llm-example",
        "gcp.billing_account": "000000-000000-000000",
        "gcp.students": "llm-students@example.org",
        "gcp.organization": '"123456789012"',
    }


def _lab_of(name: str, root: Path) -> str | None:
    """A lab to begin with: the first that carries the course's label, or else the first."""
    paths = lab_paths(root / "labs")
    own = [path for path in paths if Document.load_or_empty(path, []).at("resources.labels.course") == name]
    return next((path.stem for path in [*own, *paths]), None)


def _keys(
    properties: Mapping[str, Any], prefix: str, shown: Mapping[str, str], hidden: Mapping[str, str]
) -> Iterator[str]:
    """The lines of a mapping: each key below what the schema says of it."""
    indent = "  " * prefix.count(".")
    for name, schema in properties.items():
        key = f"{prefix}{name}"
        if not prefix:
            yield ""
        yield from comment(schema.get("description", ""), indent)
        if key in shown:
            yield f"{indent}{name}: {shown[key]}"
        elif key in hidden:
            yield f"{indent}# {name}: {hidden[key]}"
        else:
            yield from _block(key, schema, shown, hidden, f"{indent}{name}:")


def _block(
    key: str, schema: Mapping[str, Any], shown: Mapping[str, str], hidden: Mapping[str, str], head: str
) -> Iterator[str]:
    """A mapping; where none of its keys is shown all of it is a comment, whose mark gives the whole when taken away."""
    prefix = f"{key}."
    named = [each.removeprefix(prefix).partition(".")[0] for each in (*shown, *hidden) if each.startswith(prefix)]
    children = _children(schema, named)
    if any(each.startswith(prefix) for each in shown):
        yield from (head, *_keys(children, prefix, shown, hidden))
    else:
        yield from (f"# {line}" for line in (head, *_keys(children, prefix, hidden, {})))


def _children(schema: Mapping[str, Any], named: Iterable[str] = ()) -> Mapping[str, Any]:
    """What the schema says of the keys of a mapping; where it allows any key, of those that are named."""
    for each in (schema, *schema.get("anyOf", ())):
        if "properties" in each:
            return dict(each["properties"])
        if isinstance(each.get("additionalProperties"), dict):
            return dict.fromkeys(named, each["additionalProperties"])
    return {}
