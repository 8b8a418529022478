from __future__ import annotations

import shutil
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clusterlab.ledger.budget import Budget, Scope
from clusterlab.ledger.location import open_ledger
from tests.clusterlab.conftest import Apply, refused, spoil
from tests.clusterlab.test_policy import resources
from tests.needs import needs_skypilot

pytestmark = needs_skypilot

# The toy lab for at most 4 hours on the dearer of its machines, an A10G at 1.006 USD an hour with 100 GB at 0.08 a
# month, idle for 10 minutes; and 1 GB of egress at 0.09.
HOURS = 4 + Decimal(10) / 60
HIGH = HOURS * Decimal("1.006") + 100 * HOURS / 730 * Decimal("0.08") + Decimal("0.09")


@pytest.fixture
def _cap(apply: Apply, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ana has 10 USD, in a ledger outside of the house."""
    del apply  # which forgets the ledger of whoever runs the tests
    folder = tmp_path_factory.mktemp("ledger")
    monkeypatch.setenv("CLUSTERLAB_LEDGER", f"sqlite:///{folder / 'ledger.db'}")
    with closing(open_ledger(begin=True)) as ledger:
        ledger.set_cap(Scope.STUDENT, "ana", Decimal(10))


def of_ana() -> Budget:
    with closing(open_ledger()) as ledger:
        return next(each for each in ledger.budgets() if each.name == "ana")


@pytest.mark.usefixtures("_cap")
def test_a_launch_reserves_what_it_may_cost_at_most(apply: Apply) -> None:
    apply()
    assert 0 <= of_ana().held_usd - HIGH < Decimal("0.000001")


@pytest.mark.usefixtures("_cap")
def test_a_server_s_own_repository_says_what_a_lab_takes(
    apply: Apply, house: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = shutil.copytree(house, tmp_path_factory.mktemp("server") / "repository")
    sidecar = house / "labs" / "toy.expected.yaml"
    sidecar.write_text(sidecar.read_text().replace("high: 4", "high: 2"))
    monkeypatch.setenv("CLUSTERLAB_ROOT", str(own))
    apply(client=False)
    assert 0 <= of_ana().held_usd - HIGH < Decimal("0.000001")


@pytest.mark.usefixtures("_cap")
def test_client_and_server_reserve_once_for_one_launch(apply: Apply) -> None:
    task = apply()
    held = of_ana().held_usd
    apply(task, request="VALIDATE", client=False)
    apply(task, request="OPTIMIZE", client=False)
    apply(task, client=False)
    assert of_ana().held_usd == held
    apply()
    assert of_ana().held_usd == 2 * held


@pytest.mark.usefixtures("_cap")
def test_a_launch_that_the_budget_does_not_cover_is_refused(sky: Any, apply: Apply) -> None:
    apply()
    apply()
    [problem] = refused(sky, apply)
    assert problem == "student ana: 4.33 USD asked, 1.35 of 10.00 free"
    assert of_ana().held_usd < 10


@pytest.mark.usefixtures("_cap")
@pytest.mark.parametrize(
    "request_of_it", [{"dryrun": True}, {"request": "VALIDATE"}, {"request": "OPTIMIZE"}, {"request": "CLUSTER_EXEC"}]
)
def test_what_starts_no_machine_reserves_nothing(apply: Apply, request_of_it: dict[str, Any]) -> None:
    apply(**request_of_it)
    assert of_ana().held_usd == 0


@pytest.mark.usefixtures("_cap")
@pytest.mark.parametrize("request_of_it", ["JOBS_LAUNCH", "SERVE_UP", "JOBS_POOL_APPLY"])
def test_what_starts_machines_by_a_controller_reserves_too(apply: Apply, request_of_it: str) -> None:
    apply(request=request_of_it, managed=True)
    assert of_ana().held_usd > 4


@pytest.mark.usefixtures("_cap")
def test_what_is_asked_for_counts_and_not_what_the_labs_file_says(sky: Any, apply: Apply) -> None:
    assert refused(sky, apply, num_nodes=4)[0].startswith("student ana: 17.04 USD asked")
    assert refused(sky, apply, resources=resources(accelerators="A100:8", infra="aws"))[0].startswith(
        "student ana: 91."
    )
    assert of_ana().held_usd == 0


@pytest.mark.usefixtures("_cap")
def test_a_spot_machine_is_counted_at_what_it_costs_at_most(apply: Apply) -> None:
    apply(resources=resources(use_spot=True))
    assert 0 <= of_ana().held_usd - HIGH < Decimal("0.000001")


@pytest.mark.usefixtures("_cap")
def test_a_cpu_machine_is_counted_as_the_dearest_that_is_big_enough(apply: Apply) -> None:
    apply(resources=resources(accelerators=None, cpus="4+", memory="16+", infra="aws"))
    high = HOURS * Decimal("0.384") + 100 * HOURS / 730 * Decimal("0.08") + Decimal("0.09")
    assert 0 <= of_ana().held_usd - high < Decimal("0.000001")


@pytest.mark.usefixtures("_cap")
@pytest.mark.parametrize("envs", [{"SCALE": "single"}, {"SCALE": "huge"}, {}])
def test_a_task_without_hours_is_counted_for_its_whole_lease(
    apply: Apply, house: Path, monkeypatch: pytest.MonkeyPatch, envs: dict[str, str]
) -> None:
    monkeypatch.setenv("CLUSTERLAB_LEASE_HOURS", "2")
    (house / "labs" / "toy.yaml").unlink()
    apply(envs=envs, client=False)
    assert Decimal("2.15") < of_ana().held_usd < Decimal("2.25")


@pytest.mark.usefixtures("_cap")
def test_a_machine_of_no_known_price_is_not_covered(sky: Any, apply: Apply) -> None:
    [problem] = refused(sky, apply, resources=resources(cpus="64+", infra="aws"))
    assert (
        problem
        == "toy: resources: can become a machine whose price is not known; allowed: those that the catalog prices"
    )


@pytest.mark.usefixtures("_cap")
def test_machines_that_nobody_is_billed_for_need_no_budget(apply: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERLAB_STUDENT", "bo")
    apply(resources=resources(infra="kubernetes"))


@pytest.mark.usefixtures("_cap")
def test_who_has_no_budget_launches_nothing(sky: Any, apply: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERLAB_STUDENT", "bo")
    assert refused(sky, apply)[0].startswith("budget of bo: nobody set one; `clusterlab budget set --student bo")


@pytest.mark.usefixtures("_cap")
def test_a_lab_that_cannot_be_read_launches_nothing(sky: Any, apply: Apply, house: Path) -> None:
    spoil(house / "labs" / "toy.expected.yaml", "high: 4", "high: many")
    assert "toy.expected.yaml: scales.tiny.hours.high: 'many'; must be a number" in refused(sky, apply)[0]


UNREACHABLE = {
    "no file": ("sqlite:////nowhere/ledger.db", "sqlite:////nowhere/ledger.db: no ledger there"),
    "no server": ("postgresql://ana:secret@127.0.0.1:1/course", "postgresql://ana:***@127.0.0.1:1/course: the ledger"),
    "no url": ("ledger", "CLUSTERLAB_LEDGER: 'ledger'; allowed: sqlite:///FILE"),
}


@pytest.mark.parametrize(("url", "message"), UNREACHABLE.values(), ids=UNREACHABLE.keys())
def test_a_ledger_that_cannot_be_reached_launches_nothing(
    sky: Any, apply: Apply, monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    monkeypatch.setenv("CLUSTERLAB_LEDGER", url)
    assert refused(sky, apply)[0].startswith(message)


def test_where_no_ledger_is_named_there_is_no_gate(apply: Apply, tmp_path: Path) -> None:
    before = _files(tmp_path)
    apply()
    assert _files(tmp_path) == before


def _files(folder: Path) -> list[Path]:
    """All but what Python compiled."""
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)
