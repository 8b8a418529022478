"""Pulumi's mocks that make each resource in the emulated account."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks

from clusterlab.errors import Problem
from infra.emulated import (
    budgets,
    cloudwatch,
    data,
    ecr,
    efs,
    eks,
    functions,
    iam,
    instances,
    kms,
    messages,
    network,
    s3,
    secrets,
    security_groups,
)
from infra.emulated.account import ERRORS, Account, RefusedError
from infra.emulated.resource import Asked, Made, Maker
from infra.emulated.state import State

SERVICES = (
    *(budgets, cloudwatch, ecr, efs, eks, functions, iam, instances, kms, messages, network, s3, secrets),
    security_groups,
)
MAKERS: Mapping[str, Maker] = {token: maker for service in SERVICES for token, maker in service.MAKERS.items()}
"""Who makes the resources of each type."""
ELSEWHERE = ("gcp", "kubernetes")
"""Packages of which nothing is emulated here: their arguments are checked by their own classes only."""


class EmulatedMocks(Mocks):
    """Makes what the program registers; an unknown type, argument or function is a problem that names the resource.

    Nothing is raised, since Pulumi would tell each resource that waits for the one that was refused, and at length.
    Nothing is made after a problem, either: the rest would stand on what is not there.
    """

    def __init__(self, account: Account, state: State | None = None) -> None:
        self.account = account
        self.state = state or State()
        self.made: list[tuple[str, str, str]] = []
        """Type, name and id of each resource, as it was made."""
        self.problems: list[Problem] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Make one resource: its id and all that the program can read of it."""
        inputs = {key: value for key, value in args.inputs.items() if value is not None}
        package = args.typ.partition(":")[0]
        if not args.custom or package == "pulumi":
            # What a provider's resources are told of it is its id.
            return inputs.get("region", args.name), inputs
        # Pulumi compares what comes back with what went in, so that the makers work on a copy.
        asked = Asked(type=args.typ, name=args.name, inputs=copy.deepcopy(inputs))
        if package in ELSEWHERE:
            self.account.not_emulated.append(str(asked))
            return args.name, {"name": args.name, "email": f"{args.name}@not-emulated"} | inputs
        made = self._make(asked, _region_of(args.provider))
        return made.id, inputs | {"tagsAll": inputs.get("tags", {})} | made.outputs

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Answer one function of the provider."""
        asked = {key: value for key, value in args.args.items() if value is not None}
        answer = data.ANSWERS.get(args.token)
        if answer is None:
            self._refuse(args.token, "", f"nothing here answers it; answered are {', '.join(data.ANSWERS)}")
        elif not self.problems:
            try:
                where = asked.pop("region", None) or _region_of(args.provider)
                return answer(self.account.at(where), asked), []
            except (RefusedError, *ERRORS) as error:
                self._refuse(args.token, "", str(error))
        return {}, []

    def _make(self, asked: Asked, region: str | None) -> Made:
        maker = MAKERS.get(asked.type)
        if maker is None:
            self._refuse(asked.type, asked.name, "nothing in infra/emulated/ makes this type")
        elif not self.problems:
            key = " ".join(filter(None, (str(asked), region)))
            try:
                made = self.state.keep(key, lambda: maker(self.account.at(asked.take("region", region)), asked))
            except KeyError as error:
                self._refuse(asked.type, asked.name, f"lacks {error}")
            except (RefusedError, *ERRORS) as error:
                self._refuse(asked.type, asked.name, str(error))
            else:
                self.made.append((asked.type, asked.name, made.id))
                return made
        return Made(id=asked.name)

    def _refuse(self, type_: str, name: str, message: str) -> None:
        self.problems.append(Problem(path=type_, key=name, message=message))


def _region_of(provider: str | None) -> str | None:
    """That of the provider which the program gave to a resource, in place of the default one."""
    return provider.rpartition("::")[2] if provider else None
