"""What tests of ways to fine-tune share: settings of a short training, and the rows to train on."""

from __future__ import annotations

from clusterlab.config import parse
from jobs.adapters import Config

SHORT = {
    "SCALE": "tiny",
    "STEPS": "12",
    "BATCH_SIZE": "8",
    "ROW_LENGTH": "64",
    "LORA_RANK": "4",
    "LORA_DROPOUT": "0.1",
    "CHECKPOINT_EVERY": "2",
}


def settings(**given: str) -> Config:
    """Of a training on the small Llama."""
    return parse(Config, SHORT | given)
