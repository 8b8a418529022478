"""The trained mixture in vLLM: its greedy answers beside what transformers makes of the same checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.launch.folder import run_folder
from jobs.llm.bases import Base, compute_dtype
from jobs.load.prompts import Prompt
from jobs.serving.agreement import agreement, greedy_answers
from jobs.serving.engine import engine_of
from jobs.serving.server import serving
from jobs.serving.settings import ServerSettings

SERVER = "vllm"


def compare(folder: Path, rows: Any, *, new_tokens: int, seed: int, ready_seconds: int) -> dict[str, float]:
    """Ask a server of the checkpoint in `folder` to go on from token ids `[prompts, length]`; it writes `answers.txt`.

    Returns `token_agreement` and `logprob_error` of `jobs.serving.agreement`.

    Raises:
        UnreachableError: the server was not ready within `ready_seconds`.
        ClusterlabError: it ended, or an answer came to nothing.
    """
    base = Base(name=str(folder))
    tokenizer = base.tokenizer()
    settings = ServerSettings(
        model=str(folder),
        served_name=folder.name,
        dtype=str(compute_dtype()).removeprefix("torch."),
        max_model_len=2 * rows.shape[1],
        max_slots=len(rows),
        compiled=False,
        seed=seed,
    )
    prompts = [Prompt(text=tokenizer.decode(row), new_tokens=new_tokens) for row in rows]
    log = run_folder() / f"{SERVER}.log"
    with serving(engine_of(SERVER), settings, log=log, limit_seconds=ready_seconds) as endpoint:
        said = greedy_answers(endpoint, prompts)
    answers = [f"{each.prompt} ->{each.text}\n" for each in said]
    (run_folder() / "answers.txt").write_text("".join(answers))
    return agreement(said, base.load(quantized=False), tokenizer)
