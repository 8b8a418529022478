"""The verb `class preflight`.

clusterlab class preflight clusters/llm-2026.yaml
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterlab.course.reached import File
from clusterlab.errors import ClusterlabError
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from clusterlab.course.preflight.check import Check

Offline = Annotated[bool, typer.Option("--offline", help="Ask no cloud and no server; each is then a WARN.")]
Strict = Annotated[bool, typer.Option("--strict", help="A WARN counts as a FAIL.")]
Probe = Annotated[bool, typer.Option("--probe", help="Have EC2 try a dry run of each machine; nothing is launched.")]


def preflight(
    file: File,
    offline: Offline = False,
    strict: Strict = False,
    probe: Probe = False,
    json: Json = False,
) -> None:
    """Look over a class before it begins: roster, dates, budget, prices, quotas, capacity, and the policy's server.

    What could not be asked is a WARN with its reason. Exits with 0 where nothing is a FAIL, else with 1.
    """
    from clusterlab.course.preflight.check import Verdict
    from clusterlab.course.preflight.table import table

    course, checks = _look(file, offline=offline, probe=probe)
    found = {each.verdict for each in checks}
    stopped = Verdict.FAIL in found or (strict and Verdict.WARN in found)
    if json:
        print_json({"course": course, "ready": not stopped, "checks": [each.as_json() for each in checks]})
    else:
        terminal().print(table(course, checks))
    if stopped:
        raise typer.Exit(ClusterlabError.exit_code)


def _look(file: Path, *, offline: bool, probe: bool) -> tuple[str, list[Check]]:
    """The class's name, and its checks.

    Raises:
        InputError: every fault of its file and its labs.
    """
    from datetime import UTC, datetime

    from clusterlab.catalog import Catalog
    from clusterlab.course.preflight import everything
    from clusterlab.course.preflight.subject import Subject
    from clusterlab.repository import enter

    root, (path,) = enter([file])
    subject = Subject.load(path, root, Catalog.load(), today=datetime.now(UTC).date())

    def outputs() -> Mapping[str, Any]:
        return _outputs(path, root)

    cloud = everything.skipped(subject) if offline else everything.there(subject, outputs, probe=probe)
    return subject.cluster.course, [*everything.here(subject), *cloud]


def _outputs(path: Path, root: Path) -> Mapping[str, Any]:
    """What the class's stack exports.

    Raises:
        ClusterlabError: it cannot be asked.
    """
    from clusterlab.course import automation
    from clusterlab.course.events import Outputs

    automation.check_installed()
    events = automation.ask("outputs", path, root)
    return next((each.values for each in events if isinstance(each, Outputs)), {})
