from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError
from clusterlab.fit.shapes import SHAPES
from jobs.megatron import Config
from jobs.parallel.layout import Layout, Place
from jobs.parallel.layout_picture import draw_layout


def _layout(tensor: int = 1, pipeline: int = 1, context: int = 1, *, sequence: bool = False) -> Layout:
    return Layout(
        tensor_parallel=tensor, pipeline_parallel=pipeline, context_parallel=context, sequence_parallel=sequence
    )


@pytest.mark.parametrize("scale", [Scale.TINY, Scale.SINGLE, Scale.FULL])
def test_every_scale_can_be_laid_out(scale: Scale) -> None:
    config = parse(Config, {"SCALE": scale})
    assert config.layout.data_parallel(config.min_workers) >= 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"TENSOR_PARALLEL": "3", "MIN_WORKERS": "8"},
            "MIN_WORKERS=8: world size 8 = data_parallel ? x tensor_parallel 3 x pipeline_parallel 1 x context_parallel"
            " 1: not a whole number; allowed: a multiple of 3 workers, or factors whose product divides 8",
        ),
        ({"TENSOR_PARALLEL": "4", "MIN_WORKERS": "4"}, "TENSOR_PARALLEL=4: must divide the 2 key-value heads of tiny"),
        ({"TENSOR_PARALLEL": "8", "MIN_WORKERS": "8"}, "TENSOR_PARALLEL=8: must divide the 4 attention heads of tiny"),
        ({"PIPELINE_PARALLEL": "3", "MIN_WORKERS": "6"}, "PIPELINE_PARALLEL=3: must divide the 4 layers of tiny"),
        ({"MODEL": "smollm2-135m", "TENSOR_PARALLEL": "1", "PIPELINE_PARALLEL": "2"}, "first and last stage"),
        ({"SEQUENCE_PARALLEL": "true", "SEQ_LENGTH": "63"}, "TENSOR_PARALLEL=2 must divide SEQ_LENGTH=63"),
        ({"SEQUENCE_PARALLEL": "true", "TENSOR_PARALLEL": "1"}, "with TENSOR_PARALLEL of 2 or more"),
        ({"CONTEXT_PARALLEL": "2", "SEQ_LENGTH": "66"}, "CONTEXT_PARALLEL=2: twice it must divide SEQ_LENGTH=66"),
        ({"PIPELINE_PARALLEL": "0"}, "PIPELINE_PARALLEL=0: must be above 0"),
    ],
)
def test_what_cannot_be_cut_is_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        parse(Config, {"SCALE": "tiny"} | values)
    assert message in str(error.value)


def test_neighbours_are_tensor_parallel_and_stages_lie_farthest_apart() -> None:
    layout = _layout(2, 2)
    assert [layout.place(rank, 8) for rank in (0, 1, 2, 4)] == [
        Place(tensor=0, context=0, data=0, pipeline=0),
        Place(tensor=1, context=0, data=0, pipeline=0),
        Place(tensor=0, context=0, data=1, pipeline=0),
        Place(tensor=0, context=0, data=0, pipeline=1),
    ]


@pytest.mark.parametrize("model", sorted(SHAPES))
def test_the_parts_of_a_model_are_the_model(model: str) -> None:
    shape = SHAPES[model]
    assert _layout().num_parameters(shape, 0) == shape.num_parameters
    stages = 1 if shape.tied else 2
    layout = _layout(1, stages)
    assert sum(layout.num_parameters(shape, stage) for stage in range(stages)) == shape.num_parameters


def test_the_norms_are_what_tensor_parallel_ranks_have_twice() -> None:
    shape = SHAPES["tiny"]
    norms = (2 * shape.num_layers + 1) * shape.hidden_size
    assert 2 * _layout(2).num_parameters(shape, 0) == shape.num_parameters + norms


@pytest.mark.parametrize("world_size", [2, 64])
def test_a_layout_is_drawn(tmp_path: Path, world_size: int) -> None:
    draw_layout(_layout(2), SHAPES["tiny"], world_size, "tiny", tmp_path / "layout.png")
    assert (tmp_path / "layout.png").read_bytes().startswith(b"\x89PNG")
