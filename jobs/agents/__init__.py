"""An agent that looks things up and runs code, attacked by what it reads, and what it may do nevertheless.

`graph.py` is the agent: a policy (`scripted.py`, `served.py`) decides, the guard (`guard.py`) looks at each call, and
the tools are a library (`library.py`) and code in a sandbox (`sandbox.py`). `tasks.py` and `attacks.py` are what it is
tried on, `play.py` tries all of it, and `trace.py` with `page.py` keep what happened so that it can be read.
"""
