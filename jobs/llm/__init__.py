"""What language-model jobs share: bases, data, packing, checkpoints, measures.

`bases.py` finds or makes the model of each scale, `instructions.py` and `alpaca.py` are what it is taught,
`finetune.py` is the loop, the same from any checkpoint on (`checkpoints.py`), and `evaluate.py` says what was learned.
"""
