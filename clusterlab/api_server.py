"""What the course adds to SkyPilot's API server: no request changes the server's settings, and a student is himself.

SkyPilot's server lets a request bring a configuration and variables of the environment along, `admin_policy` and
`CLUSTERLAB_LEDGER` among them, and trusts the label `student`. The server's plugins.yaml names the plugin, and its
configuration the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sky
from sky.server import plugins
from sky.skylet import constants
from sky.usage import constants as usage

from clusterlab.errors import InputError, Problem
from clusterlab.policy import CoursePolicy, student_of

OF_THE_SERVER = (("admin_policy",), ("aws",), ("gcp",))
"""What of a client's configuration the server does not take, beside what SkyPilot's does not."""
SENT = {
    constants.USER_ID_ENV_VAR,
    constants.USER_ENV_VAR,
    constants.CLIENT_USER_HASH_ENV_VAR,
    usage.USAGE_RUN_ID_ENV_VAR,
    "SKYPILOT_DEBUG",
}
"""The variables that a request may bring: who asks, and how much it wants to be told."""

Override = Callable[..., AbstractContextManager[None]]


class CoursePlugin(plugins.BasePlugin):  # type: ignore[misc]  # SkyPilot is not typed
    """Installed by SkyPilot in each process of its server."""

    @property
    def rbac_rules(self) -> list[tuple[str, plugins.RBACRule]]:
        """A student makes no tokens: a token's name is the student whom it is taken for."""
        return [("user", plugins.RBACRule(path="/users/service-account-tokens", method="POST"))]

    def install(self, extension_context: plugins.ExtensionContext) -> None:
        """Have this process take from a request what a client may say, and nothing else."""
        del extension_context  # The same in each.
        from sky.server.requests import executor

        skipped = constants.SKIPPED_CLIENT_OVERRIDE_KEYS
        skipped.extend(key for key in OF_THE_SERVER if key not in skipped)
        if not hasattr(executor.override_request_env_and_config, "bare"):
            executor.override_request_env_and_config = _only_sent(executor.override_request_env_and_config)


class ServedPolicy(CoursePolicy):
    """The course's policy, where SkyPilot knows for sure who asks."""

    @classmethod
    def validate_and_mutate(cls, user_request: sky.UserRequest) -> sky.MutatedUserRequest:
        """Refuse also what bears another student's name; an instructor, who has a password, may say any.

        Raises:
            UserRequestRejectedByPolicy: the text names every thing that the course does not allow.
        """
        problems = [] if user_request.at_client_side else list(_others_names(user_request))
        if problems:
            raise sky.exceptions.UserRequestRejectedByPolicy(f"the course refuses it\n{InputError(problems)}")
        return super().validate_and_mutate(user_request)


def launch_of(task: Any) -> sky.UserRequest:
    """A launch of a task, as the server shows it to the policy."""
    options = sky.admin_policy.RequestOptions(
        cluster_name=None, idle_minutes_to_autostop=None, down=False, dryrun=False
    )
    return sky.UserRequest(task, {}, sky.AdminPolicyRequestName.CLUSTER_LAUNCH, options, False)


def _only_sent(bare: Override) -> Override:
    """What puts a request's variables and configuration over the server's, made to take only those that may be sent."""

    @contextmanager
    def override(request_body: Any, *args: Any, **kwargs: Any) -> Iterator[None]:
        request_body.env_vars = {name: value for name, value in request_body.env_vars.items() if name in SENT}
        with bare(request_body, *args, **kwargs):
            yield

    override.bare = bare  # type: ignore[attr-defined]
    return override


def _others_names(request: sky.UserRequest) -> Iterator[Problem]:
    user = request.user
    if user is None or not user.is_service_account():
        return
    name = student_of(user)
    for student in {(resources.labels or {}).get("student", name) for resources in request.task.resources} - {name}:
        message = f"{student!r}; allowed: {name}, whose token this is, or no such label"
        yield Problem(path=request.task.name or "task", key="resources.labels.student", message=message)
