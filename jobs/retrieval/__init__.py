"""Retrieval: a hybrid index of BM25 and vectors, what asks it, and what judges its rankings."""
