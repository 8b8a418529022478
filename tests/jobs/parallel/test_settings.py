from __future__ import annotations

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError
from jobs.parallel.settings import Training


@pytest.mark.parametrize("scale", [Scale.TINY, Scale.SINGLE, Scale.FULL])
def test_a_scale_sets_every_value(scale: Scale) -> None:
    config = parse(Training, {"SCALE": scale})
    assert config.shape.name == config.model
    assert config.global_batch_size % (config.micro_batch_size * config.min_workers) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"SCALE": "small"}, "SCALE=small: allowed: tiny, single, full"),
        ({"MODEL": "gpt-5"}, "MODEL=gpt-5: allowed: tiny, micro, smollm2-135m"),
        ({"STEPS": "0", "SEED": "-1"}, "STEPS=0: must be above 0; SEED=-1: must be 0 or more"),
        ({"GLOBAL_BATCH_SIZE": "6"}, "GLOBAL_BATCH_SIZE=6: must be a multiple of MICRO_BATCH_SIZE"),
        ({"DATA": "wikitext"}, "DATA=wikitext: allowed: made, a folder, or org/name@<40-hex revision>"),
        ({"DEVICE": "tpu"}, "DEVICE: 'tpu': allowed: cpu, cuda"),
    ],
)
def test_values_that_cannot_be_trained_with_are_refused(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        parse(Training, {"SCALE": "tiny"} | wrong)
    assert message in str(error.value)
