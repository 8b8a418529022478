"""Which adapter a request is for: a linear layer on what the base itself makes of the prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.llm.alpaca import Tokens

STEPS = 200
LEARNING_RATE = 0.05
WEIGHT_DECAY = 1e-3
BATCH_SIZE = 32


class Router:
    """Softmax regression on the mean of the base's last hidden states over a prompt, each feature at unit variance."""

    def __init__(self, names: Sequence[str], weights: dict[str, Any]) -> None:
        self.names = list(names)
        """Of the adapters."""
        self._weights = weights

    @classmethod
    def learn(cls, model: Any, tokenizer: Any, examples: Mapping[str, Sequence[Tokens]], *, seed: int) -> Router:
        """From prompts whose adapter is known; `model` is the base, or has its adapters disabled."""
        import torch

        torch.manual_seed(seed)
        features = torch.cat([prompt_features(model, tokenizer, part) for part in examples.values()])
        labels = torch.tensor([number for number, part in enumerate(examples.values()) for _ in part])
        mean, deviation = features.mean(0), features.std(0).clamp_min(1e-6)
        layer = torch.nn.Linear(features.shape[1], len(examples))
        optimizer = torch.optim.AdamW(layer.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        for _ in range(STEPS):
            loss = torch.nn.functional.cross_entropy(layer((features - mean) / deviation), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        trained = {name: weight.detach() for name, weight in layer.state_dict().items()}
        return cls(list(examples), {"mean": mean, "deviation": deviation} | trained)

    @classmethod
    def load(cls, path: Path) -> Router:
        """What `save` wrote."""
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            weights = {name: file.get_tensor(name) for name in ("mean", "deviation", "weight", "bias")}
            return cls(file.metadata()["names"].split(","), weights)

    def save(self, path: Path) -> None:
        """Write it as safetensors, with the names of the adapters."""
        from safetensors.torch import save_file

        save_file(self._weights, path, metadata={"names": ",".join(self.names)})

    def choose(self, model: Any, tokenizer: Any, examples: Sequence[Tokens]) -> list[str]:
        """The adapter for each prompt."""
        weights = self._weights
        features = (prompt_features(model, tokenizer, examples) - weights["mean"]) / weights["deviation"]
        scores = features @ weights["weight"].T + weights["bias"]
        return [self.names[number] for number in scores.argmax(1).tolist()]


def prompt_features(model: Any, tokenizer: Any, examples: Sequence[Tokens]) -> Any:
    """Float32 of shape (examples, hidden), on the CPU: the mean of the last hidden states over each prompt's tokens."""
    import torch

    causal_lm = model.get_base_model() if hasattr(model, "get_base_model") else model
    causal_lm.eval()
    device = next(causal_lm.parameters()).device
    found = []
    with torch.no_grad():
        for start in range(0, len(examples), BATCH_SIZE):
            prompts = [example.prompt for example in examples[start : start + BATCH_SIZE]]
            # Padded on the right: positions count from the first token, as in training.
            batch = tokenizer.pad({"input_ids": prompts}, padding_side="right", return_tensors="pt").to(device)
            hidden = causal_lm.model(**batch, use_cache=False).last_hidden_state.float()
            mask = batch["attention_mask"].unsqueeze(2)
            found.append(((hidden * mask).sum(1) / mask.sum(1)).cpu())
    return torch.cat(found)
