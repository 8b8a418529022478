"""Do one thing with a class's stack, and tell it as lines of JSON (`clusterlab.course.events`) on stdout.

python -m infra.automation preview clusters/llm-2026.yaml
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from clusterlab.cluster import Cluster
from clusterlab.course.events import Event, Failure, to_line
from clusterlab.errors import ClusterlabError
from infra.automation.verbs import VERBS, Job


def main(arguments: list[str]) -> int:
    """Do it; 0 where it ended well."""
    parser = argparse.ArgumentParser(prog="python -m infra.automation", description=__doc__)
    parser.add_argument("verb", choices=sorted(VERBS))
    parser.add_argument("file", type=Path, help="the class's file")
    parser.add_argument("--install", action="store_true", help="install Pulumi's CLI where it is missing")
    parser.add_argument("--keep", action="append", default=[], help="what `down` leaves, by id or as tag=value")
    asked = parser.parse_args(arguments)
    with _events() as out, _patience() as interrupts:

        def tell(event: Event) -> None:
            # Whoever listened is gone: what is under way is finished all the same, so that the state is whole.
            with contextlib.suppress(BrokenPipeError):
                print(to_line(event), file=out, flush=True)

        try:
            cluster = Cluster.load(asked.file, to_provision=True)
            job = Job(cluster=cluster, root=Path.cwd(), install=asked.install, tell=tell, keep=tuple(asked.keep))
            VERBS[asked.verb](job)
        except ClusterlabError as error:
            kind = "KeyboardInterrupt" if interrupts else type(error).__name__
            tell(Failure(kind=kind, message=str(error)))
            return error.exit_code
    return 0


@contextlib.contextmanager
def _events() -> Iterator[IO[str]]:
    """What was stdout, for events alone: whatever else is printed goes to stderr."""
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        try:
            yield out
        finally:
            # A pipe that nobody reads any more cannot be flushed either.
            with contextlib.suppress(BrokenPipeError):
                out.flush()


@contextlib.contextmanager
def _patience() -> Iterator[list[int]]:
    """Take note of Ctrl-C and go on: Pulumi got it as well, ends what is under way, and writes its state."""
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
