"""The JSON Schema of a class's file, by which an editor completes keys, says what each means, and underlines faults.

It knows a file's form. What needs the catalog, the roster's file or two keys at once, `clusterlab class` says.
"""

from __future__ import annotations

import json
from typing import Any

from clusterlab.calendar import DAYS
from clusterlab.class_budget import LONGEST_WINDOW_DAYS, WINDOW_DAYS
from clusterlab.class_check import MAX_INSTRUCTORS
from clusterlab.cluster import MAX_WARM_MINUTES, FileSystem, Mode
from clusterlab.config import Scale
from clusterlab.google_project import FORMS, ORGANIZATION
from clusterlab.kept import NAME
from clusterlab.network_plan import CIDR, ZONES
from clusterlab.roster import EMAIL
from clusterlab.server_plan import FORMS as FORMS_OF_THE_SERVER
from clusterlab.server_plan import INSTANCE_TYPE
from clusterlab.tags import LABEL

FILE = "class.schema.json"
"""Beside the classes, each of which names it in its first line."""
FIRST_LINE = f"# yaml-language-server: $schema={FILE}\n"
Schema = dict[str, Any]

TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
DATE: Schema = {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "examples": ["2026-09-01"]}
NETWORK: Schema = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+){3}(/[0-9]+)?$", "examples": ["192.0.2.0/24"]}


def class_schema() -> Schema:
    """The schema, by draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A class of clusterlab",
        "description": "One class: where its machines may be, who takes part, which labs, and what it may cost.",
        **_mapping(_where() | _who() | _when() | _what() | _money() | _provisioning(), required=["course", "infra"]),
    }


def schema_text() -> str:
    """As the file holds it."""
    return json.dumps(class_schema(), indent=2, ensure_ascii=False) + "\n"


def _where() -> dict[str, Schema]:
    return {
        "course": _said("The course, as the file is named; labs carry it as their label `course`.", {"type": "string"}),
        "infra": _said(
            "Where machines may be, as `sky launch --infra` writes it: a cloud, or one region of it. The plan prices "
            "labs here, and the policy lets nothing launch elsewhere.",
            _list({"type": "string", "pattern": r"^ *[^/*\s]+(/[^/*\s]+)? *$"}, minItems=1),
        ),
        "instances": _said(
            "Machines that it may use, as the cloud calls them; without it, all that the catalog has at these places.",
            _or_null(_list({"type": "string"}, minItems=1)),
        ),
    }


def _who() -> dict[str, Schema]:
    student: Schema = {"type": ["string", "integer"], "pattern": _whole(LABEL.pattern)}
    address: Schema = {"type": "string", "pattern": _whole(EMAIL.pattern)}
    roster: list[Schema] = [
        {"type": "integer", "minimum": 0},
        _list(student, uniqueItems=True),
        {"type": "string", "minLength": 1},
        {"type": "null"},
    ]
    return {
        "roster": _said(
            "Who takes part: how many, a list of labels, or a CSV file beside this one, with a column `student` or as "
            "Moodle or Canvas exports it.",
            {"anyOf": roster},
        ),
        "teams": _said(
            "Which students work together, by the team's name; nobody is in two.",
            _or_null({"type": "object", "propertyNames": _label(), "additionalProperties": _list(student, minItems=1)}),
        ),
        "instructors": _said(
            "Who teaches, by e-mail: budget alerts and the reaper's alarms go there.",
            {"anyOf": [address, _list(address, uniqueItems=True, maxItems=MAX_INSTRUCTORS), {"type": "null"}]},
        ),
    }


def _when() -> dict[str, Schema]:
    days = _mapping({"start": DATE, "end": DATE}, required=["start", "end"])
    hours: Schema = {
        "type": "string",
        "pattern": rf"^ *(?:{'|'.join(map(_in_any_case, DAYS))}) +{TIME} *- *{TIME} *$",
        "examples": ["tue 10:00-12:00"],
    }
    return {
        "dates": _said(
            "The first and the last day; everything of the class has a lease that ends a little later.", _or_null(days)
        ),
        "time_zone": _said(
            "In which the hours are and due dates end, by the tz database, such as Europe/Madrid; UTC without it.",
            {"type": ["string", "null"]},
        ),
        "hours": _said(
            "When the class meets, each week but on holidays.", {"anyOf": [hours, _list(hours), {"type": "null"}]}
        ),
        "holidays": _said(
            "Days on which it does not meet, each a day or {start: DAY, end: DAY}.",
            _or_null(_list({"anyOf": [DATE, days]})),
        ),
        "warm_minutes": _said(
            "How many minutes before its hours machines are brought up, so that nobody waits; 0 for never.",
            {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_WARM_MINUTES, "default": 0},
        ),
    }


def _what() -> dict[str, Schema]:
    lab = _mapping(
        {
            "scale": _said("At which scale; that of the lab's file without it.", _one_of(list(Scale))),
            "runs": _said("How often each launches it.", {"type": ["integer", "null"], "minimum": 0, "default": 1}),
            "due": _said("The last day on which it is handed in.", _or_null(DATE)),
        }
    )
    return {
        "labs": _said(
            "What each student launches, by the name of its file in labs/.",
            _or_null({"type": "object", "additionalProperties": _or_null(lab)}),
        ),
        "mode": _said(
            "Where labs run: per-student for machines of each launch's own, shared for one cluster that all submit to.",
            _one_of(list(Mode)) | {"default": Mode.PER_STUDENT.value},
        ),
        "limits": _said(
            "What each student may use of the cluster that all share; what is not said is not limited.",
            _or_null(_mapping(_limits())),
        ),
        "keep": _said(
            "What `clusterlab class down` leaves alone: ids or tags, such as lab=shared, in a list or with reasons.",
            _keep(),
        ),
    }


def _keep() -> Schema:
    name, why = {"pattern": _whole(NAME.pattern)}, {"type": "string", "pattern": r"\S"}
    reasons = {"type": "object", "propertyNames": name, "additionalProperties": why}
    return {"anyOf": [_list({"type": "string"} | name, uniqueItems=True), reasons, {"type": "null"}]}


def _limits() -> dict[str, Schema]:
    above_0: Schema = {"type": ["number", "null"], "exclusiveMinimum": 0}
    days: Schema = {"type": ["integer", "null"], "minimum": 1, "maximum": LONGEST_WINDOW_DAYS, "default": WINDOW_DAYS}
    return {
        "gpus": _said("GPUs at once; a part of one counts too.", above_0),
        "gpu_hours": _said("GPU-hours in any window of `window_days`.", above_0),
        "window_days": _said("How many days the window of `gpu_hours` has.", days),
    }


def _money() -> dict[str, Schema]:
    usd: Schema = {"type": ["number", "null"], "exclusiveMinimum": 0}
    caps = {
        "course": _said("In all, USD.", usd),
        "team": _said("By each of the `teams`, USD.", usd),
        "student": _said("By each student, USD.", usd),
    }
    return {
        "budget_usd": _said(
            "What may be spent; `clusterlab budget set` puts it into the ledger. A launch must fit under every cap.",
            _or_null(_mapping(caps)),
        )
    }


def _provisioning() -> dict[str, Schema]:
    sources: Schema = {"anyOf": [NETWORK, _list(NETWORK), {"type": "null"}]}
    zones = _list({"type": "string", "pattern": "^[a-z]$"}, minItems=1, uniqueItems=True, default=list(ZONES))
    network = {
        "cidr": _said("Its private addresses, a /16 or smaller.", _or_null(NETWORK) | {"default": str(CIDR)}),
        "ssh_from": _said("From where SSH may come; from nowhere without it.", sources),
        "https_from": _said("From where the API server may be reached; as with SSH without it.", sources),
        "zones": _said("Letters of the zones, as in us-east-1a; each has two subnets.", _or_null(zones)),
    }
    return {
        "server": _said(
            "Whether the class has an API server of SkyPilot's, with the policy and the ledger; or what is said of it.",
            {"anyOf": [{"type": ["boolean", "null"]}, _mapping(_server()) | _BOTH_OR_NEITHER], "default": False},
        ),
        "file_system": _said(
            "What machines share: efs, or lustre (FSx), which is faster and costs by the GB that it could hold.",
            _one_of(list(FileSystem)) | {"default": FileSystem.EFS.value},
        ),
        "network": _said("The class's addresses in each region.", _or_null(_mapping(network))),
        "gcp": _said("Where it lives in Google Cloud.", _or_null(_google())),
    }


def _google() -> Schema:
    google = {
        "project": "The id of a project that the class has for itself.",
        "billing_account": "Who pays for it, and whose budget watches it.",
        "students": "The address of the group of Google's that the students are in.",
    }
    forms = {name: {"type": "string", "pattern": _whole(FORMS[name].pattern)} for name in google}
    organization: Schema = {
        "type": ["string", "integer", "null"],
        "pattern": _whole(ORGANIZATION.pattern),
        "minimum": 0,
    }
    said = {name: _said(text, forms[name]) for name, text in google.items()}
    said["organization"] = _said("The number of its organization, where you may set its policies.", organization)
    return _mapping(said, required=list(google))


_BOTH_OR_NEITHER: Schema = {"dependentRequired": {"domain": ["hosted_zone_id"], "hosted_zone_id": ["domain"]}}


def _server() -> dict[str, Schema]:
    said = {
        "domain": "Its name in the DNS, with a certificate of Let's Encrypt; without it, one that it signs itself.",
        "hosted_zone_id": "Of Route 53, where the name lies.",
        "instance_type": f"The machine that it runs on; {INSTANCE_TYPE} without it.",
    }
    forms = {name: {"type": "string", "pattern": _whole(FORMS_OF_THE_SERVER[name].pattern)} for name in said}
    return {name: _said(text, forms[name]) for name, text in said.items()}


def _mapping(properties: dict[str, Schema], required: list[str] | None = None) -> Schema:
    """One whose other keys are refused, as the reader refuses them."""
    needed = {"required": required} if required else {}
    return {"type": "object", "properties": properties, "additionalProperties": False, **needed}


def _said(text: str, schema: Schema) -> Schema:
    return {"description": text} | schema


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items} | more


def _one_of(values: list[Any]) -> Schema:
    """Or nothing."""
    return {"enum": [*map(str, values), None]}


def _or_null(schema: Schema) -> Schema:
    """A key without a value is as none."""
    return {"anyOf": [schema, {"type": "null"}]}


def _label() -> Schema:
    return {"pattern": _whole(LABEL.pattern)}


def _in_any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" for letter in word)


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"
