"""What only llama.cpp's environment can show: files, tokens, the server and the sweep. `make test-gguf`.

Without `.venv/gguf` they are skipped with the command that makes it.
"""
