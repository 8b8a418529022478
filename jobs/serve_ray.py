"""Ray Serve: what dynamic batching is worth, replicas that come and go, a GPU that models share, adapters, and a death.

SCALE=tiny python -m jobs.submit serve_ray
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.config import Scale, Source, by_scale, range_problems, source_problems
from jobs.launch.finished import Finished
from jobs.launch.folder import report, run_folder
from jobs.launch.workers import Place, run_worker
from jobs.llm.bases import MADE
from jobs.llm.hub import LLAMA_2_7B, TINYLLAMA
from jobs.load.loops import closed
from jobs.load.prompts import MAX_WORDS, Prompt, made_prompts
from jobs.load.summary import Slo, Summary
from jobs.serving import replicas
from jobs.serving.asking import ask, completion
from jobs.serving.callers import asking_on, tokens_per_second
from jobs.serving.endpoint import Endpoint
from jobs.serving.ray_serve import Named, RayServe
from jobs.serving.server import serving
from jobs.serving.settings import ServerSettings

NAME, SECOND = "model", "second"
ADAPTERS = ("red", "blue")
COMPARED_TOKENS = 12
"""Of an answer that is compared with that of transformers and PEFT."""
PROMPT = "The library is open"
ANY = Slo(ttft_seconds=float("inf"), tpot_seconds=float("inf"))
STEPS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One model, in servers with and without dynamic batches, and in one that grows and loses a replica."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny="tiny-llama", small="smollm2-135m-instruct", single=TINYLLAMA, full=LLAMA_2_7B)
    """A hub id with revision, a folder, or a base that the project makes."""
    clients: int = 32
    """That ask at one time, each again when it has its answer."""
    num_requests: int = by_scale(tiny=64, small=32, single=128, full=256)
    """With and without batching, whole and as streams."""
    num_words: int = 8
    """Of a prompt."""
    new_tokens: int = by_scale(tiny=32, small=16, single=64, full=64)
    """Of an answer."""
    max_slots: int = 32
    """Requests in one batch."""
    max_replicas: int = by_scale(tiny=2, small=2, single=2, full=2)
    """To which the load makes the replicas grow."""
    share: float = by_scale(tiny=0.25, small=0.25, single=0.25, full=0.5)
    """Of a GPU, or of a CPU where there is none, that a replica takes; two models share one."""
    ready_seconds: int = by_scale(tiny=600, small=600, single=900, full=1800)
    """How long a server may take until it can be asked."""
    scale_seconds: int = by_scale(tiny=300, small=300, single=600, full=900)
    """How long replicas may take to come, to go, and to come again after one died."""
    max_failures: int = 1
    """How often a worker that died is begun again."""
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"clients": 2, "num_requests": 1, "num_words": 1, "new_tokens": COMPARED_TOKENS, "max_slots": 2}
        least |= {"max_replicas": 2, "ready_seconds": 1, "scale_seconds": 1, "max_failures": 0, "seed": 0}
        wrong = range_problems(self, least=least, most={"num_words": MAX_WORDS})
        if not 0 < self.share <= 0.5:
            wrong.append(f"SHARE={self.share}: must be above 0 and at most 0.5, so that two replicas fit")
        wrong += source_problems(self, {"model": MADE})
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Measure, and return the metrics that go into the run record.

    `batching_gain` is the tokens a second of dynamic batches over those of one request at a time, and
    `batching_gain_streamed` the same of streams. `right_adapter` and `right_model` are the shares of answers that have
    the tokens which transformers and PEFT give. `most_replicas` ran under load and `least_replicas` after it, with
    `seconds_to_grow` and `seconds_to_shrink`. `kept_in_fault` is the share of requests that were answered, or told to
    ask again, while a replica was killed; `lost_in_fault` of the others; `recovery_seconds` is until as many ran again.
    """
    parts = Finished(folder=run_folder() / "parts")

    def in_worker(name: str, work: Callable[[Config], dict[str, float]]) -> dict[str, float]:
        place = Place(here=True)
        return parts.once(name, lambda: run_worker(work, config, max_failures=config.max_failures, place=place))

    metrics = in_worker("batched", _batched) | in_worker("one-by-one", _one_by_one) | in_worker("replicas", _replicas)
    for ending in ("", "_streamed"):
        alone = metrics[f"tokens_per_second_alone{ending}"]
        metrics[f"batching_gain{ending}"] = metrics[f"tokens_per_second{ending}"] / alone
    return metrics


def _batched(config: Config) -> dict[str, float]:
    """In a worker: dynamic batches, and beside the model its adapters and a second one."""
    folder, tokenizer = _base(config)
    adapters = _made_adapters(folder, run_folder() / "adapters")
    engine = RayServe(share=config.share, also=((SECOND, str(folder)),), adapters=adapters)
    with _served(config, engine, folder, "batched") as endpoint:
        report("serve", 1, STEPS)
        said = {name: _tokens(endpoint, name) for name in (NAME, SECOND, *ADAPTERS)}
        metrics = _throughput(config, endpoint)
    report("serve", 2, STEPS)
    expected = _expected(folder, tokenizer, dict(adapters))
    right = {name: float(tokens == expected.get(name, expected[NAME])) for name, tokens in said.items()}
    differ = len({tuple(said[name]) for name in (NAME, *ADAPTERS)}) / (1 + len(ADAPTERS))
    return metrics | {
        "right_adapter": sum(right[name] for name in ADAPTERS) / len(ADAPTERS),
        "right_model": (right[NAME] + right[SECOND]) / 2,
        "adapters_differ": differ,
    }


def _one_by_one(config: Config) -> dict[str, float]:
    """In a worker: the same without batching."""
    folder, _ = _base(config)
    with _served(config, RayServe(batched=False, share=config.share), folder, "one-by-one") as endpoint:
        metrics = _throughput(config, endpoint)
    report("serve", 3, STEPS)
    return {name.replace("tokens_per_second", "tokens_per_second_alone"): value for name, value in metrics.items()}


def _replicas(config: Config) -> dict[str, float]:
    """In a worker: load comes, replicas follow it, one of them is killed under it, and they go when it does."""
    folder, _ = _base(config)
    engine = RayServe(max_replicas=config.max_replicas, share=config.share)
    # So few rows that the clients are too many for one replica.
    rows, limit = max(1, config.clients // (2 * config.max_replicas)), config.scale_seconds
    with _served(config, engine, folder, "replicas", max_slots=rows) as endpoint:
        with asking_on(endpoint, _prompts(config), clients=config.clients) as calls:
            grown = replicas.seconds_until(endpoint, lambda pids: len(pids) >= config.max_replicas, limit_seconds=limit)
            most = len(replicas.running(endpoint))
            report("serve", 4, STEPS, replicas=most, seconds=grown)
            killed = replicas.kill_one(endpoint)
            recovered = replicas.seconds_until(
                endpoint, lambda pids: killed not in pids and len(pids) >= config.max_replicas, limit_seconds=limit
            )
        shrunk = replicas.seconds_until(endpoint, lambda pids: len(pids) <= 1, limit_seconds=limit)
        least = len(replicas.running(endpoint))
    report("serve", 5, STEPS, replicas=least, seconds=recovered)
    return {
        "most_replicas": most,
        "least_replicas": least,
        "seconds_to_grow": grown,
        "seconds_to_shrink": shrunk,
        "recovery_seconds": recovered,
        "answered_in_fault": calls.share_done,
        "kept_in_fault": calls.share_kept,
        "requests_in_fault": calls.statuses.total(),
    }


def _base(config: Config) -> tuple[Path, Any]:
    from jobs.llm.bases import Base
    from jobs.llm.process import quiet, report_pretraining

    quiet()
    base = Base.of(config.model, report_pretraining)
    return base.folder(), base.tokenizer()


@contextmanager
def _served(
    config: Config, engine: RayServe, folder: Path, name: str, *, max_slots: int | None = None
) -> Iterator[Endpoint]:
    from jobs.llm.bases import compute_dtype

    settings = ServerSettings(
        model=str(folder),
        served_name=NAME,
        dtype=str(compute_dtype()).removeprefix("torch."),
        max_model_len=16 * config.num_words + config.new_tokens,
        max_slots=max_slots or config.max_slots,
        seed=config.seed,
    )
    with serving(engine, settings, log=run_folder() / f"{name}.log", limit_seconds=config.ready_seconds) as endpoint:
        yield endpoint


def _throughput(config: Config, endpoint: Endpoint) -> dict[str, float]:
    """Tokens a second of the clients, who wait for whole answers and then read streams."""
    prompts = _prompts(config)
    tokens_per_second(endpoint, prompts[: config.clients], clients=config.clients)  # Its first batch is slower.
    whole = tokens_per_second(endpoint, prompts, clients=config.clients)
    outcomes = asyncio.run(closed(endpoint, prompts, concurrency=config.clients, limit_seconds=config.scale_seconds))
    streamed = Summary.of(config.clients, outcomes, ANY)
    answered = streamed.num_done / streamed.num_requests
    return {
        "tokens_per_second": whole,
        "tokens_per_second_streamed": streamed.tokens_per_second,
        "answered_streams": answered,
    }


def _prompts(config: Config) -> list[Prompt]:
    return made_prompts(
        config.num_requests, num_words=config.num_words, new_tokens=[config.new_tokens], seed=config.seed
    )


def _tokens(endpoint: Endpoint, name: str) -> list[int]:
    """Token ids of the answer of one of the server's models."""
    body = completion(endpoint, PROMPT, COMPARED_TOKENS, model=name, return_token_ids=True)
    return [int(token) for token in ask(endpoint, body).choice()["token_ids"]]


def _made_adapters(folder: Path, into: Path) -> Named:
    """LoRA adapters with random weights, so large that each says something else than the base."""
    import torch
    from peft import LoraConfig, get_peft_model

    from jobs.compress.pretrained import from_pretrained

    for seed, name in enumerate(ADAPTERS, 1):
        torch.manual_seed(seed)
        # PEFT's B is drawn too, and not zero.
        config = LoraConfig(r=8, lora_alpha=64, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        get_peft_model(from_pretrained(folder), config).save_pretrained(into / name)
    return tuple((name, str(into / name)) for name in ADAPTERS)


def _expected(folder: Path, tokenizer: Any, adapters: dict[str, str]) -> dict[str, list[int]]:
    """What transformers and PEFT make of the prompt: the base, and each adapter on it."""
    from peft import PeftModel

    prompt: Sequence[int] = tokenizer(PROMPT)["input_ids"]
    found = {NAME: _greedy(_endless(folder), prompt)}
    for name, adapter in adapters.items():
        found[name] = _greedy(PeftModel.from_pretrained(_endless(folder), adapter), prompt)
    return found


def _endless(folder: Path) -> Any:
    """The base, which goes on after an end of text as a server does that is told `ignore_eos`."""
    from transformers import GenerationConfig

    from jobs.compress.pretrained import from_pretrained

    model = from_pretrained(folder)
    model.generation_config = GenerationConfig(pad_token_id=0)
    return model


def _greedy(model: Any, prompt: Sequence[int]) -> list[int]:
    import torch

    ids = torch.tensor([list(prompt)], device=model.device)
    length = {"max_new_tokens": COMPARED_TOKENS, "do_sample": False}
    with torch.inference_mode():
        answer = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **length)
    return [int(token) for token in answer[0, len(prompt) :]]
