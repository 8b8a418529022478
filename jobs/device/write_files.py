"""In llama.cpp's environment: write the GGUF files that the cases read.

python -m jobs.device.write_files FOLDER      with FOLDER/asked.json: checkpoint, models, types, num_threads
"""

from __future__ import annotations

import sys
from pathlib import Path

from clusterlab.errors import ClusterlabError
from jobs.compress.exchange import read_asked, write_answer
from jobs.llamacpp.files import write_files


def main(folder: Path) -> int:
    """Answer with each type's MiB on disk; the last line of standard error says what went wrong.

    Returns 0, or the code of `clusterlab.errors`.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from jobs.llm.process import quiet

    quiet()
    asked = read_asked(folder)
    model = AutoModelForCausalLM.from_pretrained(asked["checkpoint"], dtype="auto").eval()
    tokenizer = AutoTokenizer.from_pretrained(asked["checkpoint"])
    try:
        files = write_files(model, tokenizer, asked["types"], Path(asked["models"]), num_threads=asked["num_threads"])
    except ClusterlabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    write_answer(folder, {name: path.stat().st_size / 2**20 for name, (path, _) in files.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
