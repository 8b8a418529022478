"""The networks of the specialised models: each gives logits of labels, or of a word for each place of a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from jobs.experts import images
from jobs.experts.sentences import MAX_WORDS

GREY = 0.5
"""Between ink and paper."""


class Network(nn.Module):  # type: ignore[misc]
    """What torch calls a module."""


class Picture(Network):
    """Three convolutions over an image, and what they find most of and on average."""

    def __init__(self, num_classes: int, channels: int, more: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, channels, 5, stride=2, padding=2), nn.ReLU()),
            *(nn.Conv2d(channels, more, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Conv2d(more, more, 3, stride=2, padding=1), nn.ReLU()),
        )
        self.head = nn.Linear(2 * more, num_classes)

    def forward(self, image: Any) -> Any:
        """Logits of shape (batch, classes) of images of shape (batch, height, width)."""
        found = self.layers(image[:, None] - GREY)
        return self.head(torch.cat([found.amax((2, 3)), found.mean((2, 3))], dim=1))


class Counter(Network):
    """Convolutions, and their sum over the image: how often something is there."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, 8, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU())
        )
        self.head = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, num_classes))

    def forward(self, image: Any) -> Any:
        """As of `Picture`."""
        return self.head(self.features(image[:, None] - GREY).mean((2, 3)) * 10)


class Reader(Network):
    """The same small network for each place of a sign: patterns, wherever in their place they are."""

    def __init__(self, num_words: int) -> None:
        super().__init__()
        self.patterns = nn.Conv2d(1, 96, images.GLYPH)
        self.head = nn.Linear(96, num_words)

    def forward(self, image: Any) -> Any:
        """Logits of shape (batch, places, words); word 0 is none."""
        line = image[:, images.TOP : images.BOTTOM] - GREY
        cells = torch.stack(line.split(images.CELL, dim=2), dim=1)
        found = self.patterns(cells.flatten(0, 1)[:, None]).relu().amax((2, 3))
        return self.head(found).unflatten(0, cells.shape[:2])


class Bag(Network):
    """Words without their order."""

    def __init__(self, num_words: int, num_classes: int, hidden_size: int = 8) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(num_words, hidden_size, mode="sum", padding_idx=0)
        self.head = nn.Linear(hidden_size, num_classes)

    def forward(self, words: Any) -> Any:
        """Logits of shape (batch, classes) of word ids of shape (batch, places)."""
        return self.head(self.embedding(words).relu())


class Recurrent(Network):
    """A GRU over the words of a sentence."""

    def __init__(self, num_words: int, num_classes: int, hidden_size: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_words, hidden_size, padding_idx=0)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, num_classes)

    def forward(self, words: Any) -> Any:
        """As of `Bag`."""
        return self.head(self.gru(self.embedding(words))[1][0])


class Translator(Network):
    """A GRU over the words of one language, and from its state a word for each place in another."""

    def __init__(self, num_words: int, hidden_size: int = 64) -> None:
        super().__init__()
        self.encoder = Recurrent(num_words, MAX_WORDS * num_words, hidden_size)

    def forward(self, words: Any) -> Any:
        """Logits of shape (batch, places, words)."""
        return self.encoder(words).unflatten(1, (MAX_WORDS, -1))


class BagTranslator(Network):
    """Words without their order, and from their sum a word for each place."""

    def __init__(self, num_words: int) -> None:
        super().__init__()
        self.bag = Bag(num_words, MAX_WORDS * num_words, 24)

    def forward(self, words: Any) -> Any:
        """As of `Translator`."""
        return self.bag(words).unflatten(1, (MAX_WORDS, -1))


class Pair(Network):
    """Two texts, each read by the same GRU, and what is between their states."""

    def __init__(self, num_words: int, num_classes: int, hidden_size: int = 32) -> None:
        super().__init__()
        self.encoder = Recurrent(num_words, hidden_size, hidden_size)
        self.head = nn.Sequential(nn.Linear(2 * hidden_size, 64), nn.ReLU(), nn.Linear(64, num_classes))

    def forward(self, words: Any) -> Any:
        """Logits of shape (batch, classes) of word ids of shape (batch, 2, places)."""
        first, second = self.encoder(words[:, 0]), self.encoder(words[:, 1])
        return self.head(torch.cat([(first - second).abs(), first * second], dim=1))


NETWORKS: dict[str, Callable[[int, int], Network]] = {
    "picture": lambda _, num_labels: Picture(num_labels, 16, 32),
    "small-picture": lambda _, num_labels: Picture(num_labels, 4, 6),
    "counter": lambda _, num_labels: Counter(num_labels),
    "reader": lambda num_words, _: Reader(num_words),
    "translator": lambda num_words, _: Translator(num_words),
    "bag-translator": lambda num_words, _: BagTranslator(num_words),
    "bag": Bag,
    "recurrent": Recurrent,
    "pair": Pair,
}
"""What makes a network for so many words and so many labels."""
