"""How a job comes to run: the embedded Ray, the entrypoint on the node, and the folder of the run.

`cluster.py` submits to any Ray, `embedded.py` makes one that lives as long as it is needed, `members.py` one over the
nodes of a task. `execute.py` is what runs on the node: it times the job and writes its record. Jobs themselves use
`folder.py`, `workers.py` and `finished.py`; what must run in another environment they ask by `exchange.py`.
"""
