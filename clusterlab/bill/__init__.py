"""The bill: providers' exports in one form, shared out to students and labs, beside what was estimated and metered.

An export goes from `intake.py` through `layout.py` and `normal.py` into the store, in FOCUS's columns whoever wrote it;
`allocation.py` says whose each row is, and `reconciliation.py` sets estimate, metered and billed side by side, so that
all rows sum to the bill to the cent. `export.py` goes the other way: our own ledger as FOCUS.
"""
