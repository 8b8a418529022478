"""A process that does what a script says, for tests of who runs it.

python -m tests.jobs.launch.acting FOLDER     with FOLDER/act.py
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    runpy.run_path(str(Path(sys.argv[1], "act.py")))
