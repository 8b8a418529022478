"""The page of results, `docs/results.md`: what each lab measured, what it expects, and the log of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from clusterlab.lab import Lab, lab_paths
from clusterlab.pages.words import ENGLISH, plain
from clusterlab.report.results import number
from clusterlab.reproduction.reproduction import Reproduction, reproductions
from clusterlab.request import RESULTS_PAGE
from clusterlab.run import write_atomically
from clusterlab.tour import table

INTRODUCTION = """<!-- Made by `python -m clusterlab.reference` from labs/results/. -->

# Results

What each lab measured at `tiny` when it was last run on a machine of the kind that is named, against what its sidecar
expects now. Each line is of a real run: `clusterlab reproduce` makes it of the run's `run.json`, and nobody writes one
by hand. On your machine:

```
make results                              # every lab, with its environments; goes on where it was interrupted
make results LABS="qlora int8-outliers"   # these alone
```

A run that fails is kept as well. Times are of that machine and that day; ranges leave room for others."""
LOG = """Every reproduction that was kept, the newest first, with what came out of it *then*. Lines are only ever
added, in `labs/results/`."""
GLANCE = ("lab", "result", "in range", "seconds", "day", "commit", "machine")
NEVER = "not yet"


def results_page(root: Path) -> str:
    """The whole page.

    Raises:
        InputError: a lab or what was kept of it cannot be read.
    """
    labs = [Lab.load(path) for path in lab_paths(root / "labs")]
    found = [(lab, reproductions(lab.name, root)) for lab in labs]
    parts = [INTRODUCTION, "## At a glance", table(GLANCE, [_glance(lab, kept) for lab, kept in found])]
    for lab, kept in found:
        if kept:
            parts += [f"## {lab.name}", f"[{lab.title}](../labs/{lab.name}.yaml)", _measured(lab, kept[-1])]
    log = [each for _, kept in found for each in kept]
    return "\n\n".join([*parts, "## The log", LOG, _log(log)]) + "\n"


def write_results(root: Path) -> None:
    """Write the page again.

    Raises:
        StorageError: it cannot be written.
    """
    (root / RESULTS_PAGE).parent.mkdir(exist_ok=True)
    write_atomically(root / RESULTS_PAGE, results_page(root))


def _glance(lab: Lab, kept: Sequence[Reproduction]) -> tuple[str, ...]:
    if not kept:
        return f"[{lab.name}](../labs/{lab.name}.yaml)", NEVER, "", "", "", "", ""
    last = kept[-1]
    verdicts = [each.verdict for each in last.against(lab)]
    inside = f"{verdicts.count('PASS')} of {len(verdicts)}"
    return (f"[{lab.name}](#{lab.name})", last.judged(lab), inside, *_where(last))


def _where(of: Reproduction) -> tuple[str, ...]:
    seconds = "" if of.seconds is None else f"{of.seconds:.1f}"
    return seconds, of.day, f"`{of.shown_commit}`", of.machine


def _measured(lab: Lab, last: Reproduction) -> str:
    rows = [
        (f"`{each.metric}`", number(each.value), ENGLISH.range_of(wanted), each.verdict, plain(wanted.source))
        for each in last.against(lab)
        if (wanted := each.expectation)
    ]
    return table(("metric", "measured", "expected", "", "source of the range"), rows)


def _log(kept: Iterable[Reproduction]) -> str:
    newest = sorted(kept, key=lambda each: (each.ended, each.lab), reverse=True)
    return table(
        ("lab", "scale", "result", "seconds", "day", "commit", "machine"),
        [(each.lab, each.scale, each.verdict, *_where(each)) for each in newest],
    )
