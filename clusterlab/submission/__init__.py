"""A lab as a job on the class's shared cluster: packed, queued by fair share, followed, and its results fetched.

`submit.py` is the way of one submission: `order.py` checks it, `queue.py` with `arbitration.py` says whose turn it is,
`jobs_api.py` gives it to Ray by HTTP, `follow.py` shows its output, and `results.py` brings its files home.
"""
