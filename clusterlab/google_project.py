"""Where a class lives in Google Cloud: its project, who pays for it, and who may use it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clusterlab.document import Document
from clusterlab.roster import EMAIL

FORMS = {
    "project": re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]"),
    "billing_account": re.compile(r"[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}"),
    "students": EMAIL,
}
ORGANIZATION = re.compile(r"[0-9]{1,20}")
GCP_RULE = (
    "allowed: {project: llm-2026, billing_account: 000000-000000-000000, students: llm-2026-students@example.org}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class GoogleProject:
    """A project that the class has for itself."""

    project: str
    """Its id, which no other project of Google Cloud has."""
    billing_account: str
    """Whose budget watches it."""
    students: str
    """The address of the group that the students are in."""
    organization: str | None = None
    """Its number, where whoever provisions may set the organization's policies: then no machine of another type, and
    none elsewhere, can be made in the project."""


def read_project(document: Document, key: str) -> GoogleProject | None:
    """The project; what is wrong goes to the document's problems."""
    if document.at(key) is None:
        return None
    document.refuse_unknown(key, {*FORMS, "organization"})
    given = {name: str(document.at(f"{key}.{name}") or "") for name in FORMS}
    wrong = [name for name, form in FORMS.items() if not form.fullmatch(given[name])]
    for name in wrong:
        document.complain(f"{key}.{name}", f"{given[name] or 'missing'}; {GCP_RULE}")
    number = document.at(f"{key}.organization")
    if number is not None and not ORGANIZATION.fullmatch(str(number)):
        wrong.append("organization")
        document.complain(f"{key}.organization", f"{number!r}; allowed: its number, such as 123456789012")
    return None if wrong else GoogleProject(**given, organization=None if number is None else str(number))
