"""A class brought up, step by step: each looks what is there, does what is missing, and says which it was.

Whatever cuts it off, the same command goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.cluster import Cluster
from clusterlab.course import skypilot_file
from clusterlab.course.config import skypilot_config
from clusterlab.course.language import Language
from clusterlab.course.place import Place, make_folder, read
from clusterlab.course.students import keys
from clusterlab.course.students.caps import listed, set_caps
from clusterlab.course.students.clusters import Bring, bring_clusters, write_ray_token
from clusterlab.course.students.everybody import for_everybody
from clusterlab.course.students.facts import facts_of
from clusterlab.course.students.identity import CLUSTER_ACCESS, write_identity
from clusterlab.course.students.reach import ENDPOINT, Server
from clusterlab.course.students.steps import Step, Steps
from clusterlab.course.students.tokens import CERTIFICATE, Giver
from clusterlab.course.students.welcome import write_welcome

if TYPE_CHECKING:
    from rich.console import Console

    from clusterlab.course.provision import Update
    from clusterlab.reaper.cloud import Cloud

GRACE = timedelta(days=14)
"""How long after the class's last day a token is good: what came late is still fetched."""
Stack = Callable[[], "Update"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BringUp:
    """A class, and what its bring-up is asked for."""

    cluster: Cluster
    root: Path
    """Of the repository."""
    stack: Stack
    """Brings the stack up, and says what it exports."""
    cloud: Cloud | None
    """None of a class that is not in AWS."""
    console: Console
    config: Path
    """SkyPilot's configuration, which the class's is put into."""
    language: Language | None = None
    """Of the welcome sheets; None for that of the last time."""
    clusters: Bring | None = None
    """Brings the class's clusters up; None where they are not due."""
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> None:
        """Do all steps.

        Raises:
            ClusterlabError: one failed; those before it are done, and of its own whatever could be.
        """
        place = Place.of(self.root, self.cluster.course)
        with place.held():
            steps = Steps.begin(place, self.console)
            with steps.step("stack") as step:
                update = self.stack()
                step.did += [f"{update.num_changed} changed"] if update.num_changed else []
            with steps.step("skypilot") as step:
                self._configure(update.outputs, step)
            with steps.step("budget") as step:
                set_caps(self.cluster, step)
            with steps.step("students") as step:
                self._students(steps, update.outputs, step)
            if update.outputs.get(ENDPOINT) and self.cloud is not None:
                with steps.step("tokens") as step:
                    self._tokens(steps, update.outputs, self.cloud, step)
            # A cluster of Kubernetes has nodes when somebody wants them.
            if CLUSTER_ACCESS not in update.outputs:
                with steps.step("clusters") as step:
                    bring_clusters(self.clusters, self.cluster, step)

    def _configure(self, outputs: Mapping[str, Any], step: Step) -> None:
        changed = skypilot_file.write(self.config, skypilot_config(outputs), force=False)
        step.did += [f"{self.config}: {', '.join(changed)}"] if changed else []

    def _students(self, steps: Steps, outputs: Mapping[str, Any], step: Step) -> None:
        """What each has, and who is new or gone; who has gone keeps the folder."""
        students, place = self.cluster.students(), steps.place
        language = self.language or steps.record.language
        gone = [each for each in steps.record.students if each not in students and place.of_student(each).exists()]
        new = [each for each in students if not place.of_student(each).exists()]
        if any(keys.lacks_key(place.of_student(each)) for each in students):
            keys.check_installed()
        # Before there is a folder: who is on record and gone is told, whenever this is cut off.
        steps.save(replace(steps.record.knowing(students), language=language))
        equip = partial(self._equip, place, outputs, language)
        made = for_everybody("students", students, equip, self.console)
        step.did += [f"{len(new)} new: {listed(new)}"] if new else []
        others = [each for each in made if each not in new]
        step.did += [f"something new for {listed(others)}"] if others else []
        step.notes += [f"{each} is no longer in the roster; {place.of_student(each)} is kept" for each in gone]

    def _equip(self, place: Place, outputs: Mapping[str, Any], language: Language, student: str) -> list[str]:
        """Whatever one student gets without the server; what of it was new."""
        folder, course = place.of_student(student), self.cluster.course
        make_folder(folder)
        made = ["key"] if keys.make_key(folder, f"{student}@{course}") else []
        made += write_identity(folder, student, course, outputs)
        made += [] if CLUSTER_ACCESS in outputs else write_ray_token(folder, self.cluster, self.root)
        facts = facts_of(self.cluster, student, outputs, self.root)
        return made + write_welcome(folder, facts, language)

    def _tokens(self, steps: Steps, outputs: Mapping[str, Any], cloud: Cloud, step: Step) -> None:
        server = Server(outputs=outputs, cloud=cloud, folder=steps.place.folder, sleep=self.sleep)
        wait = "tokens: waiting for the course server, which makes itself in minutes"
        service, students = server.service(lambda: steps.tell(wait)), self.cluster.students()
        held = service.held()
        certificate = read(steps.place.folder / CERTIFICATE) if service.authority else None
        giver = Giver(service=service, held=held, days=self._days(), certificate=certificate)
        give = partial(self._give, steps.place, giver)
        given = for_everybody("tokens", students, give, self.console)
        for what in ("token", "certificate"):
            new = [each for each, got in given.items() if what in got]
            step.did += [f"{what} for {listed(new)}"] if new else []
        elsewhere = "has a token that was not made here, and keeps it; docs/server.md says how another is made"
        step.notes += [f"{each} {elsewhere}" for each in sorted(giver.left)]
        gone = [each for each in steps.record.students if each not in students and each in held]
        step.notes += [
            f"{each} has gone and still has a token; docs/server.md says how it is taken away" for each in gone
        ]

    def _give(self, place: Place, giver: Giver, student: str) -> list[str]:
        return giver.give(place.of_student(student), student)

    def _days(self) -> int:
        dates, today = self.cluster.dates, datetime.now(UTC).date()
        return max(1, (dates.end - today + GRACE).days if dates else GRACE.days)
