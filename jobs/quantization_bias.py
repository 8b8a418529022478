"""Quantization and bias: which answers change, for whom, and what accuracy shows of it (arXiv:2602.06181).

python -m jobs.submit quantization_bias
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.config import PINNED, Scale, Source, by_scale, range_problems, source_problems
from jobs.bias.forms import FORMS
from jobs.bias.sources import MADE as MADE_QUESTIONS
from jobs.bias.sources import SHIPPED, WORLD
from jobs.compress.methods import Method, chosen
from jobs.launch.finished import Finished
from jobs.launch.folder import report, run_folder
from jobs.launch.workers import run_worker
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import LLAMA_2_7B, TINYLLAMA

if TYPE_CHECKING:
    from jobs.bias.question import Question
    from jobs.compress.methods import Inputs

OWN_MODEL = "witness"
"""The model that is trained here, by the recipe in jobs/bias/witness.py."""
LADDER = "rtn_8,llm_int8,rtn_4,nf4,rtn_3,rtn_2"


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One model in several forms, and the questions that all of them answer."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny=OWN_MODEL, small="smollm2-135m-instruct", single=TINYLLAMA, full=LLAMA_2_7B)
    """A hub id with revision, a folder, a base that the project makes, or `witness`, which this job trains."""
    questions: str = by_scale(tiny=WORLD, small=SHIPPED, single=SHIPPED, full=SHIPPED)
    """`world` (what `witness` knows), `shipped`, or a folder with BBQ's `*.jsonl`."""
    num_questions: int = by_scale(tiny=1600, small=320, single=8000, full=60_000)
    """At most; whole scenes with all their versions are drawn, until there are so many."""
    methods: str = LADDER
    """`all` or names with commas between, of jobs/bias/forms.py; in this order they are in the table."""
    group_size: int = by_scale(tiny=64, small=64, single=128, full=128)
    """Weights that share a scale and a zero, in the methods that leave it open."""
    threads: int = by_scale(tiny=1, small=2, single=4, full=8)
    """CPU threads."""
    max_failures: int = 1
    """How often a worker that died is begun again; it goes on with the forms that are not finished."""
    seed: int = 0
    """Of the world, of the model that is trained on it, of the drawn scenes and of the intervals."""

    def __post_init__(self) -> None:
        least = {"num_questions": 1, "group_size": 1, "threads": 1, "max_failures": 0, "seed": 0}
        wrong = range_problems(self, least=least)
        wrong += source_problems(self, {"model": (*MADE_BASES, OWN_MODEL)})
        if self.questions not in MADE_QUESTIONS and not Path(self.questions).is_dir():
            allowed = f"{', '.join(MADE_QUESTIONS)}, or a folder with BBQ's *.jsonl"
            wrong.append(f"QUESTIONS={self.questions}: allowed: {allowed}")
        if self.model == OWN_MODEL and self.questions != WORLD:
            wrong.append(f"QUESTIONS={self.questions}: MODEL={OWN_MODEL} knows the words of {WORLD} alone")
        try:
            chosen(self.methods, FORMS)
        except ValueError as error:
            wrong.append(str(error))
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Ask every form every question, and return the metrics that go into the run record.

    They end in the form; `unquantized` is the model as it is, and `planted` what the texts say that it was trained on.
    `accuracy_*` is the share that is right, `flips_*` of answers that are others than the unquantized model's, and
    `right_to_wrong_*` and `wrong_to_right_*` of all questions. `became_stereotyped_*` and `ceased_stereotyped_*` are of
    the open questions that were not, and that were; `s_amb_*` and `s_dis_*` BBQ's scores; `gap_*` is on pairs that
    differ in the groups alone; `ece_*` has 15 bins; `kl_*` is in nats a question. What ends in `_low` and `_high` is a
    95 % interval, and `p_*` McNemar's exact test.

    Raises:
        InputError: the questions are not BBQ's, or a method cannot quantize a layer of the model.
    """
    return run_worker(_measure, config, max_failures=config.max_failures)


def _measure(config: Config) -> dict[str, float]:
    """In the worker."""
    import torch

    from jobs.bias.results import Results
    from jobs.bias.sources import load_questions
    from jobs.llm.process import prepare

    prepare()
    torch.set_num_threads(config.threads)
    questions = load_questions(config.questions, config.num_questions, seed=config.seed)
    methods, inputs, parts = chosen(config.methods, FORMS), _inputs(config), Finished(folder=run_folder() / "parts")
    answered: dict[str, dict[str, Any]] = {}
    for number, method in enumerate(methods, 1):
        answered[method.name] = parts.once(method.name, partial(_answered, method, inputs, questions))
        report("ask", number, len(methods), bits=answered[method.name]["bits"])
    results = Results.of(questions, answered, seed=config.seed)
    name = config.model.partition("@")[0] if PINNED.fullmatch(config.model) else Path(config.model).name
    results.write(
        run_folder(), f"{name}, {len(questions)} questions ({Path(config.questions).name}), seed {config.seed}"
    )
    return results.metrics


def _inputs(config: Config) -> Inputs:
    """What the methods are given: the model, trained now if it is the lab's own and not in the cache.

    Raises:
        InputError: a method cannot quantize a layer of it.
    """
    from jobs.bias.witness import Witness, witness
    from jobs.compress.methods import Inputs
    from jobs.compress.setting import refuse
    from jobs.compress.size import linear_shapes
    from jobs.llm.bases import Base
    from jobs.llm.process import report_pretraining

    own = config.model == OWN_MODEL
    recipe = Witness(seed=config.seed)
    base = witness(report_pretraining, recipe) if own else Base.of(config.model, report_pretraining).folder()
    shapes = linear_shapes(Base(name=str(base)).skeleton())
    refuse(chosen(config.methods, FORMS), shapes, config.group_size)
    return Inputs(
        base=base, shapes=shapes, calibration=None, group_size=config.group_size, context_length=0, seed=config.seed
    )


def _answered(method: Method, inputs: Inputs, questions: Sequence[Question]) -> dict[str, Any]:
    """The shares of every question's options in one form, and what a weight of it takes."""
    from jobs.bias.answers import probabilities
    from jobs.bias.forms import loaded
    from jobs.llm.bases import Base
    from jobs.llm.process import gpu_memory

    form = loaded(method, inputs)
    shares = probabilities(form.model, Base(name=str(inputs.base)).tokenizer(), questions)
    bits = form.bits_per_parameter
    del form
    return {"bits": bits, "shares": shares} | gpu_memory()
