"""The page of one lab, made from its file, its sidecar, its plan and what was reproduced of it; and the page of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from textwrap import indent

from clusterlab.catalog import Catalog
from clusterlab.cluster import offered
from clusterlab.config import Scale
from clusterlab.errors import InputError, Problem
from clusterlab.lab import Lab, ScalePlan, Translation, lab_paths, sidecar_path
from clusterlab.pages.header import Header
from clusterlab.pages.words import Words, plain
from clusterlab.plan import Estimate, LabPlan, dollars, plan
from clusterlab.reproduction.reproduction import Reproduction, reproductions
from clusterlab.tour import table


def lab_page(lab: Lab, root: Path, words: Words) -> str:
    """The page in one language, for `labs/` of the site; a link to a file is from `docs/`, as pages have them.

    Raises:
        InputError: its title and goal are not there in that language, or what was reproduced cannot be read.
    """
    header, own = Header.of(lab.path.read_text()), _own(lab, words)
    other = f"../es/labs/{lab.name}.md" if words.language == "en" else f"../../labs/{lab.name}.md"
    parts = [f"# {plain(own.title)}", f"[{words.other}]({other}){{ .other }}"]
    parts += [f'!!! abstract "{words.goal}"', indent(plain(own.goal), "    ")]
    parts += [f"*{words.original}*"] if words.original else []
    parts += [f"**{words.claim}.** {plain(header.claim)}", f"**{words.source}.** {plain(header.source)}"]
    parts += [f"## {words.run}", words.run_note, _usage(header, words)]
    parts += [f"## {words.costs}", *_costs(lab, root, words)]
    parts += [f"## {words.expected}", words.expected_note, *_expected(lab, words)]
    parts += [f"## {words.verified}", *_verified(lab, root, words)]
    if header.notes and words.language == "en":
        parts += [f"## {words.notes}", *map(plain, header.notes)]
    return "\n\n".join([*parts, f"## {words.files}", _files(lab, words)]) + "\n"


def labs_page(root: Path, words: Words) -> str:
    """All labs in one table."""
    rows = []
    for path in lab_paths(root / "labs"):
        lab = Lab.load(path)
        estimate = _planned(lab, root).at(Scale.SINGLE)
        last = _last(lab, root)
        stamp = f"{last.judged(lab)}, {last.day}" if last else ""
        usd = dollars(estimate.expected.usd) if estimate else ""
        rows.append((f"[{lab.name}]({lab.name}.md)", plain(_own(lab, words).title), usd, stamp))
    return "\n\n".join([f"# {words.all_labs}", words.all_note, table(words.all_head, rows)]) + "\n"


def _own(lab: Lab, words: Words) -> Translation:
    if words.language == "en":
        return Translation(title=lab.title, goal=lab.goal)
    if lab.spanish is None:
        message = "missing; allowed: title and goal in Spanish, as labs/qlora.expected.yaml has them"
        raise InputError(Problem(path=f"labs/{sidecar_path(lab.path).name}", key="es", message=message))
    return lab.spanish


def _usage(header: Header, words: Words) -> str:
    """What to type, with what is said of it where that is in the page's language."""
    english = words.language == "en"
    width = max((len(command) for command, _ in header.usage if len(command) < 70), default=0)
    lines = []
    for command, comment in header.usage:
        if english:
            lines.append(f"{command:<{width}}  # {comment}" if comment else command)
        elif command:
            lines.append(command)
    return "\n".join(["```sh", *lines, "```"])


def _planned(lab: Lab, root: Path) -> LabPlan:
    # Only a warning depends on the day, and none is shown here.
    return plan(lab, offered(Catalog.load(), lab.resources.labels.get("course"), root), today=date.max)


def _costs(lab: Lab, root: Path, words: Words) -> Iterator[str]:
    planned = _planned(lab, root)
    yield table(words.costs_head, [_cost(lab, each, words) for each in planned.estimates])
    days = sorted(row.as_of for row in planned.prices if row.as_of)
    if days:
        yield words.costs_note.format(day=days[0], path=f"labs/{lab.name}.yaml")


def _cost(lab: Lab, estimate: Estimate, words: Words) -> tuple[str, ...]:
    figures = (estimate.low, estimate.expected, estimate.high)
    hours = " / ".join(f"{figure.hours.normalize():f}" for figure in figures)
    usd = " / ".join(words.unknown if figure.usd is None else dollars(figure.usd) for figure in figures)
    return f"`{estimate.scale}`", _machine(lab, estimate.scale, words), hours, usd, dollars(estimate.budget_usd)


def _machine(lab: Lab, scale: Scale, words: Words) -> str:
    if lab.at(scale).local:
        return words.this_machine
    names = [f"{count} x {name}" for name, count in lab.accelerators_at(scale).items()] or ["CPU"]
    return (
        words.nodes.format(lab.num_nodes, words.either.join(names)) if lab.num_nodes > 1 else words.either.join(names)
    )


def _expected(lab: Lab, words: Words) -> Iterator[str]:
    """A tab for each scale."""
    for scale, planned in lab.scales.items():
        yield f'=== "{scale}"\n\n' + indent(_expectations(planned, words), "    ")


def _expectations(planned: ScalePlan, words: Words) -> str:
    rows = [
        (f"`{name}`", words.range_of(each), plain(each.source), plain(each.hardware))
        for name, each in planned.expect.items()
    ]
    return table(words.expected_head, rows)


def _last(lab: Lab, root: Path) -> Reproduction | None:
    return next(reversed(reproductions(lab.name, root)), None)


def _verified(lab: Lab, root: Path, words: Words) -> Sequence[str]:
    last = _last(lab, root)
    if last is None:
        return [words.never.format(lab=lab.name)]
    said = words.verified_as.format(
        verdict=last.judged(lab),
        scale=last.scale,
        day=last.day,
        commit=last.shown_commit,
        machine=last.machine,
        seconds=words.unknown if last.seconds is None else f"{last.seconds:.0f}",
    )
    rows = [
        (f"`{each.metric}`", words.value_of(each.value), words.range_of(wanted), each.verdict)
        for each in last.against(lab)
        if (wanted := each.expectation)
    ]
    return [said, table(words.verified_head, rows)]


def _files(lab: Lab, words: Words) -> str:
    up, job = "../" * (2 if words.language == "en" else 3), f"jobs/{lab.job}.py"
    paths = (f"labs/{lab.name}.yaml", f"labs/{sidecar_path(lab.path).name}", job)
    cells = [f"[`{path}`]({up}{path})" for path in paths]
    cells.append(f"[`jobs.{lab.job}.Config`]({up[3:]}api/jobs/{lab.job}.md)")
    return table(words.files_head, zip(cells, words.files_are, strict=True))
