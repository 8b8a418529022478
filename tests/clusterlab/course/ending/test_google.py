"""The end of a class in Google Cloud too, by an emulation of Compute Engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clusterlab.course.ending.down import Down
from clusterlab.course.ending.proof import ClassProof
from clusterlab.google.compute import Compute
from tests.clusterlab.course.ending.conftest import Course
from tests.clusterlab.google.emulation import PROJECT, Project, failure


def in_both(course: Course, **changes: Any) -> Down:
    ending = course.ending(**changes)
    return replace(ending, clearing=replace(ending.clearing, google=Compute(project=PROJECT)))


def run(ending: Down) -> ClassProof:
    return ending.run(ending.look())


def names(project: Project) -> list[str]:
    return sorted(each.rpartition("/")[2] for each in project.items)


def test_what_is_in_either_cloud_ends_and_the_proof_names_it(course: Course, project: Project) -> None:
    machine, lost = course.launch("r1"), project.machine("lost")
    project.disk("data", users=(lost,))
    project.machine("other", course="llm-2025")
    course.meter()
    proof = run(in_both(course))
    assert proof.proven
    assert (course.alive(), names(project)) == ([], ["other"])
    ended = {each["id"] for each in course.document["resources"] if not each["there"]}
    assert {machine, lost} <= ended
    course.check_books()


def test_a_class_in_google_cloud_alone_is_looked_through_and_ended(course: Course, project: Project) -> None:
    project.machine("lost")
    ending = in_both(course, books=False)
    alone = replace(ending, clearing=replace(ending.clearing, cloud=None, regions=()))
    assert run(alone).done
    assert project.items == {}
    assert alone.nothing_to_do(alone.look()) is not None


def test_what_is_kept_there_stays_and_is_named(course: Course, project: Project) -> None:
    kept = project.machine("kept")
    project.machine("lost")
    proof = run(in_both(course, books=False, keep={kept: "its disk has the thesis"}))
    assert proof.done
    assert names(project) == ["kept"]
    [entry] = [each for each in course.document["kept"] if each["id"] == kept]
    assert entry["why"] == "its disk has the thesis"


def test_a_project_that_cannot_be_looked_at_is_no_proof(course: Course, project: Project) -> None:
    project.denied["instances"] = failure(403, "forbidden", "Required 'compute.instances.list' permission")
    assert not run(in_both(course, books=False)).done


def test_what_is_refused_there_is_left_and_told(course: Course, project: Project) -> None:
    lost = project.machine("lost")
    project.denied["zones/us-east1-b/instances/lost"] = failure(
        403, "forbidden", "Required 'compute.instances.delete' permission"
    )
    proof = run(in_both(course, books=False))
    assert not proof.done
    [left] = proof.sweep.left
    assert (left.resource.id, "compute.instances.delete" in (left.error or "")) == (lost, True)
