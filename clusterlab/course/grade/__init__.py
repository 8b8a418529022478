"""The gradebook of a class: the runs of its students, each against what its lab expects and what was handed out.

`collect.py` finds the runs, `choice.py` and `take.py` say which of them counts, `handed.py` and `copies.py` look for
what was changed or copied, and `book.py` puts all of it into one row for each student and lab.
"""
