"""A specialised model at work: it takes the arguments of its task, and answers in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from jobs.experts import images
from jobs.experts.cards import EXPERTS, Expert
from jobs.experts.examples import LABELS
from jobs.experts.networks import NETWORKS
from jobs.experts.sentences import MAX_WORDS, MOODS, all_words
from jobs.experts.tasks import TASKS, Kind

UNKNOWN = "?"
VOCABULARY = ("", UNKNOWN, *all_words(), *images.SHAPES, *images.COUNTS, *MOODS)
"""Word 0 is none."""
_IDS = {word: number for number, word in enumerate(VOCABULARY)}


class Specialist:
    """One model."""

    def __init__(self, expert: Expert) -> None:
        """With random weights."""
        self._expert, self.labels = expert, LABELS[expert.task]
        self.network: nn.Module = NETWORKS[expert.network](len(VOCABULARY), len(self.labels))

    @classmethod
    def load(cls, name: str, folder: Path) -> Specialist:
        """A trained one."""
        specialist = cls(EXPERTS[name])
        specialist.network.load_state_dict(load_file(folder / f"{name}.safetensors"))
        specialist.network.eval()
        return specialist

    def answers(self, inputs: Sequence[tuple[Any, ...]]) -> list[str]:
        """Of many arguments at once."""
        with torch.inference_mode():
            best = self.network(self.encode(inputs)).argmax(-1).tolist()
        if self.labels:
            return [self.labels[number] for number in best]
        return [" ".join(VOCABULARY[number] for number in row if number) for row in best]

    def encode(self, inputs: Sequence[tuple[Any, ...]]) -> Any:
        """Images of shape (batch, height, width); word ids of shape (batch, places), or (batch, 2, places) of pairs."""
        import numpy as np

        if Kind.IMAGE in TASKS[self._expert.task].args.values():
            return torch.from_numpy(np.stack([np.asarray(image, np.float32) for (image,) in inputs]))
        ids = torch.tensor([[_word_ids(text) for text in texts] for texts in inputs])
        return ids if ids.shape[1] > 1 else ids[:, 0]

    def targets(self, answers: Sequence[str]) -> Any:
        """What `encode` is to inputs: label numbers of shape (batch,), or word ids of shape (batch, places)."""
        if self.labels:
            return torch.tensor([self.labels.index(answer) for answer in answers])
        return torch.tensor(list(map(_word_ids, answers)))


def _word_ids(text: str) -> list[int]:
    """A row of `MAX_WORDS`; further words are left out."""
    ids = [_IDS.get(word, _IDS[UNKNOWN]) for word in text.split()][:MAX_WORDS]
    return ids + [0] * (MAX_WORDS - len(ids))
