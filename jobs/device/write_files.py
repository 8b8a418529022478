"""In llama.cpp's environment: write the GGUF files that the cases read.

python -m jobs.device.write_files FOLDER      with FOLDER/asked.json: checkpoint, models, types, num_threads
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.launch.exchange import answer
from jobs.llamacpp.files import write_files


def write(asked: Mapping[str, Any], _folder: Path) -> dict[str, float]:
    """Each type's MiB on disk."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from jobs.llm.process import quiet

    quiet()
    model = AutoModelForCausalLM.from_pretrained(asked["checkpoint"], dtype="auto").eval()
    tokenizer = AutoTokenizer.from_pretrained(asked["checkpoint"])
    files = write_files(model, tokenizer, asked["types"], Path(asked["models"]), num_threads=asked["num_threads"])
    return {name: path.stat().st_size / 2**20 for name, (path, _) in files.items()}


if __name__ == "__main__":
    sys.exit(answer(write))
