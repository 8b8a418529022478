"""A class as its instructor provisions it: SkyPilot's configuration, and the stack behind it.

`command.py` has the verbs of `clusterlab class`, and each longer one a folder: `preflight` before the class, `students`
to bring it up, `fleet` for its clusters, `status` while it goes on, `grade` and `ending` after it. Here lies what they
share: Pulumi in a process of its own (`automation.py`, `events.py`), and what an account has that its stack does not
know (`orphans.py`).
"""
