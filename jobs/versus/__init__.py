"""One model in vLLM and in transformers: how batches fill, the same prompts without a server and with one, and cost.

`model.py` makes the one model in both forms, `offline.py` and `online.py` ask it without a server and with one,
`batching.py` is the arithmetic of slots, and `price.py` what a million tokens come to.
"""
