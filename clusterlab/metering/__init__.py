"""What is in use, as the clouds, SkyPilot, Slurm and Ray say it themselves, put on the ledger in intervals."""
