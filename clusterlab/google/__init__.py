"""Google Cloud as a class's verbs look through it: Compute Engine's REST API, by the standard library alone.

`scan.py` finds by the label `course` what a project has, `clearing.py` ends it and waits until it is gone, and
`compute.py` with `credentials.py` is how they reach it.
"""
