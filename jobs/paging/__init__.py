"""Memory for keys and values: bytes a token, allocators over recorded lengths, and prefixes that a server keeps.

`layouts.py` sends one trace of real lengths through every layout of a memory: contiguous (`buddy.py`) and in blocks
(`blocks.py`), by one scheduler; `prefix.py` and `counters.py` look at the same in a real vLLM.
"""
