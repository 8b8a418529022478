"""What tests of the sweep share: a Ray of two CPUs with a cache of its own, and a base on disk with a text for it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from clusterlab.config import Source
from jobs.compress.setting import Setting
from jobs.launch.environments import ROOT
from jobs.llm.cache import VARIABLE as CACHE
from tests.jobs.conftest import VOCABULARY


@contextmanager
def ray_of_two(cache: Path) -> Iterator[None]:
    """A Ray of two CPUs, whose workers find this cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(cache))
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=2**27,
            runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
        )
        yield
        ray.shutdown()


def setting_of(model: Any, folder: Path) -> Setting:
    """Of a model, saved below the folder, and a text of words that it has tokens for."""
    base, text = folder / "base", folder / "text"
    words = [f"w{number}" for number in range(VOCABULARY - 3)]
    vocabulary = {word: index for index, word in enumerate(["<pad>", "<s>", "</s>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    model.save_pretrained(base)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>").save_pretrained(base)
    text.mkdir()
    (text / "words.txt").write_text(" ".join(random.Random(0).choices(words, k=1000)))
    return Setting(
        model=Source(str(base)),
        text=Source(str(text)),
        row_length=32,
        num_calibration=4,
        num_evaluation=8,
        num_compared=4,
        group_size=32,
        decode_tokens=4,
        seed=0,
        threads=1,
    )
