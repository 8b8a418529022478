from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clusterlab.bill.exports import aws_focus, charge, month
from tests.clusterlab.test_cli import invoke

pytestmark = pytest.mark.usefixtures("house")


def test_an_import_says_what_it_took(tmp_path: Path) -> None:
    aws_focus(tmp_path / "export.csv", [charge("1.005", "ana", "qlora"), charge("2", "ben", "fsdp")])
    code, out, _ = invoke("bill", "import", "export.csv")
    assert code == 0
    assert out.splitlines()[1].split() == ["AWS", "000000000001", "2026-10-01", "new", "2", "3.00"]
    assert [path.parent.name for path in (tmp_path / "bill").rglob("*.parquet")] == ["2026-10-01"]


def test_an_import_as_json_is_exact(tmp_path: Path) -> None:
    aws_focus(tmp_path / "export.parquet", [charge("1.0050001", "ana", "qlora")])
    code, out, _ = invoke("bill", "import", "export.parquet", "--store", "elsewhere", "--json")
    assert code == 0
    (found,) = json.loads(out)["bills"]
    assert found == {
        "provider": "AWS",
        "account": "000000000001",
        "period": "2026-10-01",
        "state": "new",
        "num_rows": 1,
        "billed_usd": "1.005000100000",
    }
    assert (tmp_path / "elsewhere").is_dir()


def test_another_export_of_the_period_is_refused_until_it_is_to_replace(tmp_path: Path) -> None:
    for seed in (1, 2):
        aws_focus(tmp_path / f"{seed}.csv", month(seed))
    assert invoke("bill", "import", "1.csv")[0] == 0
    code, _, err = invoke("bill", "import", "2.csv")
    assert (code, "--replace puts these in their place" in err) == (2, True)
    assert invoke("bill", "import", "2.csv", "--replace")[0] == 0


def test_an_unknown_choice_of_duplicates_is_refused(tmp_path: Path) -> None:
    aws_focus(tmp_path / "1.csv", month(seed=1))
    code, _, err = invoke("bill", "import", "1.csv", "--duplicates", "merge")
    assert (code, err) == (2, "--duplicates: 'merge'; allowed: refuse, drop, keep\n")
