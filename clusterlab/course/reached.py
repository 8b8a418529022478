"""What the verbs of `class` are given, and the class of a file with what its stack and account are reached by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterlab.errors import INSTALL_AWS, InputError, MissingError, Problem
from clusterlab.terminal import terminal

if TYPE_CHECKING:
    from clusterlab.course.provision import Provision
    from clusterlab.course.screen import Screen

File = Annotated[Path, typer.Argument(metavar="FILE", help="The class's file, such as clusters/llm-2026.yaml.")]
Install = Annotated[bool, typer.Option("--install", help="Install Pulumi's CLI in .cache/pulumi/ where it is missing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def reached(
    file: Path, paths: list[Path], *, looks: bool = True, install: bool = False, json: bool = False
) -> tuple[Provision, list[Path]]:
    """The class of a file, which is read before anything else begins, and the other paths that were typed.

    Raises:
        InputError: a fault of the file.
        MissingError: Pulumi's package or boto3 is not installed.
    """
    from clusterlab.catalog import Catalog
    from clusterlab.cluster import Cluster
    from clusterlab.course.automation import check_installed
    from clusterlab.course.provision import Provision, google_of
    from clusterlab.course.screen import Screen
    from clusterlab.repository import enter

    root, (path, *rest) = enter([file, *paths])
    cluster = Cluster.load(path, to_provision=True)
    if looks:
        check_installed()
    cloud = aws() if looks and cluster.regions("aws") else None
    screen: Screen = Screen(console=terminal(stderr=json))
    catalog, google = Catalog.load(), google_of(cluster) if looks else None
    made = Provision(
        cluster=cluster, root=root, cloud=cloud, google=google, catalog=catalog, tell=screen.show, install=install
    )
    return made, rest


def aws() -> Any:
    """The account, as boto3 finds it.

    Raises:
        MissingError: boto3 is not installed.
    """
    try:
        from clusterlab.reaper.cloud import Cloud
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name}: not installed; `{INSTALL_AWS}` installs it") from error
    return Cloud()


def agree(yes: bool, what: str) -> None:
    """Ask, unless somebody has said yes already.

    Raises:
        InputError: nobody is there to be asked.
        typer.Abort: they said no.
    """
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError(Problem(path="--yes", message="missing; nobody can be asked here"))
    typer.confirm(what, abort=True)
