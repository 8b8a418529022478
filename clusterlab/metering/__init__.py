"""What is in use, as the clouds, SkyPilot, Slurm and Ray say it themselves, put on the ledger in intervals.

Each source yields observations (`observation.py`): what it saw at one instant, and whose. `meter.py` brings the ledger
up to them: use begins, ends, and is settled when the last of a run is over. `pool.py` shares out a cluster that many
use.
"""
