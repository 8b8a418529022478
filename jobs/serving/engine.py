"""What serves a model: a command in an environment, told its settings, its key and its port."""

from __future__ import annotations

from typing import Protocol

from clusterlab.errors import InputError, Problem
from jobs.serving.ray_serve import RayServe
from jobs.serving.settings import ServerSettings
from jobs.serving.tgi import Tgi
from jobs.serving.transformers import Transformers
from jobs.serving.vllm import Vllm


class Engine(Protocol):
    """One way to serve. Its server binds to the loopback, and a SIGTERM makes it finish its answers and end."""

    @property
    def name(self) -> str:
        """As in ENGINE."""

    @property
    def environment(self) -> str:
        """Whose Python runs the command: a folder of `.venv`, made from the lock of that name."""

    @property
    def key_variable(self) -> str:
        """The environment variable that the server reads its API key from."""

    @property
    def health(self) -> str:
        """The path that answers 200, without a key, once the server can be asked."""

    def command(self, settings: ServerSettings, port: int) -> list[str]:
        """The arguments after the Python interpreter."""

    def environ(self, settings: ServerSettings) -> dict[str, str]:
        """Variables of the server's process beside those of this one."""


ENGINES: dict[str, Engine] = {engine.name: engine for engine in (Vllm(), Transformers(), RayServe(), Tgi())}


def engine_of(name: str) -> Engine:
    """The engine of a name.

    Raises:
        InputError: there is none.
    """
    if name not in ENGINES:
        raise InputError(Problem(path="ENGINE", message=f"{name!r}; allowed: {', '.join(ENGINES)}"))
    return ENGINES[name]
