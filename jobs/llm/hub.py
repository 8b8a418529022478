"""The pinned models and data sets of the labs, and where the files of a source are on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from clusterlab.config import PINNED, Source

LLAMA_2_7B = Source("meta-llama/Llama-2-7b-hf@01c7f73d771dfac7d292323805ebc428287df4f9")
TINYLLAMA = Source("TinyLlama/TinyLlama-1.1B-Chat-v1.0@fe8a4ea1ffedaf415f4da2f062534de366a451e6")
MISTRAL_7B = Source("mistralai/Mistral-7B-v0.1@26bca36bde8333b5d7f72e9ed20ccda6a618af24")
LLAVA_NEXT_7B = Source("llava-hf/llava-v1.6-mistral-7b-hf@52320fb52229c8d942b1dcb8b63b3dc8087bc83b")
SMOLLM2_360M = Source("HuggingFaceTB/SmolLM2-360M-Instruct@a10cc1512eabd3dde888204e902eca88bddb4951")
ALPACA = Source("tatsu-lab/alpaca@dce01c9b08f87459cf36a430d809084718273017")
OPT_125M = Source("facebook/opt-125m@27dcfa74d334bc871f3234de431e71c6eeba5dd6")
GSM8K = Source("openai/gsm8k@740312add88f781978c0658806c59bc2815b9866")
WIKITEXT = Source("Salesforce/wikitext@b08601e04326c79dfdd32d625aee71d232d685c3")
WIKITEXT_2 = "wikitext-2-raw-v1"
"""The folder of `WIKITEXT` that the literature measures on."""


def only_of(source: Source, files: str) -> list[str] | None:
    """The pattern of `files` of WikiText-2 in the data set of all WikiTexts; None for any other source: all of it."""
    return [f"{WIKITEXT_2}/{files}"] if source.partition("@")[0].endswith("/wikitext") else None


def folder_of(
    source: Source, kind: str, *, only: Sequence[str] | None = None, without: Sequence[str] | None = None
) -> Path:
    """A source that is a folder, or the folder of a hub id's files, downloaded now where they are not here.

    `kind` is `model` or `dataset`; `only` and `without` are patterns of files.
    """
    if not PINNED.fullmatch(source):
        return Path(source)
    from huggingface_hub import snapshot_download

    name, _, revision = source.partition("@")
    token = os.environ.get("HF_TOKEN") or None
    patterns = {"allow_patterns": only, "ignore_patterns": without}
    return Path(snapshot_download(name, repo_type=kind, revision=revision, token=token, **patterns))
