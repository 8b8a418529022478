"""Every method as a Ray task, and in it as a process of the method's environment; what was measured before is kept."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.errors import ClusterlabError
from jobs.compress.measure import CHECKPOINT, REFERENCE
from jobs.compress.methods import UNQUANTIZED, Method
from jobs.compress.row import Outcome, Row
from jobs.compress.setting import Setting
from jobs.launch import exchange
from jobs.llm.cache import cached


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What of a cluster each method gets."""

    cpus: int
    gpus: float
    """A fraction lets as many methods onto one GPU at once; 0 where the cluster has none."""
    seconds: float
    """After which a method has failed."""

    @classmethod
    def of_cluster(cls, *, threads: int, gpus: float, seconds: float) -> Share:
        """So many threads, where a node has as many, and so much of a GPU, where there is one."""
        import ray

        ray.init(ignore_reinit_error=True)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        return cls(
            cpus=min(threads, int(max(node.get("CPU", 1) for node in nodes))),
            gpus=gpus if any(node.get("GPU", 0) >= 1 for node in nodes) else 0,
            seconds=seconds,
        )

    def options(self, method: Method) -> dict[str, float]:
        """What Ray is told of a method's task; one that does not compute on a GPU leaves it to the others."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus if method.on_gpu else 0, "max_retries": 0}


def sweep(
    methods: Sequence[Method], setting: Setting, share: Share, *, on_row: Callable[[Row, str], None] = lambda *_: None
) -> list[Row]:
    """Measure all methods, as many at once as the cluster has room for; the unquantized model is the first of them.

    `on_row` gets each row as it comes, with what its process printed. A method that fails is a row too.

    Returns the rows in the order of `methods`.
    """
    import ray

    ray.init(ignore_reinit_error=True)
    task = ray.remote(_measured)
    rows: dict[str, Row] = {}
    # The others are compared with the unquantized model, so it comes first and alone.
    for batch in (methods[:1], methods[1:]):
        pending = [task.options(**share.options(method)).remote(method, setting, share.seconds) for method in batch]
        while pending:
            done, pending = ray.wait(pending)
            row, log = ray.get(done[0])
            rows[row.method] = row
            on_row(row, log)
    return [rows[method.name] for method in methods]


def _measured(method: Method, setting: Setting, seconds: float) -> tuple[Row, str]:
    """In a Ray task: the row of a method, and what its process printed."""
    fingerprint = setting.fingerprint(method)
    values: dict[str, Any] = {"method": method.name, "family": method.family, "bits": method.bits}
    with tempfile.NamedTemporaryFile(prefix=f"{method.name}-", suffix=".log") as log:
        kept = True

        def make(folder: Path) -> None:
            nonlocal kept
            kept = False
            _run(method, setting, folder, Path(log.name), seconds)

        try:
            folder = cached(f"row-{method.name}", fingerprint, make)
        except ClusterlabError as error:
            row = Row(**values, outcome=Outcome.FAILED, fingerprint=fingerprint, reason=str(error))
        else:
            row = Row(
                **values,
                outcome=Outcome.MEASURED,
                fingerprint=fingerprint,
                kept=kept,
                metrics=exchange.read_answer(folder),
                folder=str(folder / CHECKPOINT),
            )
        return row, Path(log.name).read_text(errors="replace")


def _run(method: Method, setting: Setting, folder: Path, log: Path, seconds: float) -> None:
    """Start the method's process, and wait for it.

    Raises:
        MissingError: its environment is not on this machine.
        ProcessFailedError: it crashed, raised, or took too long.
    """
    asked = {
        "method": dataclasses.asdict(method),
        "base": str(setting.base()),
        "prepared": str(setting.prepared()),
        "reference": None if method.name == UNQUANTIZED else str(_reference(setting, log, seconds)),
        **{name: getattr(setting, name) for name in ("group_size", "num_compared", "decode_tokens", "seed")},
    }
    exchange.ask(
        "jobs.compress.measure",
        asked,
        folder,
        environment=method.environment,
        log=log,
        num_threads=setting.threads,
        seconds=seconds,
    )


def _reference(setting: Setting, log: Path, seconds: float) -> Path:
    """The log-probabilities of the unquantized model, measured on this node now if they are not here."""
    from jobs.compress.methods import METHODS

    method = METHODS[UNQUANTIZED]
    folder = cached(
        f"row-{UNQUANTIZED}", setting.fingerprint(method), lambda folder: _run(method, setting, folder, log, seconds)
    )
    return folder / REFERENCE
