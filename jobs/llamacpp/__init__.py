"""A Llama in llama.cpp: its GGUF file, its quantization types, its speed, and its server.

`export.py` writes the file, `quantize.py` makes the smaller types of it, `contents.py` says what is really in one, and
`model.py` asks it as a model of transformers is asked. All but the pictures run in an environment of their own.
"""
