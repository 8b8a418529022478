from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError, MissingError
from clusterlab.fit.footprint import GIB
from jobs import moe
from jobs.launch import environments
from jobs.moe import Config, main


@pytest.mark.parametrize("scale", [Scale.TINY, Scale.SINGLE, Scale.FULL])
def test_every_scale_has_a_valid_config(scale: Scale) -> None:
    config = parse(Config, {"SCALE": scale})
    assert config.mixture.total_parameters > 1.5 * config.mixture.active_parameters


@pytest.mark.parametrize(
    "given",
    [
        {"NUM_EXPERTS": "1"},
        {"TOP_K": "0"},
        {"TOP_K": "9"},
        {"TOP_K": "3"},
        {"BALANCE": "-1"},
        {"NUM_HELD_OUT": "0"},
        {"TOKENIZER": "."},
        {"MODEL": "mixtral"},
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(given))}="):
        parse(Config, {"SCALE": "tiny"} | given)


def test_no_balance_loss_is_allowed() -> None:
    assert parse(Config, {"SCALE": "tiny", "BALANCE": "0"}).balance == 0


@pytest.mark.parametrize(("workers", "wrong"), [(3, "NUM_EXPERTS=8: must be a multiple of the 3"), (8, "GLOBAL")])
def test_workers_that_cannot_share_evenly_are_refused(workers: int, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        parse(Config, {"SCALE": "tiny"}).check_world(workers)


def test_eight_gpus_hold_an_eighth_of_the_experts_each() -> None:
    config = parse(Config, {"SCALE": "full"})
    one, eight = config.footprint(1), config.footprint(8)
    assert one.weights - eight.weights == 2 * config.mixture.expert_parameters * 7 // 8
    assert eight.gpu < 80 * GIB


def test_without_vllm_it_says_what_installs_it_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ROOTS", (tmp_path,))
    monkeypatch.setattr(moe, "train_on_workers", pytest.fail)
    with pytest.raises(MissingError, match=r"SERVE=true: .*make env-vllm.*SERVE=false"):
        main(parse(Config, {"SCALE": "tiny"}))
