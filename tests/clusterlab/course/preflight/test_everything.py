from __future__ import annotations

import builtins
import dataclasses
import sys
from typing import Any

import pytest

from clusterlab.course.preflight.check import Verdict
from clusterlab.course.preflight.everything import here, skipped, there
from tests.clusterlab.course.preflight.conftest import Make, told


def test_offline_nothing_of_a_cloud_is_passed(make: Make) -> None:
    network = {"cidr": "10.60.0.0/16", "ssh_from": ["192.0.2.0/24"]}
    subject = make(server=True, mode="shared", network=network)
    names = ["class image", "quota", "capacity", "server"]
    assert told(skipped(subject)) == [(name, "WARN") for name in names]


def test_offline_what_a_class_has_not_is_not_missed(make: Make) -> None:
    assert told(skipped(make())) == [("quota", "WARN"), ("capacity", "WARN")]
    assert told(skipped(make(labs={"toy": {"scale": "tiny"}}))) == []


def test_all_that_needs_no_cloud_is_looked_at(make: Make) -> None:
    names = list(dict.fromkeys(check.name for check in here(make())))
    assert names == [
        "roster",
        "dates",
        "instructors",
        "class file",
        "budget",
        "ledger",
        "prices",
        "images",
        "policy",
    ]


def test_a_class_on_the_students_machines_asks_no_cloud(make: Make) -> None:
    found = told(there(make(labs={"toy": {"scale": "tiny"}}), dict, probe=False))
    assert found == [("quota", "PASS"), ("capacity", "PASS"), ("server", "PASS")]


def test_a_class_whose_labs_find_no_machine_at_all_is_no_such_class(make: Make) -> None:
    subject = make()
    lost = dataclasses.replace(subject.works[0], machines=(), missing=("H100:8: the catalog has no such machine",))
    found = there(dataclasses.replace(subject, works=(lost,)), dict, probe=False)
    assert ("capacity", "FAIL") in told(found)


def test_without_boto3_what_aws_would_say_is_not_asked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = builtins.__import__

    def without(name: str, *given: Any, **more: Any) -> Any:
        if name == "boto3":
            raise ModuleNotFoundError("No module named 'boto3'", name="boto3")
        return bare(name, *given, **more)

    for name in [
        name for name in sys.modules if name.startswith(("clusterlab.course.preflight.", "clusterlab.reaper."))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    package = sys.modules["clusterlab.course.preflight"]
    for name in ("quota", "capacity", "class_image"):
        monkeypatch.delattr(package, name, raising=False)
    found = list(there(make(), dict, probe=False))
    assert [(check.name, check.seen) for check in found if check.verdict.value == Verdict.WARN.value] == [
        (name, "not asked: boto3: not installed") for name in ("quota", "capacity")
    ]
