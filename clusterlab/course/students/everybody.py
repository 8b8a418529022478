"""One thing done for every student, several at a time: a bar on a terminal, and elsewhere a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clusterlab.errors import ClusterlabError, InputError

if TYPE_CHECKING:
    from rich.console import Console

WORKERS = 8
Do = Callable[[str], Sequence[str]]
"""What is done for a student; returns what of it was new."""
Tell = Callable[[str, Sequence[str]], None]


def for_everybody(what: str, students: Sequence[str], do: Do, console: Console) -> dict[str, tuple[str, ...]]:
    """Do it for each, and go on where it fails for one.

    Returns:
        What was new, by student in the roster's order; who had all of it is left out.

    Raises:
        ClusterlabError: it failed for somebody, and is done for all others; of their kind, where that is one.
        KeyboardInterrupt: somebody interrupted it, and what was under way has ended.
    """
    new: dict[str, tuple[str, ...]] = {}
    failed: dict[str, ClusterlabError] = {}
    pool = ThreadPoolExecutor(max_workers=WORKERS)
    try:
        futures = {pool.submit(do, student): student for student in students}
        with _shown(what, len(students), console) as tell:
            for future in as_completed(futures):
                student, error = futures[future], future.exception()
                if isinstance(error, ClusterlabError):
                    failed[student] = error
                elif error is not None:
                    raise error
                new[student] = () if error else tuple(future.result())
                tell(student, new[student])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if failed:
        raise _together([failed[student] for student in students if student in failed])
    return {student: new[student] for student in students if new[student]}


@contextmanager
def _shown(what: str, number: int, console: Console) -> Iterator[Tell]:
    """How far it is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    def line(student: str, new: Sequence[str]) -> None:
        if new:
            console.print(f"{what}: {student}: {', '.join(new)}", highlight=False, markup=False, soft_wrap=True)

    if not console.is_terminal:
        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(what, total=number)
        yield lambda student, _: progress.update(bar, advance=1, description=f"{what}: {student}")


def _together(errors: Sequence[ClusterlabError]) -> ClusterlabError:
    """Several failures as one."""
    given: Mapping[type[ClusterlabError], None] = dict.fromkeys(type(each) for each in errors)
    if all(isinstance(each, InputError) for each in errors):
        return InputError([problem for each in errors if isinstance(each, InputError) for problem in each.problems])
    [kind, *others] = given
    text = "\n".join(dict.fromkeys(map(str, errors)))
    return ClusterlabError(text) if others else kind(text)
