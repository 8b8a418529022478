"""A Llama in llama.cpp: its GGUF file, its quantization types, its speed, and its server."""
