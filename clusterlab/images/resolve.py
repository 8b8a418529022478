"""Ask registries for the digests of images, and say which may be written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from clusterlab.errors import InputError, Problem, UnreachableError
from clusterlab.images.image import Image
from clusterlab.images.pin import pinned
from clusterlab.images.registry import RefusedError, Registry
from clusterlab.run import write_atomically


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a registry said of one image: its digest, or why there is none."""

    image: Image
    digest: str = ""
    refusal: str = ""
    """Why nothing is written."""
    reached: bool = True
    """Whether the registry answered."""

    @property
    def key(self) -> str:
        """Where the refusal belongs in the file."""
        return f"{self.image.name}.{'digest' if self.digest or not self.image.tag else 'tag'}"


def ask(image: Image, *, registry: Registry | None, update: bool) -> Found:
    """Ask for an image, at its own registry where no other is given.

    A digest that is another than the file's is refused, but with `update`.
    """
    registry = registry or Registry.of(image.host)
    try:
        digest = registry.digest(image.path, image.tag or image.digest)
    except RefusedError as error:
        return Found(image=image, refusal=f"{registry.url} {error}")
    except UnreachableError as error:
        return Found(image=image, refusal=f"{registry.url} {error}", reached=False)
    if image.digest and digest != image.digest and not update:
        refusal = f"the tag {image.tag} moved: the file has {image.digest}, the registry {digest}; --update takes it"
        return Found(image=image, digest=digest, refusal=refusal)
    return Found(image=image, digest=digest)


def write(path: Path, found: Iterable[Found], *, today: date) -> None:
    """Write every digest that may be.

    Raises:
        ClusterlabError: the file is not written in lines.
        StorageError: it cannot be written.
    """
    text = before = path.read_text()
    for each in found:
        if not each.refusal:
            text = pinned(text, each.image.name, digest=each.digest, verified=today)
    if text != before:
        write_atomically(path, text)


def refuse(path: Path, found: Iterable[Found]) -> None:
    """Raise what went wrong, of all images in one go.

    Raises:
        InputError: a registry refuses an image, or its digest is another one.
        UnreachableError: all that went wrong is that registries did not answer.
    """
    wrong = [each for each in found if each.refusal]
    problems = [Problem(path=str(path), key=each.key, message=each.refusal) for each in wrong]
    if any(each.reached for each in wrong):
        raise InputError(problems)
    if wrong:
        raise UnreachableError("\n".join(map(str, problems)))
