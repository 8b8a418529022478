"""The verb `images`, and those behind it.

clusterlab images resolve
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.errors import InputError, Problem
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from rich.table import Table

    from clusterlab.images.image import Image, Images
    from clusterlab.images.registry import Registry

DIGITS = len("sha256:") + 12
"""Of a digest that the table shows."""

images = typer.Typer(
    help="Container images of other registries: which, by which digest, and whether it was verified.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@images.callback()
def show(context: typer.Context, json: Json = False) -> None:
    """List the images of images/images.yaml; the verbs behind it look digests up and print references."""
    if context.invoked_subcommand is not None:
        return
    found = _load().by_name.values()
    if json:
        print_json({"images": [_as_json(each) for each in found]})
    else:
        terminal().print(_table(list(found)))


@images.command()
def resolve(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Images; all where none is given.", show_default=False),
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Ask this one, such as a mirror; each image's own if not given."),
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Take the digest of a tag that moved.")] = False,
    json: Json = False,
) -> None:
    """Ask registries for digests, and write them with today's day into images/images.yaml.

    A digest is computed from the manifest that the registry sends. Exits with 2 where a registry has no such image or a
    tag moved, with 4 where one does not answer; what the others said is written.
    """
    from datetime import UTC, datetime

    from clusterlab.images.resolve import ask, refuse, write

    listed = _load()
    asked, place = listed.named(names or []), _registry(registry)
    found = [ask(each, registry=place, update=update) for each in asked]
    write(listed.path, found, today=datetime.now(UTC).date())
    if json:
        print_json({"images": [_as_json(each) for each in _load().named(names or [])]})
    else:
        for each in found:
            if not each.refusal:
                typer.echo(f"{each.image.name}: {each.digest}")
    refuse(listed.path, found)


@images.command()
def reference(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Image.")],
    unverified: Annotated[
        bool,
        typer.Option("--unverified", help="Print it although nobody has verified its digest."),
    ] = False,
) -> None:
    """Print an image as `docker` takes it, with its digest; `make image-train` builds on it.

    Exits with 2 where the digest was not verified.
    """
    listed = _load()
    (image,) = listed.named([name])
    if image.verified is None and not unverified:
        message = f"false; `clusterlab images resolve {name}` asks its registry"
        raise InputError(Problem(path=str(listed.path), key=f"{name}.verified", message=message))
    typer.echo(image.reference)


def _load() -> Images:
    from clusterlab.images.image import PATH, Images
    from clusterlab.repository import enter

    enter([])
    return Images.load(PATH)


def _registry(url: str | None) -> Registry | None:
    from clusterlab.images.registry import Registry, is_safe

    if url is None:
        return None
    if not is_safe(url):
        message = f"{url!r}; allowed: https://<host>, or http:// on this machine's loopback"
        raise InputError(Problem(path="--registry", message=message))
    return Registry(url=url.rstrip("/"))


def _as_json(image: Image) -> dict[str, object]:
    return {
        "name": image.name,
        "repository": image.repository,
        "tag": image.tag,
        "digest": image.digest,
        "verified": image.verified.isoformat() if image.verified else None,
        "used_for": image.used_for,
    }


def _table(found: list[Image]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("image", "where", "verified", "used for"):
        table.add_column(column, overflow="fold")
    for each in found:
        day = each.verified.isoformat() if each.verified else "no"
        table.add_row(each.name, "\n".join(filter(None, (each.place, each.digest[:DIGITS]))), day, each.used_for)
    return table
