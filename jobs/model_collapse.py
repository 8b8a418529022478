"""Model collapse: learn from what models made, generation after generation, with and without real data kept.

python -m jobs.submit model_collapse
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from clusterlab.config import Scale, Source, by_scale, range_problems, source_problems
from clusterlab.errors import InputError, Problem
from jobs.collapse.lineage import GRAM, Lineage, Upbringing
from jobs.collapse.regime import Regime, expected_spread
from jobs.compress.corpus import MADE as MADE_TEXTS
from jobs.launch.finished import Finished
from jobs.launch.folder import report, run_folder
from jobs.launch.workers import run_worker
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import OPT_125M, WIKITEXT


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A Gaussian, a language of words and a language model, each learning from its own data."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny="tiny-llama", small="smollm2-135m-instruct", single=OPT_125M, full=OPT_125M)
    """Where each generation begins: a hub id with revision, a folder, `tiny-llama` or `smollm2-135m-instruct`."""
    text: Source = by_scale(tiny="made", small="shipped", single=WIKITEXT, full=WIKITEXT)
    """`made` (what `tiny-llama` knows, from the seed), `shipped`, a folder of texts, or a hub id with revision."""
    regimes: str = by_scale(
        tiny="replace,keep,accumulate",
        small="replace,accumulate",
        single="replace,keep,accumulate",
        full="replace,keep,accumulate",
    )
    """What generations after the first learn from, separated by commas."""
    keep: float = 0.1
    """Share of real data in the regime `keep`, drawn anew for each generation."""
    generations: int = by_scale(tiny=5, small=2, single=5, full=9)
    """Of language models, after the first, which learns from real text."""
    row_length: int = by_scale(tiny=32, small=32, single=64, full=64)
    """Tokens in a row; a model is given one and writes the next."""
    num_train: int = by_scale(tiny=256, small=64, single=4000, full=36_000)
    """Real rows to train on, and rows that each generation writes."""
    num_evaluation: int = by_scale(tiny=128, small=32, single=1000, full=4000)
    """Other real rows, to measure on."""
    epochs: int = by_scale(tiny=5, small=2, single=5, full=5)
    """Passes over as many rows as `num_train`; where data accumulate, over a part of them."""
    batch_size: int = by_scale(tiny=16, small=8, single=32, full=128)
    """Rows a step."""
    learning_rate: float = by_scale(tiny=1e-3, small=5e-5, single=2e-5, full=2e-5)
    """The highest; it rises for a tenth of the steps and falls from then on."""
    beams: int = by_scale(tiny=1, small=1, single=5, full=5)
    """How text is written: by a search with so many beams, or with 1 token by token, drawn as the model says."""
    toy_generations: int = 100
    """Of Gaussians and of languages of words, after the first."""
    num_samples: int = 100
    """Data that each Gaussian is fitted to."""
    num_repeats: int = 2000
    """Lines of Gaussians."""
    num_words: int = 2000
    """Words of the language, by Zipf's law."""
    num_tokens: int = 10_000
    """Words in a text of it; twenty lines of these are followed."""
    max_failures: int = 3
    """How often the job is begun again, from the last finished generation, before the run fails."""
    seed: int = 0

    def __post_init__(self) -> None:
        least = dict.fromkeys(("generations", "num_train", "num_evaluation", "epochs", "batch_size", "beams"), 1)
        least |= dict.fromkeys(("toy_generations", "num_tokens"), 1) | {"row_length": GRAM}
        least |= dict.fromkeys(("num_samples", "num_repeats", "num_words"), 2)
        least |= dict.fromkeys(("max_failures", "seed", "keep"), 0)
        wrong = range_problems(self, least=least, most={"keep": 1}, above_zero=("learning_rate",))
        given = self.regimes.split(",")
        if not set(given) <= set(Regime) or len(set(given)) < len(given):
            wrong.append(f"REGIMES={self.regimes}: allowed: {', '.join(Regime)}, each once, separated by commas")
        wrong += source_problems(self, {"model": MADE_BASES, "text": MADE_TEXTS})
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def chosen(self) -> tuple[Regime, ...]:
        """The regimes, as they are given."""
        return tuple(map(Regime, self.regimes.split(",")))


WORD_REPEATS = 20
"""Lines of languages of words: each text has so many that few are enough."""


def main(config: Config) -> dict[str, float]:
    """Follow all lines, draw them, and return the metrics that go into the run record.

    Of the last generation in each regime: `<regime>_perplexity` is that on real text, `<regime>_growth` how many times
    it is the first generation's, `<regime>_generated` the median perplexity of what it wrote to the first generation,
    `<regime>_distinct` how many of its runs of four tokens differ, in units of the real text.
    """
    return run_worker(_collapse, config, max_failures=config.max_failures)


def _collapse(config: Config) -> dict[str, float]:
    """In the worker: every part that no attempt has finished yet."""
    from jobs.collapse.picture import draw
    from jobs.collapse.table import markdown
    from jobs.llm.process import prepare

    prepare()
    lineage = _lineage(config)
    folder = run_folder()
    parts = Finished(folder=folder / "parts")
    toys = {
        "gaussian": parts.once("gaussian", partial(_gaussian, config)),
        "words": parts.once("words", partial(_words, config)),
    }
    models = _models(config, lineage, parts)
    table = markdown(toys, models)
    (folder / "collapse.md").write_text(table)
    print(table, flush=True)
    title = f"{Path(config.model.partition('@')[0]).name}, {config.num_train} rows of {config.row_length} tokens"
    draw(toys, models, title, folder / "collapse.png")
    # A run that is done never goes on from them.
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return _toy_metrics(toys) | _model_metrics(models)


def _gaussian(config: Config) -> dict[str, Any]:
    from jobs.collapse.gaussian import fitted_variances, summary, unbiased

    size, found = config.num_samples, {}
    for step, regime in enumerate(Regime, 1):
        variances = fitted_variances(
            regime,
            generations=config.toy_generations,
            size=size,
            keep=config.keep,
            repeats=config.num_repeats,
            seed=config.seed,
        )
        found[str(regime)] = summary(variances, regime, size, config.keep)
        if regime is Regime.REPLACE:
            found["unbiased"] = unbiased(variances, size)
        report("gaussian", step, len(Regime), variance=found[regime]["mean"][-1])
    return found


def _words(config: Config) -> dict[str, Any]:
    from jobs.collapse.words import drift, expected_known, zipf

    real, found = zipf(config.num_words), {}
    for step, regime in enumerate(Regime, 1):
        found[str(regime)] = drift(
            real,
            regime,
            generations=config.toy_generations,
            size=config.num_tokens,
            keep=config.keep,
            repeats=WORD_REPEATS,
            seed=config.seed,
        )
        report("words", step, len(Regime), known=found[regime]["known"][-1])
        for number in range(config.toy_generations + 1):
            expected = expected_known(real, regime, number, config.num_tokens, config.keep)
            expected["diversity"] = expected_spread(regime, number, config.num_tokens, config.keep)
            for name, value in expected.items():
                found[regime].setdefault(f"expected_{name}", []).append(value)
    return found


def _models(config: Config, lineage: Lineage, parts: Finished) -> dict[str, Any]:
    """What was measured of each language model: a list by regime, the first generation in all, and of the real text."""
    steps = 1 + config.generations * len(config.chosen)

    def born(regime: Regime, number: int, step: int) -> dict[str, Any]:
        found = lineage.generation(regime, number)
        written = {"generated": median(found["generated"]), "distinct": found["distinct"]}
        report("generation", step, steps, perplexity=found["perplexity"], **written)
        return found

    first = parts.once("first", partial(born, config.chosen[0], 0, 1))
    models: dict[str, Any] = {"real": parts.once("real", lineage.real)}
    for place, regime in enumerate(config.chosen):
        models[str(regime)] = [first]
        for number in range(1, config.generations + 1):
            step = 1 + place * config.generations + number
            models[regime].append(parts.once(f"{regime}-{number}", partial(born, regime, number, step)))
    return models


def _lineage(config: Config) -> Lineage:
    """Load text and model.

    Raises:
        InputError: the model takes no two rows, or the text has too few.
    """
    from jobs.compress.corpus import Corpus
    from jobs.llm.bases import Base
    from jobs.llm.process import report_pretraining

    longest = Base.skeleton_of(config.model).config.max_position_embeddings
    if 2 * config.row_length > longest:
        message = f"{config.model} takes {longest} tokens; allowed: at most {longest // 2}, to write a row after a row"
        raise InputError(Problem(path=f"ROW_LENGTH={config.row_length}", message=message))
    base = Base.of(config.model, report_pretraining)
    corpus = Corpus.of(
        config.text,
        base.tokenizer(),
        row_length=config.row_length,
        num_calibration=config.num_train,
        num_evaluation=config.num_evaluation,
        seed=config.seed,
        calibration_env="NUM_TRAIN",
    )
    names = ("epochs", "batch_size", "learning_rate", "beams", "keep", "seed")
    upbringing = Upbringing(**{name: getattr(config, name) for name in names})
    return Lineage(base=base, corpus=corpus, upbringing=upbringing, folder=run_folder() / "checkpoints")


def _toy_metrics(toys: Mapping[str, Any]) -> dict[str, float]:
    gaussian, words = toys["gaussian"], toys["words"]
    metrics = {f"gaussian_{regime}_variance": gaussian[regime]["mean"][-1] for regime in Regime}
    metrics["gaussian_gap"] = max(max(gaussian[regime]["gap"]) for regime in Regime)
    metrics["gaussian_unbiased_typical"] = gaussian["unbiased"]["typical"][-1]
    metrics["gaussian_unbiased_error"] = _relative(
        gaussian["unbiased"]["typical"], gaussian["unbiased"]["expected_typical"]
    )
    for regime in Regime:
        metrics |= {f"words_{regime}_{name}": words[regime][name][-1] for name in ("known", "lost_mass", "diversity")}
    for name in ("known", "diversity"):
        metrics[f"words_{name}_error"] = max(
            _relative(words[one][name], words[one][f"expected_{name}"]) for one in Regime
        )
    return metrics


def _relative(found: list[float], expected: list[float]) -> float:
    """The largest gap of all generations, relative to what is expected."""
    return max(abs(one / other - 1) for one, other in zip(found, expected, strict=True))


def _model_metrics(models: Mapping[str, Any]) -> dict[str, float]:
    real = models["real"]
    metrics = {"base_perplexity": real["perplexity"]}
    for regime in Regime:
        if regime not in models:
            continue
        first, *_, last = models[regime]
        metrics |= {
            "first_perplexity": first["perplexity"],
            "first_generated": median(first["generated"]),
            f"{regime}_perplexity": last["perplexity"],
            f"{regime}_growth": last["perplexity"] / first["perplexity"],
            f"{regime}_generated": median(last["generated"]),
            f"{regime}_distinct": last["distinct"] / real["distinct"],
        }
    return metrics
