"""Reasoning with a language model: problems with a referee, ways to think, what they cost, and what is certain."""
