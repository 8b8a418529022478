"""A picture of a class's rehearsal for a page: its acts as a terminal shows them, as one SVG that needs no net.

python -m clusterlab.rehearsal.course.picture rehearsals/20261128-230000/rehearsal.json docs/pictures/class.svg
"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from clusterlab.run import write_atomically

COLUMNS = 128
TITLE = "clusterlab rehearse --class"
FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
"""That the page would fetch from elsewhere; without them it has the reader's own."""
COLOURS = {"PASS": "green", "FAIL": "red"}


def main(arguments: list[str]) -> int:
    """Draw the picture of a `rehearsal.json`."""
    source, target = map(Path, arguments)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, picture(json.loads(source.read_text())))
    return 0


def picture(record: dict[str, Any]) -> str:
    """The acts of a record, each with its verdict, its time and what was seen."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "bold"), f"{TITLE} {record['class']}"))
    for step in record["steps"]:
        verdict = step["verdict"] or ""
        line = Text.assemble((f"{verdict:7} ", COLOURS.get(verdict, "yellow")), f"{step['seconds']:6.1f} s  ")
        console.print(line.append(step["name"], "bold"), soft_wrap=False)
        for note in step["notes"]:
            for row in Text(note, "dim").wrap(console, COLUMNS - 18):
                console.print(Text("                  ").append_text(row), highlight=False)
    verdict = record["verdict"]
    minutes, seconds = divmod(round(record["seconds"]), 60)
    console.print(Text(f"{verdict}  {minutes} min {seconds:02} s", f"bold {COLOURS.get(verdict, 'yellow')}"))
    drawn = console.export_svg(title=f"{TITLE} {record['class']}", unique_id="clusterlab")
    # GitHub shows no font that a picture would fetch.
    return FONTS.sub("", drawn)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
