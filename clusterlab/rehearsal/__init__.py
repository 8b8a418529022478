"""The rehearsal: the real SkyPilot on an emulated cloud, or on a real Slurm, on this machine alone.

`stage.py` sets it up in namespaces of its own (`apart.py`) and clears it however it ends; `cloud.py` is EC2 as moto has
it, whose machines are sandboxes of this one (`host.py`). `on_cloud.py` and `on_slurm.py` are the steps that are played
and checked, and `course/` a whole class. docs/rehearsal.md says what is real and what is emulated.
"""
