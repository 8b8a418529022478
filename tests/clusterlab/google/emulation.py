"""Compute Engine, emulated on the loopback: what its REST API answers to lists and deletions, and faults on purpose.

It is written by the API's reference and was never held against Google's own servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests import web

PROJECT, TOKEN = "llm-2026", "a-token"
ROOT = "https://www.googleapis.com/compute/v1"
FILTER = re.compile(r'labels\.course="([a-z0-9_-]+)"')
Answer = tuple[int, dict[str, Any]]


def failure(status: int, reason: str, message: str = "no") -> Answer:
    return status, {"error": {"code": status, "message": message, "errors": [{"reason": reason, "domain": "global"}]}}


class Project:
    """What it has, by path below `projects/<project>/`, such as `zones/us-east1-b/instances/i-1`."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.faults: list[Answer] = []
        """What the next calls are answered with, in place of what they ask."""
        self.denied: dict[str, Answer] = {}
        """By collection or path, for good."""
        self.unreachable: list[str] = []
        self.page = 2
        self.filters = True
        """Whether it keeps to the filter that it is asked with."""
        self.calls: list[str] = []
        self.lag = 0
        """For how many lists a machine that ends is still there."""

    def add(self, path: str, *, course: str | None = "llm-2026", **item: Any) -> str:
        labels = dict(item.pop("labels", {})) | ({"course": course} if course else {})
        name = path.rpartition("/")[2]
        made = {"name": name, "labels": labels, "creationTimestamp": "2026-09-01T03:00:00.000-07:00"}
        self.items[path] = made | item
        return f"projects/{PROJECT}/{path}"

    def machine(self, name: str, zone: str = "us-east1-b", **item: Any) -> str:
        shape = {"machineType": f"{ROOT}/projects/{PROJECT}/zones/{zone}/machineTypes/g2-standard-4"}
        return self.add(f"zones/{zone}/instances/{name}", **{"status": "RUNNING", **shape, **item})

    def disk(self, name: str, zone: str = "us-east1-b", users: tuple[str, ...] = (), **item: Any) -> str:
        links = [f"{ROOT}/{each}" for each in users]
        return self.add(f"zones/{zone}/disks/{name}", sizeGb="100", status="READY", users=links, **item)

    def answer(self, method: str, url: str, token: str | None) -> Answer:
        path = unquote(urlsplit(url).path).removeprefix(f"/projects/{PROJECT}/")
        self.calls.append(f"{method} {path}")
        if self.faults:
            return self.faults.pop(0)
        if token != f"Bearer {TOKEN}":
            return failure(401, "authError", "Invalid Credentials")
        where, _, collection = path.rpartition("/")
        for key in (path, collection):
            if key in self.denied:
                return self.denied[key]
        if method == "DELETE":
            return self._delete(path)
        if where != "aggregated":
            return failure(404, "notFound", f"{path} was not found")
        return self._aggregated(collection, {key: each[0] for key, each in parse_qs(urlsplit(url).query).items()})

    def _aggregated(self, collection: str, query: dict[str, str]) -> Answer:
        match = FILTER.fullmatch(query.get("filter", ""))
        if match is None:
            return failure(400, "invalid", "Invalid value for field 'filter'")
        wanted = [
            (path, item)
            for path, item in sorted(self.items.items())
            if path.split("/")[-2] == collection and (item["labels"].get("course") == match[1] or not self.filters)
        ]
        start = int(query.get("pageToken", "0"))
        end = start + min(self.page, int(query["maxResults"]))
        items: dict[str, Any] = {"zones/us-west1-a": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
        for path, item in wanted[start:end]:
            items.setdefault(path.rsplit("/", 2)[0], {collection: []})[collection].append(item)
        more = {"nextPageToken": str(end)} if end < len(wanted) else {}
        if not more:
            self._age()
        gone = {"unreachables": self.unreachable} if self.unreachable else {}
        return 200, {"kind": "compute#aggregatedList", "items": items} | more | gone

    def _age(self) -> None:
        for path, item in list(self.items.items()):
            if item.get("status") == "STOPPING" and item["left"] <= 0:
                self._gone(path)
            elif item.get("status") == "STOPPING":
                item["left"] -= 1

    def _delete(self, path: str) -> Answer:
        item = self.items.get(path)
        if item is None:
            return failure(404, "notFound", f"{path} was not found")
        if item.get("users"):
            return failure(400, "resourceInUseByAnotherResource", f"{path} is already being used")
        if "/instances/" in path and self.lag:
            item |= {"status": "STOPPING", "left": self.lag}
        else:
            self._gone(path)
        return 200, {"kind": "compute#operation", "status": "RUNNING"}

    def _gone(self, path: str) -> None:
        """With a machine go its disks that say so, and others are free."""
        item, link = self.items.pop(path), f"{ROOT}/projects/{PROJECT}/{path}"
        own = [each["source"].partition(f"/{PROJECT}/")[2] for each in item.get("disks", ()) if each.get("autoDelete")]
        for each in own:
            self.items.pop(each, None)
        for other in self.items.values():
            if link in other.get("users", ()):
                other["users"].remove(link)


@contextmanager
def serving(project: Project) -> Iterator[str]:
    """The API of a project, and its endpoint."""

    class Compute(web.Handler):
        def respond(self) -> None:
            status, body = project.answer(self.command, self.path, self.headers.get("Authorization"))
            self.send_json(body, status=status)

    with web.serving(Compute) as url:
        yield f"{url}/"
