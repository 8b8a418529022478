"""In llama.cpp's environment: read a case whose model is a GGUF file.

python -m jobs.device.by_llamacpp FOLDER      with FOLDER/asked.json, as jobs.device.case writes it
"""

from __future__ import annotations

import sys
from pathlib import Path

from jobs.device.case import Case
from jobs.device.reading import main
from jobs.llamacpp.model import LlamaCpp


def load(case: Case) -> LlamaCpp:
    """Mapped into memory or copied, as the case says."""
    length = len(case.prompt) + case.new_tokens
    return LlamaCpp(Path(case.model), context_length=length, num_threads=case.num_threads, mapped=case.mapped)


if __name__ == "__main__":
    sys.exit(main(load, ["llama_cpp"]))
