"""Whether a server serves the model that it was given: its greedy answers beside what transformers makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs.load.prompts import Prompt
from jobs.serving.asking import ask, completion
from jobs.serving.endpoint import Endpoint


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One greedy answer."""

    prompt: str
    text: str
    prompt_tokens: tuple[int, ...] | None
    """None where the server says no token ids; then the texts are cut into tokens again."""
    tokens: tuple[int, ...] | None
    logprobs: tuple[float, ...] | None
    """Of the answer's tokens, in nats; None where it does not say them."""


def greedy_answers(endpoint: Endpoint, prompts: Sequence[Prompt]) -> list[Said]:
    """Ask for each prompt's continuation, with what vLLM can say of its tokens.

    Raises:
        ClusterlabError: one came to nothing.
    """
    found = []
    for prompt in prompts:
        body = completion(endpoint, str(prompt.text), prompt.new_tokens, logprobs=1, return_token_ids=True)
        choice = ask(endpoint, body).choice()
        logprobs = (choice.get("logprobs") or {}).get("token_logprobs")
        ids, prompt_ids = choice.get("token_ids"), choice.get("prompt_token_ids")
        found.append(
            Said(
                prompt=str(prompt.text),
                text=choice["text"],
                prompt_tokens=tuple(prompt_ids) if ids and prompt_ids else None,
                tokens=tuple(ids) if ids and prompt_ids else None,
                logprobs=tuple(logprobs) if ids and prompt_ids and logprobs else None,
            )
        )
    return found


def agreement(said: Sequence[Said], model: Any, tokenizer: Any) -> dict[str, float]:
    """`model` is one of transformers, in whose place the server was asked.

    Returns `token_agreement`, the share of tokens that the model too holds for the likeliest after those before it, and
    `logprob_error`, by how many nats a log-probability of the server is off at most, where the server says them.
    """
    agreed: list[bool] = []
    errors: list[float] = []
    for each in said:
        same, logprobs = _judge(each, model, tokenizer)
        agreed += same
        errors += [abs(ours - theirs) for ours, theirs in zip(logprobs, each.logprobs or (), strict=False)]
    metrics = {"token_agreement": sum(agreed) / len(agreed)}
    return metrics | ({"logprob_error": max(errors)} if errors else {})


def _judge(said: Said, model: Any, tokenizer: Any) -> tuple[list[bool], list[float]]:
    """Of each token of an answer: whether it is the model's likeliest, and its log-probability in nats."""
    import torch

    prompt = said.prompt_tokens or tuple(tokenizer(said.prompt)["input_ids"])
    tokens = said.tokens or tuple(tokenizer(said.prompt + said.text)["input_ids"])[len(prompt) :]
    row = torch.tensor([[*prompt, *tokens]], device=model.device)
    with torch.inference_mode():
        # (1, tokens, vocabulary): what comes after each token of the row, from the prompt's last on.
        logits = model(input_ids=row).logits[0, len(prompt) - 1 : -1].float()
    chosen = torch.tensor(tokens, device=model.device)
    logprobs = logits.log_softmax(-1).gather(1, chosen[:, None])[:, 0]
    return (logits.argmax(-1) == chosen).tolist(), logprobs.tolist()
