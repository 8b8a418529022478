"""Train on a process group that is made again, of the workers that are left, when one of them dies."""

from __future__ import annotations

import dataclasses
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from clusterlab.errors import ClusterlabError
from clusterlab.request import STOP_SECONDS
from clusterlab.submission.results import write_files
from jobs.collective.group import Group, is_lost_peer, process_group
from jobs.launch.folder import VARIABLE as FOLDER_VARIABLE
from jobs.launch.folder import run_folder, small_files
from jobs.parallel.settings import Device, Training

SAVE_SECONDS = STOP_SECONDS - 5
"""How long the workers have to save after a preemption notice; the job itself has so many more to end."""
MOURN_SECONDS = 60
"""How long Ray may take to find out which worker it was that another one lost."""

C = TypeVar("C", bound=Training)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Tells workers to save and stop: a machine that will be taken away, or a Ctrl-C."""

    actor: Any

    def given(self) -> Callable[[], bool]:
        """In a worker: a function that says at no cost whether the notice has come."""
        import ray

        waiting = [self.actor.wait.remote()]
        return lambda: bool(ray.wait(waiting, timeout=0)[0])


class WorkerLostError(Exception):
    """A worker died, or its node did."""


def train_on_workers(
    work: Callable[[C, Notice], dict[str, float]],
    config: C,
    *,
    fewer: bool,
    check: Callable[[int], None] = lambda _: None,
) -> tuple[dict[str, float], int]:
    """Call `work(config, notice)` in every worker, and again from its own checkpoint when a worker is lost.

    With `fewer`, it goes on with the workers that are left; else as many are needed as at first. Small files of the
    run's folder come back from other nodes; checkpoints stay there. `check` may refuse a number of workers by raising
    a ClusterlabError, before any is started.

    Returns what rank 0 returned, and the number of workers.

    Raises:
        ClusterlabError: a worker raised one, or more than `max_failures` were lost.
        InputError: the cluster has too few GPUs or CPUs.
    """
    from ray.exceptions import RayActorError

    use_gpu = config.device is Device.CUDA
    for failures in range(config.max_failures + 1):
        try:
            with process_group(
                use_gpu=use_gpu, min_workers=config.min_workers, fewer=fewer and failures > 0, check=check
            ) as group:
                return _call(group, work, config), group.world_size
        except (WorkerLostError, RayActorError) as error:
            lost = str(error).splitlines()[0]
            print(f"lost a worker, {failures + 1} of at most {config.max_failures}: {lost}", flush=True)
    raise ClusterlabError(f"MAX_FAILURES={config.max_failures}: one worker more was lost: {lost}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outcome:
    """What a worker sends back."""

    metrics: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    exit_code: int = 0
    peer_lost: str | None = None
    """What the process group said when another worker went."""
    stopped: bool = False
    files: dict[str, bytes] = field(default_factory=dict)


def _call(group: Group, work: Callable[[C, Notice], dict[str, float]], config: C) -> dict[str, float]:
    import ray

    with _notice() as notice, _mark(run_folder()) as mark:
        pending = group.begin(_work, work, config, notice, Path.cwd(), run_folder(), mark)
        try:
            outcomes = _collect(pending)
        except (KeyboardInterrupt, SystemExit):
            # Ray puts a handler of its own in the place of ours, and that one raises SystemExit.
            ray.get(notice.actor.give.remote())
            ray.wait(pending, num_returns=len(pending), timeout=SAVE_SECONDS)
            raise
    for outcome in outcomes:
        write_files(run_folder(), outcome.files)
    if any(outcome.stopped for outcome in outcomes):
        raise KeyboardInterrupt
    return outcomes[0].metrics


def _collect(references: list[Any]) -> list[_Outcome]:
    """What all workers send back, by rank; the first that fails ends the waiting for the others."""
    import ray
    from ray.exceptions import RayActorError

    pending = list(references)
    timeout: float | None = None
    peer_lost = None
    while pending:
        done, pending = ray.wait(pending, timeout=timeout)
        if not done:
            break
        try:
            outcome: _Outcome = ray.get(done[0])
        except RayActorError as error:
            raise WorkerLostError(str(error)) from error
        if outcome.error is not None:
            failure = ClusterlabError(outcome.error)
            failure.exit_code = outcome.exit_code
            raise failure
        if outcome.peer_lost is not None:
            timeout, peer_lost = MOURN_SECONDS, outcome.peer_lost
    if peer_lost is not None:
        raise WorkerLostError(peer_lost)
    return list(ray.get(references))


def _work(
    work: Callable[[C, Notice], dict[str, float]], config: C, notice: Notice, cwd: Path, folder: Path, mark: str
) -> _Outcome:
    """In each worker: call, and send errors back as what they are."""
    if cwd.is_dir():
        os.chdir(cwd)  # A text that is given as a relative path is meant from there.
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        outcome = _Outcome(metrics=work(config, notice))
    except ClusterlabError as error:
        outcome = _Outcome(error=str(error), exit_code=error.exit_code)
    except KeyboardInterrupt:
        outcome = _Outcome(stopped=True)
    except RuntimeError as error:
        if not is_lost_peer(error):
            raise
        outcome = _Outcome(peer_lost=str(error).splitlines()[0])
    if (folder / mark).exists():
        return outcome  # Sent back, what others still write there would be written over.
    return dataclasses.replace(outcome, files=small_files(folder))


@contextmanager
def _mark(folder: Path) -> Iterator[str]:
    """The name of a file by which workers know the caller's folder, on its node or on a shared disk."""
    path = folder / f".caller-{secrets.token_hex(8)}"
    path.touch()
    try:
        yield path.name
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _notice() -> Iterator[Notice]:
    import ray

    actor = ray.remote(num_cpus=0)(_Bell).remote()
    try:
        yield Notice(actor=actor)
    finally:
        ray.kill(actor)


class _Bell:
    """Rings once for all who wait."""

    def __init__(self) -> None:
        import asyncio

        self._rung = asyncio.Event()

    async def wait(self) -> bool:
        return await self._rung.wait()

    async def give(self) -> None:
        self._rung.set()
