"""The lab qlora at `tiny` on a base pretrained from another seed: does it end the same?

python -m tests.bench.tiny_base --seed 3
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile

from clusterlab.config import parse
from jobs.launch.folder import VARIABLE as RUN
from jobs.llm.cache import VARIABLE as CACHE
from jobs.llm.pretrain import TinyLlama, tiny_llama
from jobs.qlora import Config, _train


def main() -> None:
    """Print the run's metrics as JSON; nothing is kept, for a cached base may come from another number of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {CACHE: f"{folder}/cache", RUN: folder}
        base = tiny_llama(lambda *_: None, TinyLlama(seed=parser.parse_args().seed))
        print(json.dumps(_train(parse(Config, {"SCALE": "tiny", "MODEL": str(base)}))))


if __name__ == "__main__":
    main()
