"""Write what is made from the code: pages of `docs/`, tables of README.md, the schema of a class's file.

python -m clusterlab.reference [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clusterlab.errors import EXIT_CODES, ClusterlabError, InputError, Problem
from clusterlab.pages.results import results_page
from clusterlab.pages.words import plain
from clusterlab.request import RESULTS_PAGE
from clusterlab.tour import TOUR, house_map, table, tour_page, verbs

CLI = Path("docs/cli.md")
CLASSES = Path("clusters")
README = Path("README.md")
ARCHITECTURE = Path("docs/architecture.md")


def pages(root: Path) -> dict[Path, str]:
    """What each file that is made should hold, by path from the root.

    Raises:
        InputError: a page lacks a marker, or a lab cannot be read.
    """
    tables = {"labs": lab_table(root), "map": house_map(root)}
    return {
        CLI: cli_page(),
        TOUR: tour_page(root),
        RESULTS_PAGE: results_page(root),
        README: _filled(README, root, tables),
        ARCHITECTURE: _filled(ARCHITECTURE, root, {"map": tables["map"]}),
        **class_files(root),
    }


def class_files(root: Path) -> dict[Path, str]:
    """The schema that editors read, and each class's file with the line that names it."""
    from clusterlab.class_schema import FILE, FIRST_LINE, schema_text
    from clusterlab.cluster import class_paths

    classes = {path: path.read_text() for path in class_paths(root / CLASSES)}
    headed = {path: text if text.startswith(FIRST_LINE) else FIRST_LINE + text for path, text in classes.items()}
    return {CLASSES / FILE: schema_text()} | {path.relative_to(root): text for path, text in headed.items()}


def cli_page() -> str:
    """The command, each verb with its arguments and options, and the exit codes."""
    import typer.main

    from clusterlab.cli import app

    group: Any = typer.main.get_command(app)
    parts = ["<!-- Made by `python -m clusterlab.reference`. -->", "# clusterlab", group.help]
    parts.append(table(("option", "what"), _parameters(group)))
    for name, command in verbs(group, "clusterlab"):
        parts += [f"## {name}", _unwrapped(command.help)]
        if command.params:
            parts.append(table(("argument or option", "what"), _parameters(command)))
    codes = [(str(code), meaning) for code, meaning in EXIT_CODES.items()]
    return "\n\n".join([*parts, "## Exit codes", table(("code", "meaning"), codes)]) + "\n"


def lab_table(root: Path) -> str:
    """Each lab with its job, goal, and hours and dollars at each scale."""
    from datetime import date

    from clusterlab.catalog import Catalog
    from clusterlab.cluster import offered
    from clusterlab.lab import Lab, lab_paths
    from clusterlab.plan import dollars, plan

    catalog, rows = Catalog.load(), []
    for path in lab_paths(root / "labs"):
        lab = Lab.load(path)
        # Only a warning depends on the day, and none is shown here.
        prices = offered(catalog, lab.resources.labels.get("course"), root)
        estimates = plan(lab, prices, today=date.max).estimates
        costs = [
            f"{each.scale}: {each.expected.hours.normalize():f} h, {dollars(each.expected.usd)} USD"
            for each in estimates
        ]
        shown = path.relative_to(root).as_posix()
        rows.append((f"[{lab.name}]({shown})", lab.title, f"`{lab.job}`", lab.goal, "<br>".join(costs)))
    return table(("lab", "title", "job", "goal", "expected"), rows)


def main(arguments: list[str]) -> int:
    """Rewrite the pages of the working folder, or with `--check` say which are stale."""
    root = Path.cwd()
    try:
        if arguments not in ([], ["--check"]):
            raise InputError(Problem(path=" ".join(arguments), message="unknown; allowed: --check"))
        wanted = pages(root)
    except ClusterlabError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    stale = [path for path, text in wanted.items() if not (root / path).is_file() or (root / path).read_text() != text]
    for path in stale:
        if arguments:
            sys.stderr.write(f"{path}: stale; `python -m clusterlab.reference` rewrites it\n")
        else:
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text(wanted[path])
    return InputError.exit_code if stale and arguments else 0


def _filled(path: Path, root: Path, tables: Mapping[str, str]) -> str:
    """A page with what is made between the markers of that name."""
    text = (root / path).read_text()
    for marker, made in tables.items():
        begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
        for each in (begin, end):
            if text.count(each) != 1:
                message = f"stands {text.count(each)} times; must be once"
                raise InputError(Problem(path=str(path), key=each, message=message))
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{made}\n{end}{rest.partition(end)[2]}"
    return text


def _parameters(command: Any) -> Iterator[tuple[str, str]]:
    """What `--help` says of each argument and option."""
    import typer

    context = typer.Context(command)
    for parameter in command.params:
        name, text = parameter.get_help_record(context)
        yield f"`{name}`", text


def _unwrapped(text: str) -> str:
    return "\n\n".join(map(plain, text.split("\n\n")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
