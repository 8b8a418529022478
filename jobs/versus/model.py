"""One model twice: quantized to 4 bits, as vLLM computes it, and the same numbers unpacked, for transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clusterlab.config import Source
from clusterlab.errors import ClusterlabError, InputError, Problem
from jobs.compress.methods import METHODS, UNQUANTIZED
from jobs.compress.row import Outcome, Row
from jobs.compress.setting import Setting, refuse
from jobs.compress.sweep import Share, sweep
from jobs.launch.folder import run_folder
from jobs.versus.unpack import unpacked

METHOD = "gptq_sym_4"
"""GPTQ without zeros: the one of the sweep's 4-bit checkpoints that vLLM computes on GPUs and on CPUs."""
ENVIRONMENTS = (METHODS[METHOD].environment, "vllm")
"""Beside that of the jobs."""
VLLM_DTYPE = "float16"
"""What vLLM computes such a checkpoint in; float32 it refuses."""
NUM_EVALUATION, NUM_COMPARED, DECODE_TOKENS = 16, 8, 8
"""What the sweep measures of a row is said in passing; `labs/quantize.yaml` measures it thoroughly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What is quantized, and how."""

    model: Source
    text: Source
    group_size: int
    row_length: int
    num_rows: int
    threads: int
    seconds: float
    """After which it has failed."""
    seed: int

    def setting(self) -> Setting:
        """That of a sweep."""
        return Setting(
            model=self.model,
            text=self.text,
            row_length=self.row_length,
            num_calibration=self.num_rows,
            num_evaluation=NUM_EVALUATION,
            num_compared=NUM_COMPARED,
            group_size=self.group_size,
            decode_tokens=DECODE_TOKENS,
            seed=self.seed,
            threads=self.threads,
        )


def transformers_dtype() -> str:
    """What transformers computes in: as vLLM on a GPU; float32 on a CPU, where torch is slow in float16."""
    import torch

    return VLLM_DTYPE if torch.cuda.is_available() else "float32"


def _keep_log(row: Row, log: str, folder: Path) -> None:
    (folder / f"{row.method}.log").write_text(log)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """The two checkpoints; both have the same weights, but for the rounding of a product to 16 bits."""

    quantized: str
    """The folder for vLLM."""
    unpacked: str
    """The folder for transformers."""
    dtype: str = VLLM_DTYPE
    """What vLLM computes in."""
    unpacked_dtype: str = field(default_factory=transformers_dtype)
    """What transformers computes in."""
    metrics: Mapping[str, float]

    def longest(self, wanted: int) -> int:
        """So many tokens of a prompt with its answer, if the model has places for them.

        Raises:
            InputError: it has not.
        """
        from transformers import AutoConfig

        places = int(AutoConfig.from_pretrained(self.unpacked, local_files_only=True).max_position_embeddings)
        if wanted > places:
            message = f"a prompt with its answer takes {wanted} tokens; allowed with this model: {places}"
            raise InputError(Problem(path="LENGTHS, UNIFORM, NUM_WORDS", message=message))
        return wanted


def quantized(calibration: Calibration) -> Pair:
    """Quantize and unpack, where that was not done before.

    Raises:
        InputError: the model's layers do not fit GROUP_SIZE.
        ClusterlabError: it failed; the log of the method is in the run's folder.
    """
    from jobs.llm.process import quiet, report_pretraining

    quiet()
    setting, methods = calibration.setting(), [METHODS[UNQUANTIZED], METHODS[METHOD]]
    setting.base(report_pretraining)
    refuse(methods, setting.shapes(), setting.group_size)
    folder = run_folder()
    share = Share.of_cluster(threads=calibration.threads, gpus=1, seconds=calibration.seconds)
    plain, packed = sweep(methods, setting, share, on_row=lambda row, log: _keep_log(row, log, folder))
    for row in (plain, packed):
        if row.outcome is not Outcome.MEASURED:
            raise ClusterlabError(f"{row.family}: {row.reason}")
    return Pair(
        quantized=packed.folder,
        unpacked=str(unpacked(Path(packed.folder), packed.fingerprint)),
        metrics={
            "bits_per_parameter": packed.metrics["bits_per_parameter"],
            "weights_mib_quantized": packed.metrics["memory_mib"],
            "weights_mib_unquantized": plain.metrics["memory_mib"],
            "perplexity_quantized": packed.metrics["perplexity"],
            "perplexity_unquantized": plain.metrics["perplexity"],
        },
    )
