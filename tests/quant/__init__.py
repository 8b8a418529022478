"""What the quantization sweep saves, read back by other libraries: `make test-quant`.

Checkpoints of GPTQModel and llm-compressor are loaded by transformers in the environments that made them.
"""
