"""What all methods of a sweep are measured on: a model, a text, and how much of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.config import PINNED, Source
from clusterlab.errors import InputError, Problem
from clusterlab.fingerprint import digest_file, digest_files, fingerprint
from jobs.compress.corpus import Corpus
from jobs.compress.methods import Method
from jobs.compress.size import Shapes, linear_shapes
from jobs.launch.environments import ROOT, lock_of
from jobs.llm.bases import Base
from jobs.llm.cache import cached

CODE = ("compress", "llamacpp", "llm")
"""The packages of `jobs/` that decide what a row says."""
_SHAPES = "shapes.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """The same for all methods."""

    model: Source
    text: Source
    row_length: int
    num_calibration: int
    num_evaluation: int
    num_compared: int
    """Rows on which the divergence is measured: the first of those that perplexity is."""
    group_size: int
    decode_tokens: int
    seed: int
    threads: int

    def recipe(self, method: Method) -> dict[str, Any]:
        """All that decides a method's row: method, settings, code, versions, and what it runs on."""
        from jobs.launch.provenance import provenance

        here = provenance({})
        return {
            "method": method,
            "setting": self,
            "sources": {name: _content(getattr(self, name)) for name in ("model", "text")},
            "code": _code(),
            "lock": digest_file(lock_of(method.environment)),
            "devices": [*here["devices"], here["cpu"]],
        }

    def fingerprint(self, method: Method) -> str:
        """64 hexadecimal letters; a row of the same need not be measured again."""
        return fingerprint(self.recipe(method))

    def base(self, report: Callable[[int, int, float], None] = lambda *_: None) -> Path:
        """The folder of the unquantized model; `report` follows a pretraining."""
        return Base.of(self.model, report).folder()

    def shapes(self) -> dict[str, tuple[int, int]]:
        """The layers that methods quantize, read from the model's configuration alone."""
        return linear_shapes(Base(name=str(self.base())).skeleton())

    def prepared(self) -> Path:
        """The folder with the rows of the text and the layers' shapes, for processes of any environment.

        Raises:
            InputError: the text has too few rows.
        """
        recipe = {"setting": self, "sources": [_content(self.model), _content(self.text)], "code": _code()}

        def make(folder: Path) -> None:
            values = {
                field.name: getattr(self, field.name)
                for field in dataclasses.fields(self)
                if field.name in ("row_length", "num_calibration", "num_evaluation", "seed")
            }
            Corpus.of(self.text, Base(name=str(self.base())).tokenizer(), **values).save(folder)
            (folder / _SHAPES).write_text(json.dumps(self.shapes()))

        return cached("corpus", recipe, make)


def refuse(methods: Iterable[Method], shapes: Shapes, group_size: int) -> None:
    """Look at the shapes of every layer before anything is quantized.

    Raises:
        InputError: a method cannot quantize a layer; names method and layer, the first layer of each method.
    """
    problems = []
    for method in methods:
        found = method.problems(shapes, group_size)
        if found:
            problems.append(Problem(path=f"GROUP_SIZE={group_size}", key=method.name, message=found[0]))
    if problems:
        raise InputError(problems)


def load_shapes(folder: Path) -> dict[str, tuple[int, int]]:
    """The shapes in a folder that was prepared."""
    return {name: (rows, columns) for name, (rows, columns) in json.loads((folder / _SHAPES).read_text()).items()}


def _content(source: Source) -> str:
    """A source that is a folder by its files, any other by its name."""
    folder = Path(source)
    if PINNED.fullmatch(source) or not folder.is_dir():
        return source
    return digest_files(folder, (path for path in folder.rglob("*") if path.is_file()))


def _code() -> str:
    jobs = ROOT / "jobs"
    paths = [path for name in CODE for path in (jobs / name).rglob("*") if path.suffix in (".py", ".txt")]
    return digest_files(jobs, paths)
