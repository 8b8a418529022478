"""Cloud and HPC cluster labs as code: check, plan, run and report."""

__version__ = "0.1.0"
