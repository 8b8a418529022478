"""What the labs of distributed training share: one model, one token stream, one loop, and checkpoints of many ranks.

`engine.py` says what a way to spread a model must do, and `fsdp.py`, `zero.py`, `megatron.py` and `whole.py` do it;
`loop.py` trains by any of them, and `one_process.py` is what all their losses must be. `saves.py` writes checkpoints
beside the training.
"""
