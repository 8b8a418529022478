from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from clusterlab.class_schema import FILE, FIRST_LINE, class_schema, schema_text
from clusterlab.cluster import FOLDER, Cluster
from clusterlab.errors import InputError
from tests.clusterlab.conftest import CLASS, ROOT, spoil
from tests.clusterlab.test_calendar import FAULTS as FAULTS_OF_THE_CALENDAR
from tests.clusterlab.test_cluster import CLASSES, PROVISIONED
from tests.clusterlab.test_cluster_faults import FAULTS
from tests.clusterlab.test_network_plan import FAULTS as FAULTS_OF_THE_NETWORK

SCHEMA = class_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
UNKNOWN = re.compile(r"zzz: unknown; allowed: (.*)")


class Loader(yaml.SafeLoader):
    """As an editor reads YAML, to which a day is a text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def accepts(text: str) -> bool:
    return VALIDATOR.is_valid(yaml.load(text, Loader=Loader))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / FOLDER / "llm-2026.yaml"
    path.parent.mkdir()
    path.write_text(CLASS)
    return path


def test_the_schema_is_one_and_its_file_is_fresh() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert (ROOT / FOLDER / FILE).read_text() == schema_text(), "`python -m clusterlab.reference` rewrites it"


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_each_class_names_the_schema_and_is_accepted_by_it(path: Path) -> None:
    assert path.read_text().startswith(FIRST_LINE)
    assert [error.message for error in VALIDATOR.iter_errors(yaml.load(path.read_text(), Loader=Loader))] == []


def fields(schema: Any, key: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each key that the schema has, dotted, with what it says of it."""
    if isinstance(schema, list):
        for each in schema:
            yield from fields(each, key)
    elif isinstance(schema, dict):
        for name, each in schema.get("properties", {}).items():
            here = f"{key}.{name}".strip(".")
            yield here, each
            yield from fields(each, here)
        yield from fields(schema.get("anyOf"), key)
        yield from fields(schema.get("additionalProperties"), f"{key}.qlora")


def test_every_field_is_documented() -> None:
    named = dict(fields(SCHEMA))
    assert len(named) > 35
    undocumented = [key for key, each in named.items() if not each.get("description")]
    assert [key for key in undocumented if key.rpartition(".")[2] not in ("start", "end")] == []


@pytest.mark.parametrize("key", ["", "labs.qlora", "budget_usd", "limits", "network", "gcp", "server"])
def test_the_keys_of_a_mapping_are_those_that_the_reader_allows(file: Path, key: str) -> None:
    values = yaml.safe_load(CLASS)
    inner = values
    for part in key.split(".") if key else ():
        inner = inner.setdefault(part, {})
    inner["zzz"] = 1
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(InputError) as error:
        Cluster.load(file)
    [allowed] = UNKNOWN.findall(str(error.value))
    prefix = f"{key}." if key else ""
    known = {name.removeprefix(prefix) for name, _ in fields(SCHEMA) if name.startswith(prefix)}
    assert {name for name in known if "." not in name} == set(allowed.split(", "))
    assert not accepts(file.read_text())


BEYOND_FORM = {"course", "region", "machine", "elsewhere", "server's machine", "due"}
"""What the schema cannot know: the file's name, the catalog, and dates beside dates."""


@pytest.mark.parametrize(("name", "old", "new"), [(name, *given[:2]) for name, given in FAULTS.items()])
def test_it_refuses_what_the_reader_refuses_of_a_form(file: Path, name: str, old: str, new: str) -> None:
    spoil(file, old, new)
    assert accepts(file.read_text()) is (name in BEYOND_FORM)


CALENDAR_BEYOND = {"backwards", "no day", "years", "same holiday", "in a stretch", "overlap", "back in time"}
NETWORK_BEYOND = {"host bits", "too wide", "public", "too small", "open", "half of it"}
ZONES_BEYOND = {"time zone", "folder", "path"}
OTHERS = {
    **{
        name: (f"{key}: {text}", name in CALENDAR_BEYOND | ZONES_BEYOND)
        for name, (key, text, _) in FAULTS_OF_THE_CALENDAR.items()
    },
    **{
        f"network {name}": (f"network: {text}", name in NETWORK_BEYOND)
        for name, (text, _) in FAULTS_OF_THE_NETWORK.items()
    },
    "project": ("gcp: {project: My Project, billing_account: 000000-000000-000000, students: a@example.org}", False),
    "no account": ("gcp: {project: llm-2026, students: a@example.org}", False),
    "address": ("instructors: [ana]", False),
    "eleven": (f"instructors: [{', '.join(f'a{n}@example.org' for n in range(11))}]", False),
    "team": ("teams: {Red: [ana]}", False),
    "empty team": ("teams: {red: []}", False),
    "file system": ("file_system: nfs", False),
    "organization": (
        "gcp: {project: llm-2026, billing_account: 000000-000000-000000, students: a@b.org, organization: x}",
        False,
    ),
}


@pytest.mark.parametrize(("line", "accepted"), OTHERS.values(), ids=OTHERS.keys())
def test_it_refuses_faults_of_the_other_keys(line: str, accepted: bool) -> None:
    assert accepts(f"{CLASS}{line}\n") is accepted


ALLOWED = (
    "roster: [ana, 42]\n",
    "roster: students.csv\nteams: {red: [ana]}\ninstructors: ana@example.org\n",
    "labs: {qlora: , zero: {runs: 2, scale: full}}\nteams:\nkeep: [vol-0abc, lab=shared]\n",
    "hours: Tue 10:00-12:00\nholidays: [2026-10-12, {start: 2026-12-07, end: 2026-12-08}]\nwarm_minutes: 0\n",
    "limits: {gpus: 0.5}\nbudget_usd: {team: 1.5}\nkeep: {vol-0abc: the data set}\nnetwork: {ssh_from: 192.0.2.0/24}\n",
)


@pytest.mark.parametrize("text", ALLOWED)
def test_it_accepts_what_the_reader_accepts(file: Path, text: str) -> None:
    file.write_text(CLASS + text)
    assert Cluster.load(file)
    assert accepts(file.read_text())
    assert accepts(PROVISIONED)
