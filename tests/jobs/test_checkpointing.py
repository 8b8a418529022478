from __future__ import annotations

import pytest

from clusterlab.config import Scale, parse
from clusterlab.fit.memory import Recompute
from jobs.checkpointing import Config, _against_none


def test_what_is_saved_and_what_it_costs_are_shares_of_the_whole_step() -> None:
    metrics = {"states_mib": 20.0}
    for name, peak, seconds in (("none", 80.0, 2.0), ("selective", 55.0, 2.1), ("full", 30.0, 2.5)):
        metrics |= {f"{name}_peak_mib": peak, f"{name}_seconds_per_step": seconds}
    assert _against_none(metrics) == pytest.approx(
        {
            "selective_memory_saved": 0.25,
            "selective_time_added": 0.05,
            "full_memory_saved": 0.5,
            "full_time_added": 0.25,
        }
    )


@pytest.mark.parametrize("scale", [Scale.TINY, Scale.SINGLE, Scale.FULL])
def test_the_formula_tells_less_the_more_is_computed_again(scale: Scale) -> None:
    config = parse(Config, {"SCALE": scale})
    predicted = [config.predicted(recompute) for recompute in Recompute]
    assert predicted == sorted(predicted, reverse=True)
    assert config.footprint(config.min_workers).activations == predicted[0]


def test_without_the_matrix_of_attention_there_is_less_to_save() -> None:
    eager, sdpa = (parse(Config, {"SCALE": "tiny", "ATTENTION": name}) for name in ("eager", "sdpa"))
    assert sdpa.predicted(Recompute.NONE) < eager.predicted(Recompute.NONE)
    assert sdpa.predicted(Recompute.NONE) == sdpa.predicted(Recompute.SELECTIVE)
