"""Measurements side by side, which write BENCHMARKS.md: `make bench`.

One subject a file, each with the command that it stands for. They are no tests: nothing fails when a machine is slow.
"""
