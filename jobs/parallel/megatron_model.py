"""The shared Llama as megatron-core builds it: this rank's matrices of this rank's layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clusterlab.errors import InputError, Problem
from clusterlab.fit.memory import Precision, Recompute
from jobs.parallel.layout import Layout
from jobs.parallel.megatron_weights import fill
from jobs.parallel.model import llama, llama_config
from jobs.parallel.settings import Device, Training


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How megatron-core holds the model."""

    layout: Layout
    precision: Precision
    recompute: Recompute
    distributed_optimizer: bool


def gpt_model(config: Training, options: Options) -> Any:
    """This rank's part of the same Llama that every engine begins with."""
    from megatron.core import parallel_state
    from megatron.core.models.gpt.gpt_model import GPTModel
    from megatron.core.transformer.module import Float16Module

    hugging_face = llama_config(config.shape, config.seq_length)
    settings = _settings(config, options, eps=hugging_face.rms_norm_eps)
    first, last = parallel_state.is_pipeline_first_stage(), parallel_state.is_pipeline_last_stage()
    model = GPTModel(
        config=settings,
        transformer_layer_spec=_layers(settings, options.layout, last=last),
        vocab_size=config.shape.vocab_size,
        max_sequence_length=config.seq_length,
        pre_process=first,
        post_process=last,
        position_embedding_type="rope",
        rotary_base=hugging_face.rope_parameters["rope_theta"],
        share_embeddings_and_output_weights=config.shape.tied,
    )
    weights = llama(config.shape, config.seq_length, seed=config.seed).state_dict()
    rank, size = parallel_state.get_tensor_model_parallel_rank(), options.layout.tensor_parallel
    fill(model, weights, config.shape, rank=rank, size=size)
    return Float16Module(settings, model) if options.precision is Precision.MIXED else model


def _settings(config: Training, options: Options, *, eps: float) -> Any:
    """The model's shape and layout in megatron-core's words.

    The fused kernels are left off: they are CUDA extensions, and Transformer Engine brings its own where it is.
    """
    import torch
    from megatron.core.distributed import finalize_model_grads
    from megatron.core.transformer.transformer_config import TransformerConfig

    shape, layout = config.shape, options.layout
    mixed = options.precision is Precision.MIXED
    dtype = torch.bfloat16 if mixed else torch.float32
    full = {"recompute_method": "uniform", "recompute_num_layers": 1} if options.recompute is Recompute.FULL else {}
    return TransformerConfig(
        num_layers=shape.num_layers,
        hidden_size=shape.hidden_size,
        ffn_hidden_size=shape.intermediate_size,
        num_attention_heads=shape.num_attention_heads,
        num_query_groups=shape.num_key_value_heads,
        normalization="RMSNorm",
        layernorm_epsilon=eps,
        gated_linear_unit=True,
        activation_func=torch.nn.functional.silu,
        add_bias_linear=False,
        attention_dropout=0.0,
        hidden_dropout=0.0,
        tensor_model_parallel_size=layout.tensor_parallel,
        pipeline_model_parallel_size=layout.pipeline_parallel,
        context_parallel_size=layout.context_parallel,
        sequence_parallel=layout.sequence_parallel,
        bf16=mixed,
        params_dtype=dtype,
        pipeline_dtype=dtype,
        perform_initialization=False,
        use_cpu_initialization=config.device is Device.CPU,
        recompute_granularity=None if options.recompute is Recompute.NONE else str(options.recompute),
        gradient_accumulation_fusion=False,
        masked_softmax_fusion=False,
        persist_layer_norm=False,
        batch_p2p_sync=False,
        finalize_model_grads_func=finalize_model_grads,
        **full,
    )


def _layers(settings: Any, layout: Layout, *, last: bool) -> Any:
    """Transformer Engine's layers where it is installed, else megatron-core's own.

    Raises:
        InputError: context parallelism without Transformer Engine.
    """
    import importlib.util

    import torch
    from megatron.core.models.gpt import gpt_layer_specs
    from megatron.core.transformer.transformer_block import TransformerBlockSubmodules

    if torch.cuda.is_available() and importlib.util.find_spec("transformer_engine"):
        return gpt_layer_specs.get_gpt_layer_with_transformer_engine_spec()
    if layout.context_parallel > 1:
        message = "needs Transformer Engine's attention; pip install transformer-engine[pytorch], on a node with CUDA"
        raise InputError(Problem(path=f"CONTEXT_PARALLEL={layout.context_parallel}", message=message))
    layer = gpt_layer_specs.get_gpt_layer_local_spec(normalization="RMSNorm")
    norm = _norm()
    layer.submodules.input_layernorm = layer.submodules.pre_mlp_layernorm = norm
    num_layers = settings.num_layers // layout.pipeline_parallel
    return TransformerBlockSubmodules(layer_specs=[layer] * num_layers, layer_norm=norm if last else None)


def _norm() -> type[Any]:
    """RMSNorm for sequence parallelism, which megatron-core's own, without Apex, refuses."""
    import torch

    class RMSNorm(torch.nn.RMSNorm):  # type: ignore[misc]
        def __init__(self, config: Any, hidden_size: int, eps: float = 1e-5, **_: Any) -> None:
            super().__init__(hidden_size, eps=eps, dtype=config.params_dtype, device=torch.cuda.current_device())
            # Each rank sees some tokens of a row only: this has its gradient summed over them.
            self.weight.sequence_parallel = config.sequence_parallel

    return RMSNorm
