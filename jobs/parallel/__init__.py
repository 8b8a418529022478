"""What the labs of distributed training share: one model, one token stream, one loop, and checkpoints of many ranks.

`engine.py` says what a way to spread a model must do; `fsdp.py`, `zero.py`, `megatron.py` and `whole.py` do it, and
`experts.py` of a mixture of experts. `loop.py` trains by any of them, and `one_process.py` is what their losses must
be. `saves.py` writes checkpoints beside the training.
"""
