"""Ways to fine-tune a base: adapters of every kind and all weights, what each trains, and what that takes.

`methods.py` has each way by name; `trial.py` trains one on one task (`task.py`), weighs it, and saves what PEFT loads
again. Several adapters at once are `mixture.py`, `router.py`, `merging.py` and `xlora.py`.
"""
