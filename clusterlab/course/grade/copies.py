"""Copied results: the record of one execution in the hands of two students.

Equal losses say nothing: a seeded job ends the same for everybody who asks for the same. How long it took does not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from clusterlab.course.grade.collect import Found
from clusterlab.course.grade.due import instant

TIMING = re.compile(r"(^|_)(seconds?|milliseconds|microseconds|ms|mfu|ttft|tpot|latency|bandwidth|speedup)(_|$)")
"""In the name of a metric that is timed."""
COMPUTED = re.compile(r"(^|_)(slo|limit|predicted|formula|expected)(_|$)")
"""In the name of one that is a setting or computed, and so the same for everybody."""
MIN_DIGITS = 10
"""Of a time that two executions do not share by chance."""
TO_THE_SECOND = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}(-\d+)?")
"""A run's name that two students have who ask for the same in the same second."""
RUN, START, SECONDS, TIMINGS = "the same run", "the same start", "the same duration", "the same timings"


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """Two runs of a lab that look like one."""

    first: Found
    second: Found
    traits: tuple[str, ...]
    """What they share."""

    @property
    def sure(self) -> bool:
        """Whether it is one execution: as long to the last bit, and begun in the same millisecond or named the same."""
        return SECONDS in self.traits and (START in self.traits or RUN in self.traits)


def copies(found: Iterable[Found]) -> list[Copy]:
    """Each two runs of different holders that are one execution, or share what two executions hardly do."""
    groups: dict[tuple[str, str, Hashable], list[Found]] = defaultdict(list)
    for each in sorted(found, key=lambda each: each.entry.folder.as_posix()):
        for trait, value in _traits(each):
            groups[each.lab, trait, value].append(each)
    pairs: dict[tuple[int, int], list[str]] = defaultdict(list)
    runs: dict[int, Found] = {}
    for (_, trait, _), group in groups.items():
        for first, second in combinations(group, 2):
            if first.holder != second.holder:
                runs |= {id(first): first, id(second): second}
                pairs[id(first), id(second)].append(trait)
    made = [Copy(first=runs[a], second=runs[b], traits=tuple(traits)) for (a, b), traits in pairs.items()]
    return [each for each in made if not _by_chance(each)]


def _traits(found: Found) -> Iterator[tuple[str, Hashable]]:
    run = found.run
    yield RUN, run.run_id
    started = instant(run.started)
    if started is not None:
        yield START, started
    if run.seconds is not None:
        yield SECONDS, run.seconds
    timings = {name: value for name, value in sorted(run.metrics.items()) if _is_timing(name)}
    if any(map(_is_precise, timings.values())):
        yield TIMINGS, repr(timings)


def _is_timing(name: str) -> bool:
    return bool(TIMING.search(name)) and not COMPUTED.search(name)


def _is_precise(value: float) -> bool:
    digits = re.sub(r"e.*|\D", "", repr(value)).strip("0")
    return len(digits) >= MIN_DIGITS


def _by_chance(copy: Copy) -> bool:
    """Whether two executions may well share all of it."""
    run = copy.first.run
    named_alike = {RUN} if TO_THE_SECOND.fullmatch(run.run_id) else set()
    as_long = set() if run.seconds is None or _is_precise(run.seconds) else {SECONDS}
    return set(copy.traits) <= named_alike | as_long
