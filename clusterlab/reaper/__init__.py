"""The reaper: what a course left in a cloud account beyond its lease is warned of, stopped, and ended, with a proof.

`reap.py` is one sweep from end to end: `scan.py` looks at every kind in every region, `step.py` decides what is due,
`removal.py` does it in the order of dependence, and `proof.py` says what is left. It runs from the command, from cron,
and as a Lambda (`function.py`), for which it has the standard library and boto3 alone.
"""
