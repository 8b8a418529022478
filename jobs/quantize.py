"""Quantization sweep: one model by many methods and bit widths, each measured alike.

python -m jobs.submit quantize
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clusterlab.config import Scale, Source, by_scale, source_problems
from jobs.compress.corpus import MADE as MADE_TEXTS
from jobs.compress.methods import Method, chosen
from jobs.launch.folder import report, run_folder
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import LLAMA_2_7B, WIKITEXT

if TYPE_CHECKING:
    from jobs.compress.row import Row
    from jobs.compress.setting import Setting
    from jobs.compress.sweep import Share


PAIRS = (("gptq", "rtn"), ("gptq_sym", "rtn"), ("awq", "rtn"), ("awq", "gptq"))
"""Methods whose quality is compared at each of `COMPARED_BITS`, the one that should be nearer first."""
COMPARED_BITS = (4, 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One sweep; at `full` the groups, rows and text are those of the paper on AWQ (arXiv:2306.00978, table 4)."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny="tiny-llama-256", small="smollm2-135m-instruct", single=LLAMA_2_7B, full=LLAMA_2_7B)
    """The base: a hub id with revision, a folder, `tiny-llama-256` (pretrained by the job), `smollm2-135m-instruct`."""
    text: Source = by_scale(tiny="made", small="shipped", single=WIKITEXT, full=WIKITEXT)
    """What calibrates and measures: a hub id with revision, a folder with `*.txt` or `*.parquet`, `made`, `shipped`."""
    methods: str = by_scale(tiny="all", small="all", single="gpu", full="gpu")
    """`all`, those that compute on a `gpu`, or names with commas between, such as `rtn_4,gptq_4,awq_4`."""
    group_size: int = by_scale(tiny=64, small=64, single=128, full=128)
    """Weights that share a scale and a zero, in the methods that leave it open."""
    row_length: int = by_scale(tiny=32, small=128, single=2048, full=2048)
    """Tokens in a row of text."""
    num_calibration: int = by_scale(tiny=128, small=20, single=128, full=128)
    """Rows that methods may look at."""
    num_evaluation: int = by_scale(tiny=256, small=20, single=40, full=160)
    """Rows on which perplexity is measured."""
    num_compared: int = by_scale(tiny=256, small=20, single=8, full=8)
    """Rows, of those, on which the divergence to the unquantized model is measured; its log-probabilities are files."""
    decode_tokens: int = by_scale(tiny=32, small=32, single=128, full=128)
    """Tokens that are decoded to take the time."""
    gpu_share: float = by_scale(tiny=1.0, small=1.0, single=0.5, full=0.5)
    """What of a GPU one method gets, where there are GPUs: at 0.5 two methods share one."""
    threads: int = by_scale(tiny=1, small=1, single=4, full=4)
    """CPU threads of one method."""
    method_minutes: float = by_scale(tiny=10.0, small=60.0, single=120.0, full=240.0)
    """After which a method has failed."""
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = [f"SEED={self.seed}: must not be below 0"] if self.seed < 0 else []
        counts = ("group_size", "row_length", "num_calibration", "num_evaluation", "num_compared", "decode_tokens")
        wrong += [
            f"{name.upper()}={getattr(self, name)}: must be above {least}"
            for name in (*counts, "threads", "method_minutes")
            if getattr(self, name) <= (least := 1 if name == "row_length" else 0)
        ]
        if self.num_compared > self.num_evaluation:
            wrong.append(f"NUM_COMPARED={self.num_compared}: allowed: at most NUM_EVALUATION={self.num_evaluation}")
        if not 0 < self.gpu_share <= 1:
            wrong.append(f"GPU_SHARE={self.gpu_share}: must be above 0, and 1 at most")
        wrong += source_problems(self, {"model": MADE_BASES, "text": MADE_TEXTS})
        try:
            chosen(self.methods)
        except ValueError as error:
            wrong.append(str(error))
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Measure every method, and return the metrics that go into the run record.

    Each metric ends in the name of its method: perplexity, divergence in nats a token, bits a weight, memory and disk
    in MiB, tokens a second. A method that failed has none, and `failed_methods` counts it.
    """
    from jobs.compress.frontier import draw_frontier
    from jobs.compress.row import Outcome
    from jobs.compress.sweep import sweep
    from jobs.compress.table import markdown, write_rows

    methods, setting = chosen(config.methods), _setting(config)
    _check(methods, setting)
    folder, done = run_folder(), 0
    logs = folder / "methods"
    logs.mkdir(exist_ok=True)

    def on_row(row: Row, log: str) -> None:
        nonlocal done
        done += 1
        (logs / f"{row.method}.log").write_text(log)
        report(row.method, done, len(methods), **row.metrics)

    rows = sweep(methods, setting, _share(config), on_row=on_row)
    write_rows(rows, folder / "rows.json")
    (folder / "table.md").write_text(markdown(rows))
    measured = [row for row in rows if row.outcome is Outcome.MEASURED]
    if rows[0] in measured:
        draw_frontier(measured, f"Quantization, {config.model.partition('@')[0]}", folder / "frontier.png")
    return _metrics(rows)


def _check(methods: list[Method], setting: Setting) -> None:
    """Refuse what cannot succeed, before anything is quantized."""
    from jobs.compress.setting import refuse
    from jobs.llm.process import quiet, report_pretraining

    quiet()
    setting.base(report_pretraining)
    refuse(methods, setting.shapes(), setting.group_size)
    setting.prepared()


def _setting(config: Config) -> Setting:
    import dataclasses

    from jobs.compress.setting import Setting

    return Setting(**{field.name: getattr(config, field.name) for field in dataclasses.fields(Setting)})


def _share(config: Config) -> Share:
    from jobs.compress.sweep import Share

    return Share.of_cluster(threads=config.threads, gpus=config.gpu_share, seconds=60 * config.method_minutes)


def _metrics(rows: list[Row]) -> dict[str, float]:
    """All rows' metrics by name and method, and how methods compare: of their divergences ratios, and gaps' growth."""
    from jobs.compress.row import Outcome

    found = {f"{metric}_{row.method}": value for row in rows for metric, value in row.metrics.items()}
    for better, worse in PAIRS:
        gaps = []
        for bits in COMPARED_BITS:
            ours, theirs = (found.get(f"kl_divergence_{stem}_{bits}") for stem in (better, worse))
            if ours is not None and theirs is not None:
                found[f"kl_ratio_{better}_to_{worse}_{bits}"] = ours / theirs
                gaps.append(theirs - ours)
        if len(gaps) == len(COMPARED_BITS) and gaps[0] != 0:
            found[f"kl_gap_growth_{better}_to_{worse}"] = gaps[1] / gaps[0]
    return found | {
        "failed_methods": sum(row.outcome is Outcome.FAILED for row in rows),
        "kept_rows": sum(row.kept for row in rows),
    }
