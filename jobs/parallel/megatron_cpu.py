"""megatron-core where there is no GPU: it asks for a CUDA device by name, and gets the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jobs.parallel.settings import Device

_EXTENSIONS = (
    ".*(Transformer Engine|transformer_engine|[Aa]pex|absl|CUDA_DEVICE_MAX_CONNECTIONS|full scope|experimental)"
)


@contextmanager
def on_device(device: Device) -> Iterator[None]:
    """Let megatron-core compute on a device, without its warnings of itself; with CUDA that is all.

    On a CPU, `device="cuda"`, the current device and the wait for it are answered by the CPU while this lasts. Nothing
    of megatron-core is replaced, so what it can do on CUDA alone fails as it would without this.
    """
    with _quiet():
        if device is Device.CUDA:
            yield
            return
        import torch

        saved = torch.cuda.current_device, torch.cuda.synchronize
        torch.cuda.current_device = lambda: torch.device("cpu")
        torch.cuda.synchronize = lambda *_: None
        try:
            with _cpu_for_cuda():
                yield
        finally:
            torch.cuda.current_device, torch.cuda.synchronize = saved


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what megatron-core says of its own old calls and of extensions that only CUDA can have."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning):
            warnings.filterwarnings("ignore", module=r"megatron\.core", category=category)
        # Of what megatron-core calls, and torch lays to the mode below.
        warnings.filterwarnings("ignore", message="Please use DTensor instead", category=FutureWarning)
        warnings.filterwarnings("ignore", module=r"megatron\.core", message=_EXTENSIONS)
        yield


def _cpu_for_cuda() -> Any:
    """A mode of torch in which whatever is made on, or moved to, a CUDA device is on the CPU."""
    import torch
    from torch.overrides import TorchFunctionMode

    class CpuForCuda(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
        ) -> Any:
            del types
            if func is torch.Tensor.cuda:
                return args[0]
            given = dict(kwargs or {})
            if "device" in given and _is_cuda(given["device"]):
                given["device"] = torch.device("cpu")
            return func(*args, **given)

    return CpuForCuda()


def _is_cuda(device: Any) -> bool:
    return str(device).partition(":")[0] == "cuda"
