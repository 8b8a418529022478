"""Bring a class up again and again, each time killed by SIGKILL at another of its deeds, and once more to its end.

python -m tests.clusterlab.course.students.crashes FOLDER ENDPOINT SEED

Each bring-up is a process of its own, forked from this one, which has no thread. A deed is whatever changes the disk,
begins a program or asks the server to change something: the process ends just before it, or just after.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import traceback
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Imported once for all.
import clusterlab.course.students.english
import clusterlab.ledger.ledger
import clusterlab.reaper.cloud  # noqa: F401
from clusterlab.course.language import Language
from clusterlab.course.students.keys import public_blob
from clusterlab.course.students.record import FILE
from tests.clusterlab.course.students.house import STUDENTS, House, Papers, prices, shared, tree

DEEDS = ("replace", "rename", "unlink", "mkdir", "rmdir", "chmod", "fsync")
LEDGER = "ledger.db"
SAMPLES = 16
"""Of all deeds; beside each at which a step begins or ends."""


class Plug:
    """Counts deeds, names them, and pulls the plug at one of them."""

    def __init__(self, at: int | None, *, after: bool, log: Path | None = None) -> None:
        self.at, self.after, self.log = at, after, log
        self.count = 0
        self.lock = threading.Lock()

    def guard(self, name: str, bare: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            with self.lock:
                number, self.count = self.count, self.count + 1
                if self.log:
                    with self.log.open("a") as file:
                        file.write(f"{name} {shown(args[-1]) if args else ''}\n")
            if number == self.at and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = bare(*args, **kwargs)
            if number == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return guarded

    def install(self) -> None:
        for name in DEEDS:
            setattr(os, name, self.guard(name, getattr(os, name)))
        subprocess.run = self.guard("run", subprocess.run)
        urllib.request.urlopen = self.guard("ask", urllib.request.urlopen)


def shown(what: object) -> str:
    """What a deed is done to."""
    return f"{what.get_method()} {what.selector}" if isinstance(what, urllib.request.Request) else str(what)


def forked(do: Callable[[], object]) -> int:
    """The exit status of a process that does it; below 0 for the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            do()
            status = 0
        finally:
            if status:
                traceback.print_exc()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Schedule:
    """The class, and what an uninterrupted bring-up leaves of it."""

    def __init__(self, folder: Path, endpoint: str, seed: int) -> None:
        self.folder, self.endpoint = folder, endpoint
        self.random = random.Random(seed)
        prices()

    def house(self) -> House:
        root = self.folder / "house"
        return House(root=root, outputs=shared(self.endpoint), cloud=Papers(), students=STUDENTS)

    def bring_up(self, plug: Plug | None) -> int:
        def do() -> None:
            os.environ["CLUSTERLAB_LEDGER"] = f"sqlite:///{self.folder / LEDGER}"
            house = self.house()
            if plug:
                house.cluster()
                plug.install()
            house.bring_up(Language.ES)

        return forked(do)

    def clean(self) -> None:
        shutil.rmtree(self.folder / "house", ignore_errors=True)
        for each in self.folder.glob(f"{LEDGER}*"):
            each.unlink()
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/reset", method="POST", data=b"{}")).close()

    def left(self) -> dict[str, Any]:
        """All that is there, but for what no two bring-ups have alike: keys, tokens, and instants in the ledger."""
        root = self.folder / "house"
        files = {name: each for name, each in tree(root).items() if not name.startswith(("labs", "jobs"))}
        answer = json.loads(urllib.request.urlopen(f"{self.endpoint}/state").read())
        for student in STUDENTS:
            place = root / "classes" / "llm-2026" / student
            blob = (place / "id_ed25519.pub").read_text().split()[1]
            assert public_blob(place / "id_ed25519") == blob, f"{student}: no pair"
            assert (place / "token").read_text().strip() == answer[student], f"{student}: another token"
        return {"files": files, "tokens": sorted(answer), "caps": caps(self.folder / LEDGER)}

    def keys(self) -> Mapping[str, str]:
        return {str(path): path.read_text() for path in (self.folder / "house").glob("classes/*/*/id_ed25519")}

    def deeds(self) -> list[str]:
        """Of one that is not interrupted."""
        self.clean()
        log = self.folder / "deeds"
        log.unlink(missing_ok=True)
        assert self.bring_up(Plug(None, after=False, log=log)) == 0
        return log.read_text().splitlines()

    def points(self, deeds: list[str]) -> list[tuple[int, bool]]:
        """Both sides of each that begins or ends a step, makes a token or writes another file; one side of others."""
        named = [n for n, deed in enumerate(deeds) if deed.startswith("ask POST") or deed.endswith((FILE, ".sky.yaml"))]
        others = self.random.sample([n for n in range(len(deeds)) if n not in named], SAMPLES)
        sides = [(number, self.random.random() < 0.5) for number in others]
        return sorted([*sides, *((number, after) for number in named for after in (False, True))])

    def run(self) -> int:
        deeds = self.deeds()
        whole = self.left()
        points = self.points(deeds)
        for number, after in points:
            self.clean()
            status = self.bring_up(Plug(number, after=after))
            # Threads take turns in another order, and may have less to do: then it was whole.
            assert status in (-signal.SIGKILL, 0), status
            keys = self.keys()
            assert self.bring_up(None) == 0
            found = self.left()
            told = f"deed {number} of {len(deeds)} ({deeds[number]}), {'after' if after else 'before'}"
            assert found == whole, f"{told}: {difference(found, whole)}"
            assert keys.items() <= self.keys().items(), f"{told}: a key was written over"
        print(len(deeds), len(points))
        return 0


def caps(path: Path) -> list[list[str | None]]:
    """The caps' rows in the ledger, without their instants."""
    import sqlite3

    with sqlite3.connect(path) as ledger:
        rows = ledger.execute("SELECT kind, student, team, course, detail FROM entries ORDER BY seq").fetchall()
    return sorted([list(map(str, row)) for row in rows])


def difference(found: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """What two states differ in."""
    files = {*found["files"].items()} ^ {*whole["files"].items()}
    return {key: (found[key], whole[key]) for key in ("tokens", "caps") if found[key] != whole[key]} | {
        "files": sorted(files)
    }


if __name__ == "__main__":
    sys.exit(Schedule(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])).run())
