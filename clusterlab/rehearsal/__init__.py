"""The rehearsal: the real SkyPilot on an emulated cloud, or on a real Slurm, on this machine alone."""
