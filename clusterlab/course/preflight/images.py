"""Whether the images that the class's labs run are pinned, verified, and still at their registries."""

from __future__ import annotations

from collections.abc import Iterator

from clusterlab.course.preflight.check import Check, failed, not_asked, passed, warned
from clusterlab.course.preflight.subject import Subject
from clusterlab.images.image import PATH, Image, Images
from clusterlab.images.registry import Registry
from clusterlab.images.resolve import ask
from clusterlab.images.rule import DOCKER, IMAGE_ID, image_problems, references
from clusterlab.lab import documents
from clusterlab.rules import Subject as LabSubject

NAME, REGISTRY = "images", "registry"


def look(subject: Subject) -> Iterator[Check]:
    """By `images/images.yaml`, at every scale of each lab; a machine's own image nobody looks at."""
    labs, listed = _labs(subject), _listed(subject)
    wrong = [str(each) for lab in labs for each in image_problems(lab, listed, strict=False)]
    strictly = [str(each) for lab in labs for each in image_problems(lab, listed, strict=True)]
    unverified = [each for each in dict.fromkeys(strictly) if each not in wrong]
    others = [f"{lab.lab.name}: {given}" for lab in labs if (given := _of_a_machine(lab))]
    if wrong:
        yield failed(NAME, "; ".join(wrong), f"pin them by a digest of {PATH}")
    if unverified:
        yield warned(NAME, "; ".join(unverified), "`clusterlab images resolve` asks the registries")
    if others:
        yield not_asked(NAME, f"a machine's own image, {'; '.join(others)}", "see that each region of the class has it")
    if not wrong and not unverified and not others:
        number = len({reference for lab in labs for _, reference in references(lab)})
        own = "none is named; machines boot SkyPilot's own, and `setup` installs what a lab needs"
        yield passed(NAME, f"{number} by a digest that its registry gave" if number else own)


def look_there(subject: Subject, *, registry: Registry | None = None) -> Iterator[Check]:
    """Each at its registry, or at the one that is given."""
    for image in used(subject):
        found = ask(image, registry=registry, update=False)
        if not found.refusal:
            yield passed(REGISTRY, f"{image.place} has {image.digest}")
        elif found.reached:
            yield failed(REGISTRY, f"{image.name}: {found.refusal}", f"`clusterlab images resolve {image.name}`")
        else:
            yield not_asked(REGISTRY, f"{image.name}: {found.refusal}", f"`clusterlab images resolve {image.name}`")


def used(subject: Subject) -> list[Image]:
    """Those of the file of images that some lab runs, once each."""
    listed = _listed(subject)
    if listed is None:
        return []
    found = (listed.meant_by(reference) for lab in _labs(subject) for _, reference in references(lab))
    return list({image.name: image for image in found if image}.values())


def _labs(subject: Subject) -> list[LabSubject]:
    return [LabSubject.of(*documents(work.lab.path, []), subject.root) for work in subject.works]


def _listed(subject: Subject) -> Images | None:
    path = subject.root / PATH
    return Images.load(path) if path.is_file() else None


def _of_a_machine(lab: LabSubject) -> str:
    """An `image_id` that is no container's, such as an AMI; empty where there is none."""
    given = lab.task.at(IMAGE_ID)
    return "" if given is None or str(given).startswith(DOCKER) else str(given)
