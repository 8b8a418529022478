from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.clusterlab.conftest import LAB
from tests.needs import needs_skypilot

pytestmark = needs_skypilot

Launch = Callable[[str, str | None], Any]


@pytest.fixture
def launch(sky: Any, monkeypatch: pytest.MonkeyPatch) -> Launch:
    """Have the server's policy see the toy lab, by whose token and with which label."""
    from clusterlab.api_server import ServedPolicy

    for name in ("STUDENT", "TEAM", "LEASE_HOURS", "BUCKET", "LEDGER"):
        monkeypatch.delenv(f"CLUSTERLAB_{name}", raising=False)

    def launch(user: str, student: str | None) -> Any:
        values = yaml.safe_load(LAB)
        values["resources"]["labels"] |= {"student": student} if student else {}
        task = sky.Task.from_yaml_config(values)
        who = sky.models.User(id=user, name="ana")
        request = sky.UserRequest(task, {}, sky.AdminPolicyRequestName.CLUSTER_LAUNCH, None, False, who)
        return ServedPolicy().apply(request).task

    return launch


@pytest.mark.parametrize(("user", "student"), [("sa-1", None), ("sa-1", "ana"), ("0a1b2c3d", "ben")])
def test_a_student_is_who_the_token_says_and_an_instructor_may_be_anybody(
    launch: Launch, user: str, student: str | None
) -> None:
    labels = next(iter(launch(user, student).resources)).labels
    assert labels["student"] == (student or "ana")


def test_a_token_launches_in_no_other_name(sky: Any, launch: Launch) -> None:
    with pytest.raises(sky.exceptions.UserRequestRejectedByPolicy, match=r"labels\.student: 'ben'; allowed: ana"):
        launch("sa-1", "ben")


@pytest.mark.parametrize("times", [1, 2])
def test_a_request_brings_none_of_the_server_s_settings_along(
    sky: Any, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    from sky.server.requests import executor
    from sky.skylet import constants

    from clusterlab.api_server import CoursePlugin

    @contextmanager
    def bare(body: Any, *arguments: Any) -> Iterator[None]:
        del arguments
        monkeypatch.setattr(os, "environ", os.environ | body.env_vars)
        yield

    monkeypatch.setattr(constants, "SKIPPED_CLIENT_OVERRIDE_KEYS", [("db",)])
    monkeypatch.setattr(executor, "override_request_env_and_config", bare)
    for _ in range(times):
        CoursePlugin().install(sky.server.plugins.ExtensionContext())
    assert constants.SKIPPED_CLIENT_OVERRIDE_KEYS == [("db",), ("admin_policy",), ("aws",), ("gcp",)]
    brought = {"CLUSTERLAB_LEDGER": "", "SKYPILOT_GLOBAL_CONFIG": "mine.yaml", "SKYPILOT_USER": "ana"}
    body = SimpleNamespace(env_vars=brought)
    with executor.override_request_env_and_config(body, "one", "launch"):
        assert os.environ["SKYPILOT_USER"] == "ana"
        assert "CLUSTERLAB_LEDGER" not in os.environ
        assert os.environ.get("SKYPILOT_GLOBAL_CONFIG") != "mine.yaml"


def test_a_student_makes_no_tokens(sky: Any) -> None:
    del sky
    from clusterlab.api_server import CoursePlugin

    [(role, rule)] = CoursePlugin().rbac_rules
    assert (role, rule.path, rule.method) == ("user", "/users/service-account-tokens", "POST")
