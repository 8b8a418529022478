"""How a model lies over ranks: by tensor, pipeline, context and data parallelism, in megatron-core's order."""

from __future__ import annotations

from dataclasses import dataclass

from clusterlab.errors import InputError, Problem
from clusterlab.fit.shapes import Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What one rank has: which part along each axis, counted from 0."""

    tensor: int
    context: int
    data: int
    pipeline: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Into how many parts each axis is cut; the ranks that are left over are data parallel."""

    tensor_parallel: int
    pipeline_parallel: int
    context_parallel: int
    sequence_parallel: bool

    @property
    def model_parallel(self) -> int:
        """How many ranks hold one model together."""
        return self.tensor_parallel * self.pipeline_parallel * self.context_parallel

    def problems(self, shape: Shape, seq_length: int) -> list[str]:
        """Why the model cannot be cut so, each with what is allowed; empty where it can."""
        tensor, pipeline, context = self.tensor_parallel, self.pipeline_parallel, self.context_parallel
        wrong = [
            f"TENSOR_PARALLEL={tensor}: must divide the {count} {what} of {shape.name}"
            for what, count in (
                ("attention heads", shape.num_attention_heads),
                ("key-value heads", shape.num_key_value_heads),
                ("columns of the MLP", shape.intermediate_size),
                ("tokens of the vocabulary", shape.vocab_size),
            )
            if count % tensor
        ]
        if shape.num_layers % pipeline:
            wrong.append(f"PIPELINE_PARALLEL={pipeline}: must divide the {shape.num_layers} layers of {shape.name}")
        if shape.tied and pipeline > 1:
            wrong.append(
                f"PIPELINE_PARALLEL={pipeline}: allowed: 1; the first and last stage of {shape.name} share a matrix"
            )
        if context > 1 and seq_length % (2 * context):
            wrong.append(f"CONTEXT_PARALLEL={context}: twice it must divide SEQ_LENGTH={seq_length}")
        if self.sequence_parallel and tensor == 1:
            wrong.append("SEQUENCE_PARALLEL=true: allowed: with TENSOR_PARALLEL of 2 or more, whose ranks share a row")
        elif self.sequence_parallel and (seq_length // context) % tensor:
            wrong.append(f"SEQUENCE_PARALLEL=true: TENSOR_PARALLEL={tensor} must divide SEQ_LENGTH={seq_length}")
        return wrong

    def world_problem(self, world_size: int) -> str | None:
        """Why so many ranks cannot be laid out, with every factor; None where they can."""
        if world_size % self.model_parallel == 0:
            return None
        return (
            f"world size {world_size} = data_parallel ? x tensor_parallel {self.tensor_parallel} x pipeline_parallel"
            f" {self.pipeline_parallel} x context_parallel {self.context_parallel}: not a whole number; allowed: a"
            f" multiple of {self.model_parallel} workers, or factors whose product divides {world_size}"
        )

    def check_world(self, world_size: int) -> None:
        """Refuse a number of ranks that cannot be laid out.

        Raises:
            InputError: with every factor.
        """
        wrong = self.world_problem(world_size)
        if wrong:
            raise InputError(Problem(path=f"WORLD_SIZE={world_size}", message=wrong))

    def factors(self, world_size: int) -> str:
        """The factors of the world size that are not 1, for a title."""
        counts = {
            "data": self.data_parallel(world_size),
            "tensor": self.tensor_parallel,
            "pipeline": self.pipeline_parallel,
            "context": self.context_parallel,
        }
        product = " x ".join(f"{name} {count}" for name, count in counts.items() if count > 1) or "no parallelism"
        return product + (", sequence parallel" if self.sequence_parallel else "")

    def data_parallel(self, world_size: int) -> int:
        """How many copies of the model there are."""
        return world_size // self.model_parallel

    def place(self, rank: int, world_size: int) -> Place:
        """Where a rank lies: tensor parallel ranks are neighbours, then context, data, and pipeline."""
        rank, tensor = divmod(rank, self.tensor_parallel)
        rank, context = divmod(rank, self.context_parallel)
        pipeline, data = divmod(rank, self.data_parallel(world_size))
        return Place(tensor=tensor, context=context, data=data, pipeline=pipeline)

    def layers(self, shape: Shape, pipeline: int) -> range:
        """The layers of a stage, counted from 0."""
        each = shape.num_layers // self.pipeline_parallel
        return range(pipeline * each, (pipeline + 1) * each)

    def num_parameters(self, shape: Shape, pipeline: int) -> int:
        """How many weights a rank of a stage has: matrices are cut by tensor parallelism, norms are whole."""
        norms = 2 * shape.hidden_size
        layer = (shape.parameters_per_layer - norms) // self.tensor_parallel + norms
        matrix = shape.embedding_parameters // self.tensor_parallel
        last = pipeline == self.pipeline_parallel - 1
        outside = matrix * (pipeline == 0) + last * (shape.hidden_size + (0 if shape.tied else matrix))
        return len(self.layers(shape, pipeline)) * layer + outside
