"""In vLLM's environment: answers to all prompts at once, by continuous batching.

python -m jobs.versus.offline_vllm FOLDER      with FOLDER/asked.json, as jobs.versus.asked writes it
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from jobs.serving.settings import ServerSettings
from jobs.serving.vllm import Vllm
from jobs.versus.asked import Answer, Asked, answer, check_lengths

IN_THIS_PROCESS = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
"""Nobody else asks this engine; its scheduler and worker need no processes that wait for each other at every step."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every workload.

    Returns 0, or the code of `clusterlab.errors`.
    """

    def work(asked: Asked) -> Answer:
        os.environ.update(Vllm().environ(_settings(asked)) | IN_THIS_PROCESS)
        return measure(asked, _engine(asked))

    return answer(work, arguments)


def measure(asked: Asked, engine: Any) -> Answer:
    """Each workload as often as is asked for, in turn; the engine is one of vLLM's `LLM`.

    Each is answered once before, as a whole: the first time takes longer than those after it.
    """
    for lengths in asked.workloads.values():
        _complete(engine, asked, lengths)
    seconds: dict[str, list[float]] = {name: [] for name in asked.workloads}
    said: dict[str, list[list[int]]] = {}
    for _ in range(asked.num_rounds):
        for name, lengths in asked.workloads.items():
            began = time.perf_counter()
            said[name] = _complete(engine, asked, lengths)
            seconds[name].append(time.perf_counter() - began)
            check_lengths(lengths, said[name])
    return Answer(seconds=seconds, tokens=next(iter(said.values())))


def _settings(asked: Asked) -> ServerSettings:
    return ServerSettings(
        model=asked.checkpoint, served_name="model", max_model_len=asked.max_model_len, max_slots=asked.num_slots
    )


def _engine(asked: Asked) -> Any:
    from vllm import LLM

    return LLM(
        asked.checkpoint,
        dtype=asked.dtype,
        max_model_len=asked.max_model_len,
        max_num_seqs=asked.num_slots,
        enforce_eager=not asked.compiled,
        # The second round has the first one's prompts: what it found of them would not be batching's merit.
        enable_prefix_caching=False,
        seed=asked.seed,
    )


def _complete(engine: Any, asked: Asked, lengths: Sequence[int]) -> list[list[int]]:
    from vllm import SamplingParams

    prompts = [{"prompt_token_ids": prompt} for prompt in asked.prompts]
    # Token ids alone are compared; transformers makes no text of them either.
    asked_for = {"temperature": 0, "ignore_eos": True, "detokenize": False}
    sampling = [SamplingParams(max_tokens=length, **asked_for) for length in lengths]
    answers = engine.generate(prompts, sampling, use_tqdm=False)
    return [list(answer.outputs[0].token_ids) for answer in answers]


if __name__ == "__main__":
    sys.exit(main())
