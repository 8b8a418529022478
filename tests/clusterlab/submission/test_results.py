from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path

import pytest

from clusterlab.submission import results
from clusterlab.submission.follow import Output
from clusterlab.submission.results import MARK, from_line, is_line, to_line, write_files

FILES = {"run.json": b"{}", "plots/loss.png": bytes(range(256))}


def test_files_come_back_as_they_were(tmp_path: Path) -> None:
    line = to_line(FILES)
    assert is_line(line)
    assert "\n" not in line
    assert from_line(f"{line}\n") == FILES
    write_files(tmp_path, from_line(line))
    assert (tmp_path / "plots" / "loss.png").read_bytes() == bytes(range(256))


def test_the_smallest_go_first_where_not_all_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_BYTES", 100)
    assert from_line(to_line(FILES)) == {"run.json": b"{}"}


@pytest.mark.parametrize("line", ["", MARK, f"{MARK}!!!!", to_line(FILES)[: len(MARK) + 100], f"{MARK}aGVsbG8="])
def test_a_torn_line_has_no_files(line: str) -> None:
    assert from_line(line) == {}


@pytest.mark.parametrize("name", ["/etc/passwd", "../other/run.json", "a/../../b"])
def test_a_name_that_leads_elsewhere_is_passed_over(name: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    assert from_line(MARK + base64.b64encode(packed.getvalue()).decode()) == {}


def test_output_is_shown_once_line_by_line_without_what_is_for_the_program() -> None:
    shown: list[str] = []
    output = Output(show=shown.append)
    whole = f"one\ntwö\n{to_line(FILES)}\nend"
    data = whole.encode()
    # A stream that breaks off within a letter, and begins anew from the first.
    output.take(data[:7], at=0)
    output.take(data[:5], at=0)
    output.take(data[5:30], at=5)
    output.finish(whole)
    assert shown == ["one\n", "twö\n", "end\n"]
