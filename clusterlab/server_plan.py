"""The class's API server: its name in the DNS, with the zone that it lies in, and the machine that it runs on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clusterlab.document import Document

INSTANCE_TYPE = "m5.large"
"""The least of the catalog's that SkyPilot's API server, PostgreSQL and nginx go together on."""
FORMS = {
    "domain": re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"),
    "hosted_zone_id": re.compile(r"Z[A-Z0-9]{1,31}"),
    "instance_type": re.compile(r"[a-z0-9-]+\.[a-z0-9-]+"),
}
SERVER_RULE = "allowed: {domain: llm.example.org, hosted_zone_id: Z0123456789ABC, instance_type: m5.large}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerPlan:
    """What is said of the server beside that there is one."""

    domain: str | None = None
    """Its name, with a certificate of Let's Encrypt; None for its address, with one that it signs itself."""
    hosted_zone_id: str | None = None
    """Of Route 53, where the name lies; with a name it must be there."""
    instance_type: str = INSTANCE_TYPE


def read_server(document: Document, key: str) -> tuple[bool, ServerPlan]:
    """Whether there is one, and what is said of it; what is wrong goes to the document's problems."""
    given = document.at(key)
    if not isinstance(given, dict):
        return document.boolean_at(key, default=False), ServerPlan()
    document.refuse_unknown(key, set(FORMS))
    known = {name: given[name] for name in FORMS if given.get(name) is not None}
    wrong = [name for name, value in known.items() if not FORMS[name].fullmatch(str(value))]
    for name in wrong:
        document.complain(f"{key}.{name}", f"{known[name]!r}; {SERVER_RULE}")
    if ("domain" in known) != ("hosted_zone_id" in known):
        message = "domain and hosted_zone_id: both or neither; the certificate is got by a record in the zone"
        document.complain(key, f"{message}; {SERVER_RULE}")
    return True, ServerPlan(**{name: str(value) for name, value in known.items()}) if not wrong else ServerPlan()
