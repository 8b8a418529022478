"""The verb `submit`.

clusterlab submit labs/qlora.yaml --as ana
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.config import Scale
from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.terminal import Envs, Json, Runs, print_json, terminal

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster
    from clusterlab.ledger.ledger import Ledger
    from clusterlab.submission.jobs_api import JobsApi
    from clusterlab.submission.order import Order
    from clusterlab.submission.queue import Queue


def submit(
    lab: Annotated[Path | None, typer.Argument(metavar="[LAB]", help="Lab file.", show_default=False)] = None,
    student: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="STUDENT",
            help="Who submits, of the class's roster; CLUSTERLAB_STUDENT where it is not given.",
            show_default=False,
        ),
    ] = None,
    env: Envs = None,
    scale: Annotated[
        Scale | None,
        typer.Option(
            help="How big; as the class's file or else the lab's says where it is not given.", show_default=False
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="The cluster, http://host:port; RAY_ADDRESS where it is not given.", show_default=False),
    ] = None,
    runs: Runs = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew; follow no job and resume no run that asked for the same.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Wait for its turn only; the same command again fetches its results.")
    ] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Show who holds GPUs and who waits; submit nothing.")] = False,
    json: Json = False,
) -> None:
    """Submit a lab as a job to the class's shared cluster, wait for its turn, follow it, and fetch its run.

    Its output goes to stderr with --json. Ctrl-C withdraws it while it waits, and stops it while it runs.

    Exits with 1 where the job failed, a result is outside what the lab expects or the budget does not cover it.
    """
    from clusterlab.ledger.location import open_ledger
    from clusterlab.repository import enter

    if lab is None and not queue:
        raise InputError(Problem(path="LAB", message="missing; allowed: a lab's file, such as labs/qlora.yaml"))
    root, given = enter([each for each in (lab, runs) if each is not None])
    if queue:
        with closing(open_ledger()) as ledger:
            _show_queue(ledger, given[0] if lab else None, json=json)
        return
    order = _order(given[0], student, env or [], scale)
    api = _connect(address)
    with closing(open_ledger()) as ledger:
        _submit(order, api, ledger, given[1] if runs else root / "runs", fresh=fresh, detach=detach, json=json)


def _order(lab: Path, student: str | None, env: list[str], scale: Scale | None) -> Order:
    from clusterlab.config import from_options
    from clusterlab.repository import load_labs
    from clusterlab.submission.order import Order

    values = from_options(env, scale)
    if scale is None and not any(pair.startswith("SCALE=") for pair in env):
        del values["SCALE"]
    [loaded] = load_labs([lab])
    return Order.of(loaded, student, values, os.environ)


def _connect(address: str | None) -> JobsApi:
    from clusterlab.ray_address import ADDRESS_VARIABLE, given_token, timeout
    from clusterlab.submission.jobs_api import JobsApi

    named = address or os.environ.get(ADDRESS_VARIABLE)
    if not named:
        message = (
            f"missing, and {ADDRESS_VARIABLE} is not set; allowed: http://127.0.0.1:8265, where a tunnel leads there"
        )
        raise InputError(Problem(path="--address", message=message))
    return JobsApi.connect(named, given_token(os.environ), seconds=timeout(os.environ))


def _submit(order: Order, api: JobsApi, ledger: Ledger, runs: Path, *, fresh: bool, detach: bool, json: bool) -> None:
    from clusterlab.report.run_result import show_run
    from clusterlab.submission.submit import Submission

    stream = sys.stderr if json else sys.stdout

    def show(text: str) -> None:
        stream.write(text)
        stream.flush()

    submission = Submission(
        order=order,
        api=api,
        queue=_queue(ledger, order.cluster),
        runs=runs,
        say=lambda line: typer.echo(line, err=json),
        show=show,
    )
    folder, name, run = submission.run(fresh=fresh, detach=detach)
    where = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    if run is None:
        if json:
            print_json({"job": name, "folder": where.as_posix(), "status": "running"})
    elif show_run(order.lab, where, run, json=json).failed:
        raise typer.Exit(ClusterlabError.exit_code)


def _queue(ledger: Ledger, cluster: Cluster) -> Queue:
    from clusterlab.submission.queue import Queue

    queue = Queue(ledger=ledger, course=cluster.course, limits=cluster.limits)
    queue.begin()
    return queue


def _show_queue(ledger: Ledger, lab: Path | None, *, json: bool) -> None:
    """Of the class of a lab; of that whose cluster `sky.yaml` is, where none is named."""
    from clusterlab.cluster import Cluster, class_path
    from clusterlab.document import Document
    from clusterlab.submission.price import TASK
    from clusterlab.submission.screen import as_json, table

    course = Document.load(lab or TASK, []).text_at("resources.labels.course")
    found = _queue(ledger, Cluster.load(class_path(course, Path.cwd()))).standing()
    if json:
        print_json(as_json(course, *found))
    else:
        terminal().print(table(course, *found))
