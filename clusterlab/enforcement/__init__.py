"""Budgets while machines run: who comes near a cap is told, and whose cap is spent has machines stopped and ended.

`threshold.py` says which thresholds are passed, `tell.py` carries each notice to each place once (`mail.py`,
`webhook.py`, `log.py`), and `command.py` stops what no budget covers any more, by the reaper's hand.
"""
