"""A semester on a discrete-event clock: the policy, the ledger, the meter and the reaper against an emulated cloud.

`semester.py` has students, machines and the server's crontab as processes on one clock; `habits.py` what happens by
chance, with the source of each number. `invariant.py`, `watch.py` and `audit.py` say throughout whether a budget or a
lease gave way. docs/simulation.md says what is real.
"""
