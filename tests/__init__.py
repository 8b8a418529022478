"""Tests mirror the packages, and their names say what a user may rely on; what they share is here.

`repository.py` copies the repository for tests that spoil it, `nodes.py` makes nodes of one machine, and `ports.py`,
`postgresql.py` and `registry.py` start real services on the loopback. `golden/` has plans, stacks and losses that must
not change unseen; `make golden` writes them again.
"""
