from __future__ import annotations

import json
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from clusterlab.check import check
from clusterlab.class_schema import FILE, class_schema
from clusterlab.cluster import Cluster
from clusterlab.template.class_file import class_text
from tests.clusterlab.conftest import CLASS, ROOT
from tests.clusterlab.test_cli import invoke

TODAY = date(2026, 11, 29)
PATH = Path("clusters/llm-2027.yaml")


@pytest.fixture
def house(house: Path) -> Path:
    """With the course's policy, as this repository has it."""
    shutil.copy(ROOT / ".sky.yaml", house)
    return house


@pytest.mark.usefixtures("house")
def test_what_is_made_is_said_and_each_next_line_is_right() -> None:
    code, out, err = invoke("new", "class", "llm-2027")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [f"made {PATH}", f"made clusters/{FILE}"]
    assert "are made up" in lines[2]
    assert lines[3] == "next:"
    for line in lines[4:]:
        assert invoke(*line.split()[1:])[0] == 0, line


@pytest.mark.usefixtures("house")
def test_preflight_stops_at_nothing_and_asks_for_real_addresses() -> None:
    assert invoke("new", "class", "llm-2027")[0] == 0
    document = json.loads(invoke("class", "preflight", str(PATH), "--offline", "--json")[1])
    verdicts = {each["name"]: each["verdict"] for each in document["checks"]}
    assert document["ready"] is True
    assert (verdicts["roster"], verdicts["dates"], verdicts["budget"]) == ("PASS", "PASS", "PASS")
    assert verdicts["instructors"] == "WARN"


def test_it_can_be_provisioned_and_has_students(house: Path) -> None:
    assert invoke("new", "class", "llm-2027")[0] == 0
    cluster = Cluster.load(PATH, to_provision=True)
    assert cluster.students() == ("ana", "ben", "carla")
    assert [each.lab for each in cluster.labs] == ["toy"]
    assert check([PATH], house) == []


@pytest.mark.usefixtures("house")
def test_it_takes_a_lab_of_its_own_course_before_others() -> None:
    text = Path("labs/toy.yaml").read_text()
    Path("labs/zoo.yaml").write_text(text.replace("llm-2026", "llm-2027"))
    assert invoke("new", "class", "llm-2027")[0] == 0
    assert [each.lab for each in Cluster.load(PATH).labs] == ["zoo"]


@pytest.mark.usefixtures("house")
def test_without_a_lab_it_has_none() -> None:
    for path in Path("labs").iterdir():
        path.unlink()
    assert invoke("new", "class", "llm-2027")[0] == 0
    assert Cluster.load(PATH).labs == ()


def uncommented(text: str) -> str:
    """With every key that stands in a comment; what the schema says of keys stays one."""
    return re.sub(r"^( *)# ( *[a-z_]+:( .*)?)$", r"\1\2", text, flags=re.MULTILINE)


def keys(values: dict[str, Any], prefix: str = "") -> set[str]:
    """Dotted."""
    found = set()
    for key, value in values.items():
        found |= {f"{prefix}{key}"} | (keys(value, f"{prefix}{key}.") if isinstance(value, dict) else set())
    return found


def schema_keys(schema: dict[str, Any], prefix: str = "") -> set[str]:
    """Of each mapping whose keys are known; what may be true or a mapping counts as one key."""
    found = set()
    for key, inner in schema["properties"].items():
        found.add(f"{prefix}{key}")
        either = [each for each in (inner, *inner.get("anyOf", ())) if "properties" in each]
        if either and key not in ("server", "holidays"):
            found |= schema_keys(either[0], f"{prefix}{key}.")
    return found


def test_it_has_every_key_of_the_schema_and_those_in_comments_can_be_taken_in(tmp_path: Path) -> None:
    text = uncommented(class_text("all", "toy", today=TODAY))
    found = yaml.safe_load(text)
    assert schema_keys(class_schema()) <= keys(found)
    assert {"labs.toy.runs", "labs.toy.scale", "labs.toy.due"} <= keys(found)
    jsonschema.validate(json.loads(json.dumps(found, default=str)), class_schema())
    path = tmp_path / "all.yaml"
    path.write_text(text)
    assert Cluster.load(path, to_provision=True).limits.window_days == 7


def test_each_key_stands_below_what_the_schema_says_of_it() -> None:
    lines = class_text("llm-2027", "toy", today=TODAY).splitlines()
    for key, schema in class_schema()["properties"].items():
        place = next(n for n, line in enumerate(lines) if line.removeprefix("# ").startswith(f"{key}:"))
        above = lines[:place][::-1]
        said = " ".join(line.removeprefix("# ") for line in reversed(above[: above.index("")]))
        assert said == schema["description"]
    assert "  # By each student, USD.\n  student: 25" in "\n".join(lines)
    assert max(map(len, lines)) <= 120


def test_it_begins_on_a_monday_to_come() -> None:
    dates = yaml.safe_load(class_text("x", None, today=TODAY))["dates"]
    assert (dates["start"], dates["start"].weekday(), dates["end"].weekday()) == (date(2026, 12, 7), 0, 4)


@pytest.mark.parametrize("name", ["LLM", "2027-llm", "a_b", "a" * 21, "../x", ""])
def test_a_name_that_is_none_is_one_clear_error(house: Path, name: str) -> None:
    code, out, err = invoke("new", "class", "--", name)
    assert (code, out) == (2, "")
    assert err == f"NAME: {name!r}; allowed: 1 to 20 of a-z, 0-9 and '-', the first a letter, the last no '-'\n"
    assert [path.name for path in (house / "clusters").iterdir()] == ["llm-2026.yaml"]


def test_a_class_that_is_there_stays_as_it_is(house: Path) -> None:
    code, _, err = invoke("new", "class", "llm-2026")
    assert (code, err.partition(":")[0]) == (2, "clusters/llm-2026.yaml")
    assert (house / "clusters" / "llm-2026.yaml").read_text() == CLASS
    assert not (house / "clusters" / FILE).exists()
