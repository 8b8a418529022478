"""The same prompts to both engines without a server: lengths that differ, and lengths that are equal."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.launch.folder import report, run_folder
from jobs.load.prompts import made_prompts
from jobs.versus.asked import Answer, Asked, ask
from jobs.versus.batching import continuous_schedule, static_schedule
from jobs.versus.model import Pair
from jobs.versus.offline_transformers import MODES

MIXED, UNIFORM = "mixed", "uniform"
VLLM = "vllm"


@dataclass(frozen=True, kw_only=True, slots=True)
class Offline:
    """What both are asked."""

    pair: Pair
    num_prompts: int
    num_words: int
    """Of a prompt."""
    lengths: tuple[int, ...]
    """Tokens of an answer, one drawn for each prompt."""
    uniform: int
    """Tokens of an answer where all are equally long."""
    num_slots: int
    num_rounds: int
    threads: int
    compiled: bool
    limit_seconds: float
    seed: int

    def workloads(self) -> tuple[list[str], dict[str, list[int]]]:
        """Prompts, and the lengths of their answers in each workload."""
        made = made_prompts(self.num_prompts, num_words=self.num_words, new_tokens=self.lengths, seed=self.seed)
        mixed = [prompt.new_tokens for prompt in made]
        return [str(prompt.text) for prompt in made], {MIXED: mixed, UNIFORM: [self.uniform] * len(mixed)}


def compare_offline(offline: Offline) -> dict[str, Any]:
    """Ask one engine and then the other, each in a process of its environment.

    Returns the metrics of `offline_metrics`, and the lengths that were drawn.

    Raises:
        InputError: the model has no places for so many tokens.
        ProcessFailedError: an engine failed or took too long.
    """
    from transformers import AutoTokenizer

    texts, workloads = offline.workloads()
    tokenizer = AutoTokenizer.from_pretrained(offline.pair.unpacked, local_files_only=True)
    prompts = [list(tokenizer(text)["input_ids"]) for text in texts]
    common: dict[str, Any] = {
        "prompts": prompts,
        "workloads": workloads,
        "num_slots": offline.num_slots,
        "num_rounds": offline.num_rounds,
        "compiled": offline.compiled,
        "seed": offline.seed,
    }
    process: dict[str, Any] = {"num_threads": offline.threads, "seconds": offline.limit_seconds}
    asked = Asked(checkpoint=offline.pair.quantized, dtype=offline.pair.dtype, **common)
    offline.pair.longest(asked.max_model_len)
    folder = run_folder().absolute()
    vllm = ask("jobs.versus.offline_vllm", asked, folder / "offline-vllm", environment="vllm", **process)
    report("offline", 1, 2)
    asked = Asked(checkpoint=offline.pair.unpacked, dtype=offline.pair.unpacked_dtype, said=vllm.tokens, **common)
    module = "jobs.versus.offline_transformers"
    plain = ask(module, asked, folder / "offline-transformers", environment="train", **process)
    report("offline", 2, 2)
    metrics = offline_metrics(workloads, offline.num_slots, vllm, plain)
    return {"metrics": metrics, "lengths": workloads[MIXED], "num_slots": offline.num_slots}


def offline_metrics(
    workloads: Mapping[str, Sequence[int]], num_slots: int, vllm: Answer, plain: Answer
) -> dict[str, float]:
    """Useful tokens a second by workload and engine, vLLM's gains, steps and shares by arithmetic, and agreement."""
    seconds = {f"{name}_{VLLM}": vllm.seconds[name] for name in workloads}
    seconds |= {f"{name}_{mode}": plain.seconds[f"{name} {mode}"] for name in workloads for mode in MODES}
    rates = {
        f"{name}_{engine}": sum(lengths) / statistics.median(seconds[f"{name}_{engine}"])
        for name, lengths in workloads.items()
        for engine in (VLLM, *MODES)
    }
    metrics = {f"offline_{name}": rate for name, rate in rates.items()}
    for name in workloads:
        metrics |= {f"gain_{name}_{mode}": rates[f"{name}_{VLLM}"] / rates[f"{name}_{mode}"] for mode in MODES}
    schedules = {
        "static": static_schedule(workloads[MIXED], num_slots),
        "continuous": continuous_schedule(workloads[MIXED], num_slots),
    }
    for name, schedule in schedules.items():
        metrics |= {f"steps_{name}": schedule.num_steps, f"useful_{name}": schedule.useful}
    metrics["gain_steps"] = schedules["static"].num_steps / schedules["continuous"].num_steps
    return metrics | ({} if plain.agreement is None else {"agreement": plain.agreement})
