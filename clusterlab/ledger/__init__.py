"""The ledger: what is reserved, used and settled, in a SQL database to which rows are only ever added.

`ledger.py` is the noun: a launch reserves, is committed, used and settled, and no cap is passed however many launch at
once. `entry.py` is a row and `chain.py` proves that none was altered; `standing.py` and `statement.py` say what the
rows come to, and `recording.py` is how the meter adds use.
"""
