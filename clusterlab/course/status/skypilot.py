"""SkyPilot's own clusters of a class, as `sky status` of its API server knows them."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clusterlab.course.status.part import NotAsked
from clusterlab.metering.slurm import skypilot_status
from clusterlab.skypilot import INSTALL, version

ENDPOINT_VARIABLE = "SKYPILOT_API_SERVER_ENDPOINT"
HERE = "http://127.0.0.1:46580"
"""Where SkyPilot's server is where nobody says: on this machine, if it was started."""
SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SkyCluster:
    """One."""

    name: str
    name_on_cloud: str
    """As the machines' tag has it."""
    status: str
    """SkyPilot's word: UP, STOPPED, INIT and so on."""
    where: str
    student: str | None
    lab: str | None
    user: str
    nodes: int
    resources: str
    autostop_minutes: int | None
    """None where it never stops by itself."""
    down: bool
    """Whether it is ended then, and not only stopped."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def ask(course: str) -> tuple[SkyCluster, ...]:
    """The clusters that carry the course's label.

    A server is never started for it, as `sky status` by itself would do.

    Raises:
        NotAsked: SkyPilot is not installed, or no server of it runs here.
        UnreachableError: `sky status` fails.
    """
    if version() is None:
        raise NotAsked(f"SkyPilot is not installed here; `{INSTALL}` installs it")
    endpoint = os.environ.get(ENDPOINT_VARIABLE)
    if not endpoint and not _answers(HERE):
        raise NotAsked(f"no SkyPilot server at {HERE}; `sky api start`, or {ENDPOINT_VARIABLE} names another")
    return of_course(skypilot_status(), course)


def of_course(records: Iterable[Mapping[str, Any]], course: str) -> tuple[SkyCluster, ...]:
    """Read what `sky status --output json` said."""
    found = [_cluster(each) for each in records if (each.get("labels") or {}).get("course") == course]
    return tuple(sorted(found, key=lambda each: each.name))


def _cluster(record: Mapping[str, Any]) -> SkyCluster:
    labels, autostop = record.get("labels") or {}, int(record.get("autostop", -1))
    place = [str(record[key]) for key in ("cloud", "region") if record.get(key)]
    return SkyCluster(
        name=str(record["name"]),
        name_on_cloud=str(record.get("cluster_name_on_cloud") or record["name"]),
        status=str(record.get("status")),
        where="/".join(place).lower(),
        student=labels.get("student"),
        lab=labels.get("lab"),
        user=str(record.get("user_name") or ""),
        nodes=int(record.get("nodes") or 1),
        resources=str(record.get("resources_str") or ""),
        autostop_minutes=autostop if autostop >= 0 else None,
        down=bool(record.get("to_down")),
    )


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/api/health", timeout=SECONDS):  # noqa: S310 (http, of this machine)
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, http.client.HTTPException):
        return False
