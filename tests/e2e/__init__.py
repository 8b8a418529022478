"""Launches from end to end, on an emulated cloud and a local Slurm, by the real SkyPilot; they need root.

Each rehearses in namespaces of its own and leaves nothing behind; where one cannot run it is skipped with the reason.
"""
