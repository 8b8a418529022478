"""Serve a folder by transformers' `generate` behind OpenAI's protocol or TGI's, on the loopback.

CLUSTERLAB_API_KEY=secret python -m jobs.serving.transformers_server folder --port 8000 --served-name small …
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from jobs.serving.backend import Local
from jobs.serving.batching import StaticBatches
from jobs.serving.endpoint import KEY_VARIABLE
from jobs.serving.generator import Generator
from jobs.serving.openai_protocol import OpenAI
from jobs.serving.tgi_protocol import Tgi
from jobs.serving.web import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a SIGTERM, then give the answers that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m jobs.serving.transformers_server")
    parser.add_argument("model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--served-name", required=True)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--quantization")
    parser.add_argument("--max-model-len", type=int, required=True)
    parser.add_argument("--max-rows", type=int, required=True, help="of a static batch; 1 is one request at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--protocol", choices=["openai", "tgi"], default="openai")
    options = parser.parse_args(arguments)
    generator = Generator(options.model, dtype=options.dtype, quantization=options.quantization, seed=options.seed)
    backend = Local(
        served_name=options.served_name,
        vocabulary=generator.vocabulary,
        max_model_len=options.max_model_len,
        batches=StaticBatches(generator.run, max_rows=options.max_rows),
    )
    is_tgi, device = options.protocol == "tgi", generator.model.device.type
    serve(Tgi(backend, device=device) if is_tgi else OpenAI([backend]), port=options.port, key=os.environ[KEY_VARIABLE])
    return 0


if __name__ == "__main__":
    sys.exit(main())
