"""A second, slower look at the first of a ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clusterlab.config import Source
from jobs.retrieval.embedders import Embedder
from jobs.retrieval.ranking import Ranking

NONE, MAXSIM = "none", "maxsim"
MADE = (NONE, MAXSIM)


class Reranker(Protocol):
    """Says how well each of some texts answers a query."""

    def scores(self, query: str, texts: Sequence[str]) -> Any:
        """One number a text, float32; the higher, the better."""


def load_reranker(source: Source, embedder: Embedder) -> Reranker | None:
    """`none`, `maxsim` on the embedder's tokens, or the folder or hub id of a cross-encoder."""
    if source == NONE:
        return None
    if source == MAXSIM:
        return MaxSim(embedder=embedder)
    from jobs.llm.hub import folder_of

    return CrossEncoding(folder_of(source, "model", without=["*.onnx", "*.bin", "onnx/*", "openvino/*"]))


def rerank(reranker: Reranker, query: str, ranking: Ranking, texts: Sequence[str], depth: int) -> Ranking:
    """The first `depth` in the order of the reranker, the others behind them as they were.

    The scores are places from the end, since those of the two parts could not be compared.
    """
    import numpy as np

    first = ranking.numbers[:depth]
    order = np.argsort(-reranker.scores(query, [texts[number] for number in first]), kind="stable")
    numbers = np.concatenate([first[order], ranking.numbers[depth:]])
    return Ranking(numbers=numbers, scores=np.arange(len(numbers), 0, -1, dtype=np.float32))


@dataclass(frozen=True, kw_only=True, slots=True)
class MaxSim:
    """Late interaction: for each token of the query the nearest of the text (Khattab, Zaharia, 2020, ColBERT)."""

    embedder: Embedder

    def scores(self, query: str, texts: Sequence[str]) -> Any:
        """See `Reranker`."""
        import numpy as np

        asked, *answers = self.embedder.tokens([query, *texts])
        return np.array([(asked @ answer.T).max(axis=1).mean() for answer in answers], np.float32)


class CrossEncoding:
    """A transformer that reads query and text together."""

    def __init__(self, folder: Path) -> None:
        from sentence_transformers import CrossEncoder

        self._model = CrossEncoder(str(folder), local_files_only=True)

    def scores(self, query: str, texts: Sequence[str]) -> Any:
        """See `Reranker`."""
        return self._model.predict([(query, text) for text in texts], show_progress_bar=False)
