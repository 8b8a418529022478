"""Ray Serve with dynamic batches beside one request at a time: the same model, both servers up, asked in turn."""

from __future__ import annotations

import os
import statistics
import tempfile
from contextlib import ExitStack

from clusterlab.config import parse
from jobs.launch.folder import VARIABLE
from jobs.serve_ray import Config, _base, _served, _throughput
from jobs.serving.ray_serve import RayServe
from tests.bench.figure import Figure, at_least

PAIRS = 3


def over_one_by_one() -> list[Figure]:
    """Tokens/s of Ray Serve with dynamic batches against those without, in turn, of whole answers and of streams."""
    config = parse(Config, {"SCALE": "tiny"})
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        os.environ[VARIABLE] = folder
        base, _ = _base(config)
        batched, alone = (
            servers.enter_context(_served(config, RayServe(batched=each, share=config.share), base, f"batched-{each}"))
            for each in (True, False)
        )
        found = [(_throughput(config, batched), _throughput(config, alone)) for _ in range(PAIRS)]
    return [
        _figure(found, "tokens_per_second", "whole answers", least=4),
        _figure(found, "tokens_per_second_streamed", "streams"),
    ]


def _figure(
    found: list[tuple[dict[str, float], dict[str, float]]], name: str, what: str, least: float | None = None
) -> Figure:
    config = parse(Config, {"SCALE": "tiny"})
    ratios = sorted(ours[name] / alone[name] for ours, alone in found)
    ratio = statistics.median(ratios)
    ours, alone = (statistics.median(pair[side][name] for pair in found) for side in (0, 1))
    return Figure(
        what=f"Tokens/s of Ray Serve with dynamic batches against one request at a time, {config.clients} clients, "
        f"{what} of {config.new_tokens} tokens (tiny)",
        measured=f"{ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f} in {PAIRS} pairs; {ours:,.0f} and {alone:,.0f})",
        **at_least(ratio, least),
    )
