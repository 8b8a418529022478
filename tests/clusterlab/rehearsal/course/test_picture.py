from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

from clusterlab.rehearsal.course.picture import main

RECORD = {
    "class": "clusters/demo.yaml",
    "verdict": "PASS",
    "seconds": 71.2,
    "steps": [
        {"name": "crash: it is killed", "seconds": 12.3, "verdict": "PASS", "notes": ["kill -9 after 23 resources"]},
        {"name": "up: it goes on", "seconds": 58.9, "verdict": "SKIPPED", "notes": ["long " * 60]},
    ],
}


def test_each_act_is_drawn_with_what_was_seen_and_nothing_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "rehearsal.json").write_text(json.dumps(RECORD))
    assert main([str(tmp_path / "rehearsal.json"), str(tmp_path / "pictures" / "class.svg")]) == 0
    svg = (tmp_path / "pictures" / "class.svg").read_text()
    shown = "".join(ET.fromstring(svg).itertext()).replace("\xa0", " ")
    for words in ("crash: it is killed", "kill -9 after 23 resources", "SKIPPED", "1 min 11 s"):
        assert words in shown
    assert "url(http" not in svg
    assert "@font-face" not in svg
