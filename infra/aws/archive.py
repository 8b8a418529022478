"""The part of the library that one module needs, found by its imports, as the code of a Lambda."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pulumi

ROOT = Path(__file__).parents[2]
"""Where the packages are."""


def modules(entry: str, root: Path = ROOT) -> dict[str, Path]:
    """The file of a module, of all that it imports of its own package, and of the packages around them, by name.

    Imports inside functions count, and those for the type checker too: a file too many costs nothing.

    Raises:
        FileNotFoundError: there is no such module.
    """
    found: dict[str, Path] = {}
    package, pending = entry.partition(".")[0], [entry]
    while pending:
        name = pending.pop()
        path = _path(name, root)
        if path is None or name in found or name.partition(".")[0] != package:
            continue
        found[name] = path
        pending += [name.rpartition(".")[0], *_imports(ast.parse(path.read_text()))]
    if entry not in found:
        raise FileNotFoundError(f"{entry}: no module below {root}")
    return found


def archive(entry: str, root: Path = ROOT) -> pulumi.AssetArchive:
    """The files of `modules`, as they lie below the root; their text, so that no path of this machine is in a state."""
    paths = sorted(modules(entry, root).values())
    return pulumi.AssetArchive(
        {path.relative_to(root).as_posix(): pulumi.StringAsset(path.read_text()) for path in paths}
    )


def _path(name: str, root: Path) -> Path | None:
    place = root.joinpath(*name.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _imports(tree: ast.Module) -> Iterator[str]:
    """Names of what could be modules; the house has no relative imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)
