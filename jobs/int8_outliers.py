"""Outliers in int8: LLM.int8() keeps their columns wide, SmoothQuant migrates them (arXiv:2208.07339 and 2211.10438).

python -m jobs.submit int8_outliers
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.config import Scale, Source, by_scale, source_problems
from clusterlab.errors import InputError, Problem
from jobs.compress.corpus import MADE as MADE_TEXTS
from jobs.compress.int8 import THRESHOLD
from jobs.compress.outlier_rows import Form, Row
from jobs.launch.folder import report, run_folder
from jobs.launch.workers import run_worker
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import LLAMA_2_7B, WIKITEXT

if TYPE_CHECKING:
    from jobs.compress.outlier_sweep import Sweep

STEP = 4
"""Each magnitude is so many times the one before it: a power of two, so that planting changes no bit of a result."""
MIGRATIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The strengths at which the migration is tried, at the largest magnitude."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One model, with outliers of growing magnitude, in four forms of W8A8."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny="tiny-llama", small="smollm2-135m-instruct", single=LLAMA_2_7B, full=LLAMA_2_7B)
    """A hub id with revision, a folder, `tiny-llama` (pretrained by the job) or `smollm2-135m-instruct`."""
    text: Source = by_scale(tiny="made", small="shipped", single=WIKITEXT, full=WIKITEXT)
    """`made` (what `tiny-llama` knows, from the seed), `shipped`, a folder of texts, or a hub id with revision."""
    row_length: int = by_scale(tiny=128, small=256, single=2048, full=2048)
    """Tokens in a row."""
    num_calibration: int = by_scale(tiny=16, small=8, single=16, full=64)
    """Rows to look for outliers in."""
    num_evaluation: int = by_scale(tiny=32, small=8, single=40, full=160)
    """Other rows, to measure on."""
    threshold: float = THRESHOLD
    """From which magnitude on an activation is an outlier."""
    num_outliers: int = by_scale(tiny=2, small=6, single=6, full=6)
    """Channels to plant; the models of the paper have 6 or 7."""
    max_magnitude: int = by_scale(tiny=256, small=64, single=16, full=16)
    """The largest factor to plant; from 1, the model as it is, in steps of 4."""
    migration: float = by_scale(tiny=0.5, small=0.5, single=0.85, full=0.85)
    """SmoothQuant's strength alpha: 0.5 in the paper, 0.85 as its authors take it for LLaMA-2."""
    max_failures: int = 3
    """How often the job is begun again before the run fails."""
    seed: int = 0

    def __post_init__(self) -> None:
        counts = ("row_length", "num_calibration", "num_evaluation", "threshold", "num_outliers")
        wrong = [f"{n.upper()}={getattr(self, n)}: must be above 0" for n in counts if getattr(self, n) <= 0]
        wrong += [
            f"{name.upper()}={getattr(self, name)}: must not be below 0"
            for name in ("max_failures", "seed")
            if getattr(self, name) < 0
        ]
        if self.max_magnitude != self.magnitudes[-1]:
            wrong.append(f"MAX_MAGNITUDE={self.max_magnitude}: must be a power of {STEP}, 1 or more")
        if not 0 <= self.migration <= 1:
            wrong.append(f"MIGRATION={self.migration}: must be from 0 to 1")
        wrong += source_problems(self, {"model": MADE_BASES, "text": MADE_TEXTS})
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def magnitudes(self) -> tuple[int, ...]:
        """1, 4, 16 and on, up to the largest."""
        found = [1]
        while found[-1] * STEP <= self.max_magnitude:
            found.append(found[-1] * STEP)
        return tuple(found)


def main(config: Config) -> dict[str, float]:
    """Measure every form at every magnitude, and return the metrics that go into the run record.

    KL is in nats a token. A metric bears the name of its form, and `natural_` where nothing is planted.
    """
    return run_worker(_measure, config, max_failures=config.max_failures)


def _measure(config: Config) -> dict[str, float]:
    """In the worker."""
    from jobs.compress.outlier_picture import draw_outliers
    from jobs.compress.outlier_rows import write_table
    from jobs.llm.process import prepare

    prepare()
    sweep = _sweep(config)
    plans = [(magnitude, config.migration) for magnitude in config.magnitudes]
    plans += [(config.max_magnitude, migration) for migration in MIGRATIONS if migration != config.migration]
    rows: list[Row] = []
    for step, (magnitude, migration) in enumerate(plans, 1):
        found = sweep.smoothed(magnitude, migration)
        if migration == config.migration:
            found = [*sweep.forms(magnitude), *found]
        rows += found
        report("measure", step, len(plans), magnitude=magnitude, **{f"{row.form}_kl": row.kl for row in found})
    maxima, metrics = sweep.describe(config.max_magnitude, config.migration)
    folder = run_folder()
    write_table(rows, metrics["perplexity"], folder / "outliers.md")
    title = f"{Path(config.model.partition('@')[0]).name}, {config.num_outliers} outlier channels planted"
    shown = [row for row in rows if row.migration in (None, config.migration)]
    draw_outliers(shown, maxima, config.threshold, title, folder / "outliers.png")
    return metrics | _summary(config, rows)


def _sweep(config: Config) -> Sweep:
    """Load text and model.

    Raises:
        InputError: outliers cannot be planted into the model, or not so many.
    """
    from jobs.compress.corpus import Corpus
    from jobs.compress.layers import norm_groups
    from jobs.compress.outlier_sweep import Sweep
    from jobs.llm.bases import Base
    from jobs.llm.process import report_pretraining

    base = Base.of(config.model, report_pretraining)
    skeleton = base.skeleton()
    norm_groups(skeleton)
    if config.num_outliers >= skeleton.config.hidden_size:
        message = f"must be below the {skeleton.config.hidden_size} channels of {config.model}"
        raise InputError(Problem(path=f"NUM_OUTLIERS={config.num_outliers}", message=message))
    counts = {name: getattr(config, name) for name in ("row_length", "num_calibration", "num_evaluation", "seed")}
    corpus = Corpus.of(config.text, base.tokenizer(), **counts)
    return Sweep.of(base, corpus, threshold=config.threshold, num_outliers=config.num_outliers)


def _summary(config: Config, rows: Sequence[Row]) -> dict[str, float]:
    """What the largest magnitude does to each form, what nothing planted does, and at which strength it is best."""
    largest = {
        row.form: row
        for row in rows
        if row.magnitude == config.max_magnitude and row.migration in (None, config.migration)
    }
    natural = {row.form: row for row in rows if row.magnitude == 1}
    metrics = {
        f"{prefix}{form}_{name}": getattr(row, name)
        for prefix, by_form in (("", largest), ("natural_", natural))
        for form, row in by_form.items()
        for name in ("kl", "matmul_error", "perplexity")
    }
    metrics |= {
        "columns_kept": largest[Form.LLM_INT8].columns_kept,
        "natural_columns_kept": natural[Form.LLM_INT8].columns_kept,
    }
    for form in (Form.BITSANDBYTES, Form.LLM_INT8, Form.SMOOTHQUANT):
        metrics[f"{form}_gain"] = largest[Form.VECTORWISE].kl / largest[form].kl
    strengths = {
        row.migration: row.kl for row in rows if row.form is Form.SMOOTHQUANT and row.magnitude == config.max_magnitude
    }
    return metrics | {"best_migration": min(strengths, key=strengths.__getitem__)}
