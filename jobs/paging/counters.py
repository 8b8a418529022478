"""What vLLM counts: its blocks, and the tokens that it found in them."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass

from clusterlab.errors import ClusterlabError
from jobs.serving.endpoint import Endpoint

HITS = "vllm:prefix_cache_hits_total"
BLOCKS = "vllm:cache_config_info"
LIMIT_SECONDS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Counters:
    """One reading of its /metrics."""

    num_hits: float
    """Tokens of prompts that were found in its blocks."""
    num_tokens: int
    """That its blocks hold."""
    num_bytes: int
    """That they take."""

    @classmethod
    def read(cls, endpoint: Endpoint) -> Counters:
        """Ask a vLLM server for them.

        Raises:
            ClusterlabError: it counts other things.
        """
        asked = urllib.request.Request(f"{endpoint.url}/metrics", headers=endpoint.headers)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=LIMIT_SECONDS) as answer:  # noqa: S310
            return cls.parse(answer.read().decode())

    @classmethod
    def parse(cls, text: str) -> Counters:
        """Find them in Prometheus' text format.

        Raises:
            ClusterlabError: one is missing.
        """
        from prometheus_client.parser import text_string_to_metric_families

        samples = {sample.name: sample for family in text_string_to_metric_families(text) for sample in family.samples}
        try:
            labels = samples[BLOCKS].labels
            return cls(
                num_hits=samples[HITS].value,
                num_tokens=int(labels["num_gpu_blocks"]) * int(labels["block_size"]),
                num_bytes=int(labels["kv_cache_memory_bytes"]),
            )
        except KeyError as error:
            raise ClusterlabError(f"/metrics: {error} is missing; this is not the vLLM of images/vllm.lock") from error

    def hits_since(self, before: Counters) -> float:
        """Tokens that were found since `before`."""
        return self.num_hits - before.num_hits
