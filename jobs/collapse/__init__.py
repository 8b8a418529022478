"""Models that learn from what models made, generation after generation, and what is lost on the way.

`regime.py` says what a generation learns from, and what of the real spread is then expected to be left. A Gaussian
(`gaussian.py`) and a vocabulary of words (`words.py`) are held against it; `lineage.py` has the language models.
"""
