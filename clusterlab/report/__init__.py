"""The report: results of runs against what their labs expect, and what a course costs, as tables and as one page.

`results.py` judges runs; `sources.py` gathers the facts about money, `summary.py` is what they come to as pure data,
and terminal, page and JSON all show that (`table.py`, `page.py`). Other pages have their look from `frame.py`.
"""
