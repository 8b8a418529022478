"""The tour of the code, `docs/tour.md`: where each noun and each verb is, and what each folder says of itself.

python -m clusterlab.reference
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from clusterlab.errors import InputError, Problem

TOUR = Path("docs/tour.md")
FOLDERS = {
    "labs": "What to run and what it may cost: a SkyPilot task, and beside it what is expected of it. `sky launch` "
    "takes the one as it is; the other, `<lab>.expected.yaml`, has the goal, hours, budget and metrics of each scale.",
    "clusters": "What an instructor provisions: a file for each class, with its roster, dates, labs and budget, and "
    "`slurm.yaml` for a computing centre. Editors complete and check a class by `class.schema.json`.",
    "images": "What machines install: locks, Dockerfiles, a Packer template, and the digests of other people's images. "
    "Versions stand in `*.lock` and nowhere else; `make lock` resolves them from `*.in`.",
    "docs": "Pages, made from the code where they can be. `cli.md`, `identity.md`, `results.md` and this tour are; a "
    "test holds each command and link of the others against the code. `site/` makes a site of them: `make site`.",
}
"""What folders of data are; one that Python reads says so itself."""
PACKAGES = ("clusterlab", "jobs", "infra", "tests")
MIRRORS = "tests"
"""The package whose folders below the first level are those of the packages that it tests."""
NOUNS = {
    "Lab": ("clusterlab/lab.py", "labs/"),
    "Cluster": ("clusterlab/cluster.py", "clusters/"),
    "Job": ("clusterlab/job.py", "jobs/"),
    "Run": ("clusterlab/run.py", "runs/"),
    "Tags": ("clusterlab/tags.py", "the labels of a lab"),
    "Catalog": ("clusterlab/catalog.py", "clusterlab/catalog.csv"),
    "Ledger": ("clusterlab/ledger/ledger.py", "the database in `CLUSTERLAB_LEDGER`"),
    "Lease": ("clusterlab/lease.py", "the tag `lease-until`"),
}
"""The class's file, and where what it describes is."""

INTRODUCTION = """<!-- Made by `python -m clusterlab.reference`. -->

# A tour of the code

Begin with a noun: each is one class in one file, named for it. A verb is read from its `command.py` on, which says what
is typed and calls the nouns. Imports go one way:

```
          tests
         /     \\
     jobs       infra        know clusterlab, never each other
         \\     /
        clusterlab           knows neither
```

`jobs/` runs on the machines that SkyPilot or Ray gives, `infra/` under Pulumi, and `clusterlab/` where somebody types.
Folders of data are read and never imported."""


def tour_page(root: Path) -> str:
    """The page: nouns, verbs, and every folder with its paragraph and its files."""
    parts = [INTRODUCTION, "## The nouns", _nouns(root), "## The verbs", _verb_table(), "## The folders"]
    for name, text in _folders(root):
        parts += [f"### `{name}/`", text]
    for package in _packages(root):
        parts += [f"### `{package.relative_to(root).as_posix()}/`", _docstring(package / "__init__.py")]
        if package.relative_to(root).parts[0] != MIRRORS and (files := list(_files(package, root))):
            parts.append(table(("file", "what"), files))
    return "\n\n".join(parts) + "\n"


def house_map(root: Path) -> str:
    """Each folder, with the first sentence of what it says of itself."""
    rows = [(f"`{name}/`", f"{text.partition('. ')[0].rstrip('.')}.") for name, text in _folders(root)]
    for package in _packages(root):
        if package == root / MIRRORS or package.relative_to(root).parts[0] != MIRRORS:
            rows += [(f"`{package.relative_to(root).as_posix()}/`", _summary(package / "__init__.py"))]
    return table(("where", "what"), rows)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def verbs(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Each verb of the command, and behind one that has verbs of its own those."""
    for key, command in group.commands.items():
        yield f"{name} {key}", command
        yield from verbs(command, f"{name} {key}") if hasattr(command, "commands") else ()


def _nouns(root: Path) -> str:
    rows = [
        (f"**{noun}**", f"[`{file}`](../{file})", _summary(root / file), where if " " in where else f"`{where}`")
        for noun, (file, where) in NOUNS.items()
        if (root / file).is_file()
    ]
    return table(("noun", "class in", "is", "what it describes is in"), rows)


def _verb_table() -> str:
    """Each verb that does something, and the file that it is in."""
    import typer.main

    from clusterlab.cli import app

    rows = []
    for name, command in verbs(typer.main.get_command(app), "clusterlab"):
        if not hasattr(command, "commands") or command.invoke_without_command:
            file = f"{command.callback.__module__.replace('.', '/')}.py"
            # What stands for a name is no tag of HTML.
            first = " ".join(command.help.partition("\n\n")[0].split()).replace("<", "&lt;")
            rows.append((f"`{name.removeprefix('clusterlab ')}`", f"[`{file}`](../{file})", first))
    return table(("verb", "in", "does"), rows)


def _folders(root: Path) -> Iterator[tuple[str, str]]:
    """The folders of data that there are; an empty one is none to git, and that of this page may yet be made."""
    for name, text in FOLDERS.items():
        folder = root / name
        if name == TOUR.parent.name or (folder.is_dir() and any(folder.iterdir())):
            yield name, text


def _packages(root: Path) -> Iterator[Path]:
    """Each package, and after it those in it."""
    for name in PACKAGES:
        if (root / name / "__init__.py").is_file():
            yield from _with_inner(root / name, deep=name != MIRRORS)


def _with_inner(package: Path, *, deep: bool) -> Iterator[Path]:
    yield package
    for inner in sorted(path.parent for path in package.glob("*/__init__.py")):
        yield from _with_inner(inner, deep=True) if deep else (inner,)


def _files(package: Path, root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(package.glob("*.py")):
        if path.name != "__init__.py":
            yield f"[`{path.name}`](../{path.relative_to(root).as_posix()})", _summary(path)


def _docstring(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    if not docstring:
        raise InputError(Problem(path=str(path), message="has no docstring; it stands in docs/tour.md"))
    return docstring


def _summary(path: Path) -> str:
    return " ".join(_docstring(path).partition("\n\n")[0].split())
