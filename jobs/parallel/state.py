"""Weights and optimizer of a torch model as `torch.distributed.checkpoint` writes and reads them, sharded or whole."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from clusterlab.fit.memory import States


def save_state(model: Any, optimizer: Any, folder: Path, group: Any) -> Future[Any]:
    """Copy this rank's part, and write the copy beside the next steps.

    `group` is a process group on gloo that nothing else uses, so that a checkpoint's messages and a step's cannot be
    taken for each other. All ranks at once.
    """
    import torch.distributed.checkpoint as dcp

    return _with_errors(dcp.async_save(_state(model, optimizer), checkpoint_id=folder, process_group=group))


def load_state(model: Any, optimizer: Any, folder: Path, group: Any) -> None:
    """Read this rank's part, whatever the number of ranks that wrote it. All ranks at once."""
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import set_state_dict

    state = _state(model, optimizer)
    dcp.load(state, checkpoint_id=folder, process_group=group)
    set_state_dict(model, optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"])


def load_weights(model: Any, folder: Path) -> None:
    """Read the weights into a model of this process alone, whoever wrote them."""
    import torch.distributed.checkpoint as dcp

    state = {"model": model.state_dict()}
    dcp.load(state, checkpoint_id=folder, no_dist=True)
    model.load_state_dict(state["model"])


def states_of(model: Any, optimizer: Any) -> States:
    """Bytes that this rank holds from step to step; a gradient is as large as its weight."""
    weights = sum(_local_bytes(weight) for weight in model.parameters())
    moments = (value for state in optimizer.state.values() for name, value in state.items() if name != "step")
    return States(parameters=weights, gradients=weights, optimizer=sum(map(_local_bytes, moments)))


def _state(model: Any, optimizer: Any) -> dict[str, Any]:
    from torch.distributed.checkpoint.state_dict import get_state_dict

    weights, moments = get_state_dict(model, optimizer)
    return {"model": weights, "optimizer": moments}


def _local_bytes(tensor: Any) -> int:
    local = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return int(local.numel() * local.element_size())


def _with_errors(written: Future[Any]) -> Future[Any]:
    """The same, with an error that is an Exception: DCP's is none, and passes every `except` on its way."""
    future: Future[Any] = Future()

    def copy(done: Future[Any]) -> None:
        error = done.exception()
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(RuntimeError(str(error)))

    written.add_done_callback(copy)
    return future
