"""Retrieval: a hybrid index of BM25 and vectors, what asks it, and what judges its rankings.

`hybrid.py` asks `bm25.py` and `vectors.py` at once and `fusion.py` makes one ranking of theirs; `rewriters.py` and
`rerankers.py` stand before and after it. `ingest.py` fills the index by Ray Data, and `evaluate.py` judges by
trec_eval.
"""
