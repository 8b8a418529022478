"""The rows of the outlier lab: a form of W8A8, measured at one magnitude of outliers; a table of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Form(StrEnum):
    """How the linear layers compute."""

    VECTORWISE = "vectorwise"
    """Every column in int8."""
    BITSANDBYTES = "bitsandbytes"
    """Outlier activations unquantized, their weights out of int8: what the library keeps at inference."""
    LLM_INT8 = "llm_int8"
    """Outlier activations and their weights unquantized: the decomposition of the paper."""
    SMOOTHQUANT = "smoothquant"
    """Every column in int8, after the migration."""


LABELS = {
    Form.VECTORWISE: "vector-wise int8",
    Form.BITSANDBYTES: "decomposed, weights all int8 (bitsandbytes)",
    Form.LLM_INT8: "decomposed (LLM.int8())",
    Form.SMOOTHQUANT: "SmoothQuant, then vector-wise int8",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One form at one magnitude."""

    form: Form
    magnitude: float
    """How many times larger the planted channels are than they were."""
    migration: float | None = None
    """SmoothQuant's strength."""
    columns_kept: float
    """Share of the activations' columns that are not in int8."""
    matmul_error: float
    """Relative, the mean over layers."""
    kl: float
    """To the unquantized model, in nats a token."""
    perplexity: float


HEAD = ("outliers", "form", "migration", "16-bit columns", "error of a product", "KL (nats a token)", "perplexity")


def write_table(rows: Sequence[Row], unquantized_perplexity: float, path: Path) -> None:
    """Write the rows as a table in Markdown, the unquantized model first."""
    unquantized = ("", "unquantized", "", "", "", "", f"{unquantized_perplexity:.4g}")
    lines = [_line(HEAD), _line(["---"] * len(HEAD)), _line(unquantized), *(_line(_cells(row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def _cells(row: Row) -> Iterable[str]:
    yield f"{row.magnitude:g} x"
    yield LABELS[row.form]
    yield "" if row.migration is None else f"{row.migration:g}"
    yield f"{row.columns_kept:.2%}"
    yield f"{row.matmul_error:.2%}"
    yield f"{row.kl:.2g}"
    yield f"{row.perplexity:.4g}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
