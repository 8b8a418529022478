"""vLLM: what it loads, what it serves, and real clients. `make test-vllm`.

Without `.venv/vllm` they are skipped with the command that makes it.
"""
