"""A class while it goes on: what runs, what it costs, whose it is, and what needs somebody.

`sources.py` asks every place at the same time, `snapshot.py` is what they said as pure data, and terminal, page and
JSON all show that (`screen.py`, `page.py`), in English or Spanish. A place that did not answer is said, and is never 0.
"""
