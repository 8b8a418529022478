"""Components of Google Cloud, and what its labels may be.

A class has a network, a bucket with a key of its own, a budget, and roles for its students and machines. `labels.py`
has the cost tags in the letters that Google Cloud takes.
"""
