"""What a job asks: a server that somebody else started, or one of its own for as long as it asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from clusterlab.config import Scale, Source
from clusterlab.errors import InputError
from jobs.launch.folder import run_folder
from jobs.load.target import split_url
from jobs.serving.endpoint import Endpoint, given
from jobs.serving.engine import engine_of
from jobs.serving.settings import ServerSettings


class Asking(Protocol):
    """The Config of a job that asks a model."""

    @property
    def scale(self) -> Scale:
        """By which an engine compiles the model, or does not."""

    @property
    def endpoint(self) -> str | None:
        """A running server; without one the job starts its own."""

    @property
    def served_model(self) -> str | None:
        """The name that the running server has the model by."""

    @property
    def engine(self) -> str:
        """What serves, where there is no endpoint."""

    @property
    def max_model_len(self) -> int:
        """Tokens of a prompt and its answer together."""

    @property
    def ready_seconds(self) -> int:
        """How long a server may take until it can be asked."""

    @property
    def seed(self) -> int:
        """Of the server."""


def endpoint_problems(config: Asking) -> list[str]:
    """What is wrong with what is asked, each with what is allowed."""
    wrong = []
    try:
        engine_of(config.engine)
        if config.endpoint is not None:
            split_url(config.endpoint)
    except InputError as error:
        wrong.append(str(error))
    except ValueError as error:
        wrong.append(f"ENDPOINT={config.endpoint}: {error}")
    if (config.endpoint is None) != (config.served_model is None):
        wrong.append("ENDPOINT, SERVED_MODEL: allowed: both or none")
    return wrong


def base_folder(model: Source) -> Path:
    """The folder of a model for a server of the job's own: one that is given, or a base, found or made."""
    from jobs.llm.bases import Base
    from jobs.llm.process import quiet, report_pretraining

    quiet()
    return Base.of(model, report_pretraining).folder()


@contextmanager
def access(config: Asking, folder: Callable[[], Path], *, served_name: str, max_slots: int) -> Iterator[Endpoint]:
    """The endpoint that was given, or a server of the model in `folder()` for as long as the block lasts.

    Raises:
        InputError: the key could not be sent in a header.
        MissingError, UnreachableError, ClusterlabError: a server of its own, as `jobs.serving.server.serving` does.
    """
    if config.endpoint is not None:
        yield given(config.endpoint, str(config.served_model), os.environ)
        return
    from jobs.llm.bases import compute_dtype
    from jobs.serving.server import serving

    settings = ServerSettings(
        model=str(folder()),
        served_name=served_name,
        dtype=str(compute_dtype()).removeprefix("torch."),
        max_model_len=config.max_model_len,
        max_slots=max_slots,
        compiled=config.scale in (Scale.SINGLE, Scale.FULL),
        seed=config.seed,
    )
    engine, log = engine_of(config.engine), run_folder() / f"{config.engine}.log"
    with serving(engine, settings, log=log, limit_seconds=config.ready_seconds) as endpoint:
        yield endpoint
