"""Serve a GGUF file on the loopback by llama.cpp's OpenAI-compatible server, at a port that nobody else has.

LLAMACPP_API_KEY=secret python -m jobs.llamacpp.serve model.gguf --port-file port
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

KEY_VARIABLE = "LLAMACPP_API_KEY"
HOST = "127.0.0.1"
KEPT_WHOLE = 0
"""`GGML_TYPE_F32`, of keys and values: so that what is measured is the weights' type alone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; the port is in `--port-file` once the model is loaded."""
    import uvicorn
    from llama_cpp.server.app import create_app
    from llama_cpp.server.settings import ModelSettings, ServerSettings

    parser = argparse.ArgumentParser(prog="python -m jobs.llamacpp.serve")
    parser.add_argument("model", type=Path)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--context-length", type=int, default=2048)
    parser.add_argument("--num-threads", type=int, default=1)
    options = parser.parse_args(arguments)
    model = ModelSettings(
        model=str(options.model),
        model_alias=options.model.stem,
        n_ctx=options.context_length,
        n_batch=options.context_length,
        n_threads=options.num_threads,
        n_threads_batch=options.num_threads,
        type_k=KEPT_WHOLE,
        type_v=KEPT_WHOLE,
        use_mlock=False,
        verbose=False,
    )
    app = create_app(server_settings=ServerSettings(api_key=os.environ[KEY_VARIABLE]), model_settings=[model])
    with socket.create_server((HOST, 0)) as listening:
        port = listening.getsockname()[1]
        partial = options.port_file.with_suffix(".partial")
        partial.write_text(str(port))
        partial.rename(options.port_file)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main())
