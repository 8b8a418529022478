from __future__ import annotations

import json
from pathlib import Path

from jobs.llm.curve import draw_losses, read_losses


def test_a_step_that_was_done_again_counts_once_and_a_torn_line_not_at_all(tmp_path: Path) -> None:
    rows = [("qlora", 1, 3.0), ("qlora", 2, 9.9), ("qlora", 2, 2.0), ("lora", 1, 1.0)]
    lines = [json.dumps({"phase": phase, "step": step, "steps": 2, "loss": loss}) for phase, step, loss in rows]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines[:2], lines[2][:9] + lines[1], *lines[2:]]))
    assert read_losses(tmp_path / "metrics.jsonl") == {"qlora": {1: 3.0, 2: 2.0}, "lora": {1: 1.0}}


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    draw_losses({"qlora": {1: 3.0, 2: 2.0}}, "QLoRA", tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
