from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from clusterlab.catalog import Catalog
from clusterlab.errors import InputError
from clusterlab.infra import within
from clusterlab.slurm import centre as module
from clusterlab.slurm.centre import Centre
from tests.clusterlab.conftest import ROOT, spoil

FILE = ROOT / module.PATH


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "slurm.yaml"
    path.write_text(FILE.read_text())
    return path


def load(path: Path) -> Centre:
    return Centre.load(path, Catalog.load())


def faults(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(path)
    return str(caught.value).replace(f"{path}: ", "")


def test_a_centre_reads_its_prices_from_the_catalog_or_from_its_own_file(file: Path) -> None:
    spoil(file, "A100: catalog", "A100: 1.25")
    rates = load(file).usd_per_hour
    here = within(Catalog.load(), rates.infra, path="infra")
    cheapest = min(row.on_demand_usd or Decimal(99) for row in here.machines(accelerator="L4", count=1))
    assert rates.accelerators == {"L4": cheapest, "A100": Decimal("1.25")}


def test_a_price_of_the_catalog_is_that_of_the_places_that_are_named(file: Path) -> None:
    spoil(file, "infra: [aws/us-east-1, gcp/us-east1]", "infra: [aws/us-east-1]")
    spoil(file, "    A100: catalog\n", "")
    assert load(file).usd_per_hour.accelerators == {"L4": Decimal("0.8048")}
    spoil(file, "aws/us-east-1", "aws/moon-1")
    assert faults(file).startswith("usd_per_hour.infra: aws/moon-1: not in the catalog; allowed: aws/us-east-1")


def test_all_faults_are_reported_at_once(file: Path) -> None:
    spoil(file, "  user: student", "  user: a student\n  password: x")
    spoil(file, "account: null", "account: two words")
    spoil(file, '"04:00:00"', "04:00")
    spoil(file, "shared_folder: null", "shared_folder: home")
    spoil(file, "L4: catalog", "Z9: catalog")
    spoil(file, "  cpu: 0", "  cpu: -1")
    spoil(file, "provision_timeout_seconds: 600\n", "")
    assert sorted(faults(file).splitlines()) == [
        "account: 'two words'; allowed: letters, digits, '_', '.' and '-'",
        "login.password: unknown; allowed: host, identity_file, port, user",
        "login.user: 'a student'; must be one word",
        "provision_timeout_seconds: missing; must be a whole number from 0",
        "shared_folder: 'home'; must begin with /",
        'time_limit: \'04:00\'; allowed: "04:00:00", "1-00:00:00", in quotation marks',
        "usd_per_hour.accelerators.Z9: the catalog has no machine with one Z9; allowed: a price in USD",
        "usd_per_hour.cpu: -1; must be a number from 0",
    ]


@pytest.mark.parametrize("name", ["name", "login", "usd_per_hour", "typo"])
def test_a_key_that_is_misspelt_is_refused(file: Path, name: str) -> None:
    spoil(file, "\nname: centre" if name in ("name", "typo") else f"\n{name}:", f"\n{name}x: 1\nx{name}:")
    assert f"x{name}: unknown; allowed:" in faults(file)


def test_without_a_partition_skypilot_chooses_one(file: Path) -> None:
    assert load(file).infra == "slurm"
    spoil(file, "partition: null", "partition: gpu")
    assert load(file).infra == "slurm/centre/gpu"


def test_ssh_is_told_where_to_log_in_and_as_whom(file: Path) -> None:
    spoil(file, "port: 22", "port: 2222")
    lines = [line.split() for line in load(file).ssh_config().splitlines()]
    assert lines == [
        ["Host", "centre"],
        ["HostName", "login.hpc.example.edu"],
        ["Port", "2222"],
        ["User", "student"],
        ["IdentityFile", "~/.ssh/id_ed25519"],
        ["IdentitiesOnly", "yes"],
    ]


def test_skypilot_is_told_of_account_limit_and_folder_only_where_there_are_some(file: Path) -> None:
    spoil(file, "account: null", "account: llm-2026")
    spoil(file, '"04:00:00"', '"10:00:00"')
    spoil(file, "shared_folder: null", "shared_folder: /scratch")
    config = yaml.safe_load(yaml.safe_dump(load(file).skypilot_config()))["slurm"]
    own = config["cluster_configs"]["centre"]
    assert config["provision_timeout"] == 600
    assert (own["quota"], own["sbatch_options"], own["workdir"]) == (
        {"account": "llm-2026"},
        {"time": "10:00:00"},
        "/scratch",
    )
    for old, new in (("account: llm-2026", "account: null"), ('"10:00:00"', "null"), ("/scratch", "null")):
        spoil(file, old, new)
    assert load(file).skypilot_config()["slurm"]["cluster_configs"]["centre"].keys() == {"pricing"}


def test_the_command_prints_what_skypilot_reads(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert module.main([str(file), "ssh"]) == 0
    assert capsys.readouterr().out == load(file).ssh_config()
    assert module.main([str(file), "sky"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == load(file).skypilot_config()
    assert module.main([str(file), "moon"]) == InputError.exit_code
    assert module.main(["nowhere.yaml", "ssh"]) == InputError.exit_code
    assert "nowhere.yaml: cannot be read" in capsys.readouterr().err
