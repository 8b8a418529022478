"""A class's stack brought up and taken down, with what its state does not know looked for before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.catalog import Catalog
from clusterlab.cluster import Cluster
from clusterlab.course import automation
from clusterlab.course.events import Change, Event, Outputs, Retained, State, Step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from clusterlab.course.orphans import Orphan
    from clusterlab.google.compute import Compute
    from clusterlab.reaper.cloud import Cloud
    from clusterlab.reaper.resource import Resource


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """What came of an update."""

    outputs: Mapping[str, Any]
    """What the stack exports."""
    num_changed: int
    """How many resources were made, changed or ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provision:
    """A class, and what its stack and its account are reached with."""

    cluster: Cluster
    root: Path
    cloud: Cloud | None
    """None of a class that is not in AWS, where nobody looks for what is left."""
    catalog: Catalog
    tell: Callable[[Event], None]
    """What is shown of what Pulumi does."""
    install: bool = False
    google: Compute | None = None
    """Its project; None of a class that is not in Google Cloud."""

    def state(self) -> State:
        """What Pulumi knows of the stack.

        Raises:
            ClusterlabError: it cannot be asked.
        """
        return next(each for each in self._ask("state") if isinstance(each, State))

    def outputs(self) -> Mapping[str, Any]:
        """What the stack exports.

        Raises:
            ClusterlabError: there is no such stack.
        """
        return next(each for each in self._ask("outputs") if isinstance(each, Outputs)).values

    def repair(self) -> None:
        """Have the state forget what was under way when an update was killed."""
        list(self._ask("repair"))

    def preview(self) -> list[Change]:
        """What `up` would change.

        Raises:
            ClusterlabError: a rule of the policy pack forbids it, or Pulumi failed.
        """
        return [each for each in self._ask("preview") if isinstance(each, Change)]

    def up(self) -> Update:
        """Make it so, and say what is another than before."""
        events = list(self._ask("up"))
        outputs = next(each for each in events if isinstance(each, Outputs)).values
        return Update(
            outputs=outputs, num_changed=sum(isinstance(each, Step) and each.phase == "done" for each in events)
        )

    def down(self, keep: Iterable[str] = ()) -> list[Retained]:
        """Take away all that the state knows, but for what is kept, by id or as `tag=value`, and what that stands on.

        Raises:
            BusyError: somebody else is at it, or one who was killed left the lock.
            ClusterlabError: Pulumi failed.
        """
        return [each for each in self._ask("down", keep) if isinstance(each, Retained)]

    def orphans(self, known: Iterable[str]) -> list[Orphan]:
        """What account and project have of the class that is not known.

        Raises:
            ClusterlabError: not everything could be looked at.
        """
        from clusterlab.course.orphans import find

        return find(self.cloud, self.cluster.course, known, self.catalog, google=self.google)

    def _ask(self, verb: str, keep: Iterable[str] = ()) -> Iterator[Event]:
        for event in automation.ask(verb, self.cluster.path, self.root, install=self.install, keep=keep):
            self.tell(event)
            yield event


def google_of(cluster: Cluster) -> Compute | None:
    """How the class's project of Google Cloud is reached; None where it has none."""
    from clusterlab.google.compute import Compute

    return Compute(project=cluster.gcp.project) if cluster.gcp and cluster.regions("gcp") else None


def of_the_stack(found: Iterable[Orphan]) -> list[Orphan]:
    """Those that no launch made and that are not ending: only a stack that was interrupted leaves them."""
    return [each for each in found if not each.launched and not _ending(each.resource)]


def _ending(each: Resource) -> bool:
    from clusterlab.reaper.resource import ENDING

    return each.state == ENDING
