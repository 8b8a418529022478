"""Slurm at a computing centre: how SkyPilot reaches it, and what was used of it.

`centre.py` reads `clusters/slurm.yaml`, which the centre's people fill in, and prints what ssh and SkyPilot must be
told; `usage.py` reads Slurm's own records of jobs back, by student and lab.
"""
