"""What a picture takes in truth: the tokens that transformers' processor and model make of it, beside the formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jobs.vision.learner import IMAGE, Learner, make_processor, untrained
from jobs.vision.tiling import PUBLISHED, SIZES, Size, Tiling, scaled


def counts(learner: Learner) -> dict[str, Any]:
    """Of every size, by the tower of the model that is trained here (`made`) and by the published one's (`published`).

    Both have random weights, and the published one is as narrow as the other: that changes no number of tokens.
    """
    return {
        "published": _counted(replace(learner, tiling=PUBLISHED), SIZES),
        "made": _counted(learner, {name: scaled(size, learner.tiling) for name, size in SIZES.items()}),
    }


def beside(tokens: Mapping[str, Any], counted: Mapping[str, int]) -> dict[str, Any]:
    """`counts` with what vLLM counted of pictures of the sizes that the model is trained with, where it did."""
    made = [row | {"vllm": counted[row["name"]]} if row["name"] in counted else row for row in tokens["made"]]
    return dict(tokens) | {"made": made}


def _counted(learner: Learner, sizes: Any) -> list[dict[str, Any]]:
    processor = make_processor(learner)
    model = untrained(learner, processor.tokenizer)
    return [_row(name, size, learner.tiling, processor, model) for name, size in sizes.items()]


def _row(name: str, size: Size, tiling: Tiling, processor: Any, model: Any) -> dict[str, Any]:
    import torch
    from PIL import Image

    tokens = tiling.tokens(size)
    given = processor(images=Image.new("RGB", (size[1], size[0])), text=IMAGE, return_tensors="pt")
    with torch.inference_mode():
        features = model.get_image_features(given["pixel_values"], given["image_sizes"]).pooler_output
    return {
        "name": name,
        "size": size,
        "grid": tokens.grid,
        "base": tokens.base,
        "patches": tokens.patches,
        "formula": tokens.total,
        "processor": int((given["input_ids"] == model.config.image_token_index).sum()),
        "model": features[0].shape[0],
    }
