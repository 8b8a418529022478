"""Expert parallelism: each rank has its own experts of every layer, and its own rows; all else is on every rank."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.fit.memory import Precision, States
from jobs.parallel.mixtral import Mixture, losses, mixtral
from jobs.parallel.model import next_token_loss
from jobs.parallel.settings import Training
from jobs.parallel.state import load_state, save_state, states_of

if TYPE_CHECKING:
    from jobs.parallel.exchange import Traffic


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What is trained, and how."""

    mixture: Mixture
    balance: float
    """How much the balance loss counts."""
    precision: Precision


class ExpertParallel:
    """An `Engine` by GShard's way (arXiv:2006.16668), over all ranks of the process group.

    Gradients of what every rank has are averaged. An expert has already got the gradients of all ranks' tokens, and
    since each rank's loss is the mean of its own, their sum is divided by the number of ranks.
    """

    def __init__(self, config: Training, options: Options) -> None:
        import torch
        import torch.distributed as dist
        from torch.distributed.device_mesh import init_device_mesh

        from jobs.parallel.exchange import Traffic, spread

        self.data_rank, self.data_size = int(dist.get_rank()), int(dist.get_world_size())
        self.device, self.traffic = torch.device(config.device), Traffic()
        self.mixture, self._options = options.mixture, options
        self.model = mixtral(options.mixture, config.seq_length, seed=config.seed)
        mesh = init_device_mesh(self.device.type, (self.data_size,))
        spread(self.model, mesh, self.traffic, torch.bfloat16 if self._mixed else torch.float32)
        self.model.to(self.device)
        self._experts = [weight for name, weight in self.model.named_parameters() if ".experts." in name]
        self._shared = [weight for name, weight in self.model.named_parameters() if ".experts." not in name]
        # In one group of their own: a fused step takes DTensors or tensors, and not both at once.
        groups = [{"params": self._shared}, {"params": self._experts}]
        settings = {"lr": config.learning_rate, "weight_decay": config.weight_decay, "fused": True}
        self.optimizer = torch.optim.AdamW(groups, **settings)
        self._group = dist.new_group(backend="gloo")

    def train_step(self, micro_batches: Sequence[Any]) -> Any:
        """Gradients are added up here, and averaged over the ranks once a step; the balance loss is not in the mean."""
        import torch

        total = torch.zeros((), device=self.device)
        for tokens in micro_batches:
            with self._autocast():
                loss, balance = losses(self.model, tokens.to(self.device), self.mixture.top_k)
            ((loss + self._options.balance * balance) / len(micro_batches)).backward()
            total += loss.detach() / len(micro_batches)
        self._average()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total

    def loss(self, tokens: Any) -> Any:
        """Mean loss in nats a token of token ids `[rows, length + 1]`, with its graph. All ranks at once."""
        tokens = tokens.to(self.device)
        with self._autocast():
            logits = self.model(tokens[:, :-1]).logits
        return next_token_loss(logits, tokens)

    def experts_of(self, tokens: Any) -> Any:
        """By layer the experts of each token: `[layers, tokens, top_k]`. All ranks at once."""
        import torch

        with torch.no_grad(), self._autocast():
            layers = self.model(tokens[:, :-1].to(self.device), output_router_logits=True).router_logits
        return torch.stack([logits.topk(self.mixture.top_k).indices for logits in layers])

    @property
    def num_parameters(self) -> int:
        """Of the whole model: a spread tensor counts all of its experts."""
        return sum(weight.numel() for weight in self.model.parameters())

    def traffic_of_step(self, micro_batches: Sequence[Any]) -> Traffic:
        """What all ranks together send and compute in a step more. All ranks at once."""
        import torch
        import torch.distributed as dist

        from jobs.parallel.exchange import Traffic

        self.traffic.sent_bytes = self.traffic.rows = 0
        self.train_step(micro_batches)
        total = torch.tensor([self.traffic.sent_bytes, self.traffic.rows], device=self.device)
        dist.all_reduce(total)
        sent_bytes, rows = total.tolist()
        return Traffic(sent_bytes=sent_bytes, rows=rows)

    def states(self) -> States:
        """Bytes that this rank holds from step to step."""
        return states_of(self.model, self.optimizer)

    def export(self, folder: Path) -> None:
        """Write the whole model as `from_pretrained` loads it, at rank 0. All ranks at once."""
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

        whole = get_model_state_dict(self.model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
        if self.data_rank == 0:
            self.model.save_pretrained(folder, state_dict=whole)

    def save(self, folder: Path) -> Future[Any]:
        """Write this rank's experts, and its part of all else, beside the next steps."""
        return save_state(self.model, self.optimizer, folder, self._group)

    def load(self, folder: Path) -> None:
        """Read this rank's part, whatever the number of ranks that wrote it."""
        load_state(self.model, self.optimizer, folder, self._group)

    def close(self) -> None:
        """Drop the model."""
        import torch.distributed as dist

        dist.destroy_process_group(self._group)
        del self.model, self.optimizer, self._experts, self._shared

    def _average(self) -> None:
        import torch.distributed as dist

        for weight in (*self._shared, *self._experts):
            weight.grad /= self.data_size
        for weight in self._shared:
            dist.all_reduce(weight.grad)

    @property
    def _mixed(self) -> bool:
        return self._options.precision is Precision.MIXED

    def _autocast(self) -> AbstractContextManager[Any]:
        import torch

        context: AbstractContextManager[Any] = torch.autocast(self.device.type, torch.bfloat16, enabled=self._mixed)
        return context
