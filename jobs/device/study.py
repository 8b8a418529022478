"""Which cases are read, and what their readings say together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.device.case import LLAMACPP, PYTORCH, Case, name_of
from jobs.llamacpp.file_types import source_type

DTYPES = ("float32", "bfloat16")
"""Of PyTorch; the first is the one whose threads are counted up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """Every form with some threads, two forms with other numbers of threads, and one form copied instead of mapped."""

    types: tuple[str, ...]
    """Of GGUF files."""
    studied: str
    """The type that is read with every number of threads, and copied."""
    num_threads: int
    threads: tuple[int, ...]
    new_tokens: int
    watts_per_core: float
    """What a busy core takes where no counter says it."""

    @property
    def forms(self) -> tuple[str, ...]:
        """Of llama.cpp and of PyTorch."""
        return (*self.types, *DTYPES)

    @property
    def counted_up(self) -> tuple[str, str]:
        """The forms that are read with every number of threads."""
        return self.studied, DTYPES[0]

    def cases(self, checkpoint: Path, models: Path, prompt: list[int]) -> list[Case]:
        """Each once; GGUF files are in `models`."""

        def case(form: str, num_threads: int, *, mapped: bool = True) -> Case:
            in_torch = form in DTYPES
            return Case(
                engine=PYTORCH if in_torch else LLAMACPP,
                model=str(checkpoint if in_torch else models / f"{form}.gguf"),
                form=form,
                num_threads=num_threads,
                mapped=mapped,
                prompt=prompt,
                new_tokens=self.new_tokens,
            )

        cases = [case(form, self.num_threads) for form in self.forms]
        cases += [case(form, number) for form, number in itertools.product(self.counted_up, self.threads)]
        cases.append(case(self.studied, self.num_threads, mapped=False))
        return list({each.name: each for each in cases}.values())

    def metrics(self, readings: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
        """Of readings by the names of their cases."""
        metrics = {"energy_counted": float(all(each["joules_per_token"] is not None for each in readings.values()))}
        for form in self.forms:
            metrics |= self._metrics(readings[name_of(form, self.num_threads)], form.lower())
        copied = readings[name_of(self.studied, self.num_threads, mapped=False)]
        metrics |= self._metrics(copied, f"{self.studied.lower()}_copied")
        for form, number in itertools.product(self.counted_up, self.threads):
            reading, name = readings[name_of(form, number)], f"{form.lower()}_at_{number}"
            metrics[f"tokens_per_second_{name}"] = reading["tokens_per_second"]
            metrics[f"joules_per_token_{name}"] = self._joules(reading)
        for form in self.types:
            rates = (metrics[f"tokens_per_second_{name.lower()}"] for name in (form, DTYPES[0]))
            metrics[f"gain_{form.lower()}"] = next(rates) / next(rates)
        exact = (source_type(self.types), DTYPES[0])
        ours, theirs = (readings[name_of(form, self.num_threads)]["tokens"] for form in exact)
        return metrics | {"agreement": agreement(ours, theirs)}

    def _metrics(self, reading: Mapping[str, Any], name: str) -> dict[str, float]:
        values = {key: reading[key] for key in ("tokens_per_second", "load_seconds", "private_mib", "mapped_mib")}
        values["joules_per_token"] = self._joules(reading)
        return {f"{key}_{name}": float(value) for key, value in values.items()}

    def _joules(self, reading: Mapping[str, Any]) -> float:
        """A token's, as the processor counted or as its busy seconds let one estimate."""
        counted: float | None = reading["joules_per_token"]
        return float(reading["cpu_seconds_per_token"]) * self.watts_per_core if counted is None else counted


def agreement(ours: list[int], theirs: list[int]) -> float:
    """The share of tokens that come before the first that differs."""
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=True))
    return sum(1 for _ in same) / len(ours)
