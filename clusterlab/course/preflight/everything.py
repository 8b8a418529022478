"""All checks of a class, in the order in which they are mended: its file first, then its money, then its cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clusterlab.cluster import Mode
from clusterlab.course.preflight import budget, dates, images, prices, roster, server
from clusterlab.course.preflight.check import Check, not_asked, passed
from clusterlab.course.preflight.subject import Subject
from clusterlab.errors import INSTALL_AWS

OFFLINE = "--offline"


def here(subject: Subject) -> Iterator[Check]:
    """What needs no cloud."""
    yield from roster.look(subject)
    yield from dates.look(subject)
    yield from budget.look(subject)
    yield from prices.look(subject)
    yield from images.look(subject)
    yield from server.look_here(subject)


def skipped(subject: Subject) -> Iterator[Check]:
    """What others than this machine and the ledger would have been asked, as far as the class has it."""
    of_a_cloud = any(work.machines or work.missing for work in subject.works)
    asked = {
        "registry": bool(images.used(subject)),
        "class image": subject.cluster.mode is Mode.SHARED,
        "quota": of_a_cloud,
        "capacity": of_a_cloud,
        "server": subject.cluster.server,
    }
    yield from (not_asked(name, OFFLINE, f"leave {OFFLINE} out") for name, there in asked.items() if there)


def there(subject: Subject, outputs: Callable[[], Mapping[str, Any]], *, probe: bool) -> Iterator[Check]:
    """What needs one."""
    yield from images.look_there(subject)
    yield from _in_aws(subject, probe=probe)
    yield from server.look(subject, outputs)


def _in_aws(subject: Subject, *, probe: bool) -> Iterator[Check]:
    try:
        from clusterlab.course.preflight import capacity, class_image, quota
        from clusterlab.reaper.cloud import Cloud
    except ModuleNotFoundError as error:
        for name in ("quota", "capacity"):
            yield not_asked(name, f"{error.name}: not installed", f"`{INSTALL_AWS}` installs it")
        return
    cloud = Cloud()
    yield from class_image.look(subject, cloud)
    if any(work.machines or work.missing for work in subject.works):
        yield from quota.look(subject, cloud)
        yield from capacity.look(subject, cloud, probe=probe)
    else:
        yield from (passed(name, "no lab needs a machine of a cloud") for name in ("quota", "capacity"))
