"""Results that anybody can make again: labs run on this machine, and what they measured kept in the repository.

`reproduction.py` is what is kept of a run, a line of `labs/results/<lab>.jsonl`; `reproduce.py` makes one, from a
lab to its verdict. `clusterlab.pages.results` is the page of them.
"""
