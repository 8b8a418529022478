"""`images/images.yaml`: each image with its registry, tag and digest, and the day on which the registry gave it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from clusterlab.document import Document
from clusterlab.errors import InputError, Problem
from clusterlab.tags import LABEL, LABEL_RULE

PATH = Path("images/images.yaml")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
PINNED = re.compile(r"[\w.-]+(?::\d+)?(?:/[\w.-]+)+(?::[\w.-]+)?@sha256:[0-9a-f]{64}")
"""A reference that no later push can change."""
KEYS = {"repository", "tag", "digest", "verified", "used_for"}
_PART = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
REPOSITORY = re.compile(rf"[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?(?:/{_PART})+")
"""With the registry's host, as the OCI distribution specification has it."""
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """One image of a registry."""

    name: str
    """What the project calls it."""
    repository: str
    """With the registry's host, such as `ghcr.io/org/image`."""
    tag: str
    """Empty where only the digest is known."""
    digest: str
    """`sha256:` and 64 digits; empty where nobody has looked it up."""
    verified: date | None
    """The day on which the registry gave this digest; None where it never did."""
    used_for: str

    @property
    def host(self) -> str:
        """The registry's."""
        return self.repository.partition("/")[0]

    @property
    def path(self) -> str:
        """Of the repository in its registry."""
        return self.repository.partition("/")[2]

    @property
    def place(self) -> str:
        """`repository:tag`, or the repository alone."""
        return f"{self.repository}:{self.tag}" if self.tag else self.repository

    @property
    def reference(self) -> str:
        """`repository:tag@digest`, as far as it is known."""
        return f"{self.place}@{self.digest}" if self.digest else self.place

    def is_meant_by(self, reference: str) -> bool:
        """Whether a reference with a digest is this image; with another tag it is not."""
        name, _, digest = reference.partition("@")
        return bool(digest) and digest == self.digest and name in (self.repository, self.place)


@dataclass(frozen=True, kw_only=True, slots=True)
class Images:
    """All of a file, by name."""

    path: Path
    by_name: dict[str, Image]

    @classmethod
    def load(cls, path: Path = PATH) -> Images:
        """Read them.

        Raises:
            InputError: every fault of the file.
        """
        document = Document.load(path, [])
        images = {name: _image(document, name) for name in _names(document)}
        if not document.values:
            document.complain("", "has no image")
        if document.problems:
            raise InputError(document.problems)
        return cls(path=path, by_name=images)

    def named(self, names: list[str]) -> list[Image]:
        """Those of these names; all where none is given.

        Raises:
            InputError: every name that is not there.
        """
        allowed = ", ".join(self.by_name)
        unknown = [name for name in names if name not in self.by_name]
        if unknown:
            message = f"no such image; allowed: {allowed}"
            raise InputError(Problem(path=str(self.path), key=name, message=message) for name in unknown)
        return [self.by_name[name] for name in dict.fromkeys(names)] or list(self.by_name.values())

    def meant_by(self, reference: str) -> Image | None:
        """The image of a reference with a digest; None where it is not in the file."""
        return next((image for image in self.by_name.values() if image.is_meant_by(reference)), None)


def _names(document: Document) -> list[str]:
    for name in document.values:
        if not LABEL.fullmatch(str(name)):
            document.complain(str(name), f"is no name; {LABEL_RULE}")
    return [name for name in map(str, document.values) if LABEL.fullmatch(name)]


def _image(document: Document, name: str) -> Image:
    document.refuse_unknown(name, KEYS)
    image = Image(
        name=name,
        repository=_matching(document, f"{name}.repository", REPOSITORY, "<host>/<path>, such as ghcr.io/org/image"),
        tag=_matching(document, f"{name}.tag", TAG, 'a tag, or ""', empty=True),
        digest=_matching(document, f"{name}.digest", DIGEST, 'sha256:<64 hex>, or ""', empty=True),
        verified=_verified(document, f"{name}.verified"),
        used_for=document.text_at(f"{name}.used_for"),
    )
    if document.at(f"{name}.tag") == document.at(f"{name}.digest") == "":
        document.complain(name, "has neither a tag nor a digest; allowed: one of them or both")
    if image.verified and not image.digest:
        document.complain(f"{name}.verified", f"{image.verified}, and there is no digest; allowed: false")
    return image


def _matching(document: Document, key: str, pattern: re.Pattern[str], allowed: str, *, empty: bool = False) -> str:
    value = document.at(key)
    if isinstance(value, str) and (pattern.fullmatch(value) or (empty and not value)):
        return value
    # A tag such as 1.10 without quotes is a number to YAML, and another one.
    document.complain(key, f"{'missing' if value is None else repr(value)}; allowed: {allowed}")
    return ""


def _verified(document: Document, key: str) -> date | None:
    value = document.at(key)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if value is not False:
        document.complain(key, f"{'missing' if value is None else repr(value)}; allowed: false, or the day it was")
    return None
