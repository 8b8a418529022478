"""One model in vLLM and in transformers: how batches fill, the same prompts without a server and with one, and cost."""
