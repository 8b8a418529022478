"""Reasoning with a language model: problems with a referee, ways to think, what they cost, and what is certain.

`game24.py` and `word_problems.py` are the problems, `chains.py` and `tree.py` the ways to think, each within a budget
(`budget.py`); `session.py` keeps every attempt on the disk, and `findings.py` with `paired.py` says what a gain is
worth.
"""
