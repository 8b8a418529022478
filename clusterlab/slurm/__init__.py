"""Slurm at a computing centre: how SkyPilot reaches it, and what was used of it."""
