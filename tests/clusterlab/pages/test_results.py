from __future__ import annotations

from pathlib import Path

from clusterlab.lab import lab_paths
from clusterlab.pages.results import results_page
from clusterlab.reproduction.reproduction import path_of, reproductions
from clusterlab.request import RESULTS
from tests.clusterlab.conftest import ROOT
from tests.clusterlab.reproduction.test_reproduction import made


def test_a_lab_that_was_not_reproduced_says_so(house: Path) -> None:
    page = results_page(house)
    assert "| [toy](../labs/toy.yaml) | not yet |" in page
    assert "## toy" not in page


def test_the_last_result_stands_against_its_range_and_the_log_has_all_the_newest_first(house: Path) -> None:
    made(house, metrics={"loss": 1.0}).keep(house)
    made(house, "r2", metrics={"loss": 2.0}).keep(house)
    page = results_page(house)
    assert "| [toy](#toy) | FAIL | 0 of 1 | 12.5 | 2026-11-29 | `abababababab` | 2 cores, no GPU |" in page
    assert "| `loss` | 2 | 0.9 to 1.1 | FAIL | a book |" in page
    log = page.partition("## The log")[2]
    assert log.count("| toy | tiny |") == 2


def test_what_is_kept_is_of_labs_that_there_are_and_can_be_read() -> None:
    names = {path.stem for path in lab_paths(ROOT / "labs")}
    files = sorted((ROOT / RESULTS).glob("*"))
    assert files
    for path in files:
        assert path == path_of(path.stem, ROOT)
        assert path.stem in names
        assert all(each.lab == path.stem for each in reproductions(path.stem, ROOT))
