"""Cloud and HPC cluster labs as code: check, plan, run and report.

The nouns are the files here, one each; what a verb needs beyond them has a package of its own, whose command.py says
what is typed (`cli.py` puts them together). Nothing here imports torch, ray or Pulumi, and SkyPilot only where SkyPilot
itself loads us or nobody else knows, so that the control plane installs without them.
"""

__version__ = "0.1.0"
