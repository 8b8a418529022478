from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.iam import page
from tests.infra.iam.cases_rights import CASES


def test_the_page_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert page.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_page_is_told_and_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "identity.md")
    assert page.main(["--check"]) == 2
    assert "identity.md: stale" in capsys.readouterr().err
    assert page.main([]) == 0
    assert page.main(["--check"]) == 0


def test_every_case_is_a_row() -> None:
    rows = [
        line for line in page.page().splitlines() if (line.startswith("| ") and "| yes |" in line) or "**no**" in line
    ]
    assert len(rows) == len(CASES)
