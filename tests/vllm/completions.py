"""In vLLM's environment: the greedy continuations of token ids by a checkpoint, for a test in another.

python -m tests.vllm.completions '{"checkpoint": "folder", "dtype": "float32", "prompts": [[1, 5]], "num_tokens": 8}' …

A line of JSON for each: tokens and log-probabilities of (prompts, num_tokens), or why vLLM refuses the checkpoint.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any


def main() -> None:
    """One engine after the other in this process: importing vLLM takes longer than all of them."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    for text in sys.argv[1:]:
        try:
            answer = _completed(**json.loads(text))
        except ValueError as error:
            answer = {"refused": str(error)}
        print(json.dumps(answer), flush=True)
        gc.collect()
        cleanup_dist_env_and_memory()


def _completed(
    *, checkpoint: str, dtype: str, prompts: list[list[int]], num_tokens: int, adapter: str | None = None
) -> dict[str, Any]:
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    adapted = {} if adapter is None else {"enable_lora": True, "max_lora_rank": 16}
    engine = LLM(checkpoint, dtype=dtype, max_model_len=128, enforce_eager=True, **adapted)
    sampling = SamplingParams(temperature=0, max_tokens=num_tokens, ignore_eos=True, logprobs=0)
    request = None if adapter is None else LoRARequest("adapter", 1, adapter)
    inputs: Any = [{"prompt_token_ids": prompt} for prompt in prompts]
    answers = [each.outputs[0] for each in engine.generate(inputs, sampling, use_tqdm=False, lora_request=request)]
    return {
        "tokens": [list(answer.token_ids) for answer in answers],
        "logprobs": [
            [step[token].logprob for step, token in zip(answer.logprobs, answer.token_ids, strict=True)]
            for answer in answers
        ],
    }


if __name__ == "__main__":
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    main()
