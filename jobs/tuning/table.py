"""What methods took and learned as tables in Markdown, which also read well in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.tuning.methods import METHODS

HEADER = (
    "method",
    "trained",
    "of all",
    "weights MiB",
    "gradients MiB",
    "optimizer MiB",
    "sum MiB",
    "saved MiB",
    "loss",
    "exact match",
    "tokens/s",
)


def family_table(found: Mapping[str, Mapping[str, Any]], base: Mapping[str, Any]) -> str:
    """One row a method, the untouched base first; below it the ranks of each layer where a method moved them."""
    untouched = ["none", "0", "0", f"{base['mib']:.2f}", "0", "0", f"{base['mib']:.2f}", "0"]
    rows = [[*untouched, f"{base['eval_loss']:.3f}", f"{base['exact_match']:.1%}", ""]]
    rows += [_row(name, record, base["parameters"]) for name, record in found.items()]
    tables = [markdown(HEADER, rows)]
    for name, record in found.items():
        if "ranks_after" in record:
            tables.append(f"Ranks of {METHODS[name].title} before and after, by layer:\n\n{_ranks(record)}")
    return "\n".join(tables)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are as wide as their widest cell; the first to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    lines = [
        _line(header, widths),
        _line([":" + "-" * (widths[0] - 1), *("-" * (w - 1) + ":" for w in widths[1:])], widths),
    ]
    lines += [_line(row, widths) for row in rows]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = cells
    padded = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
    return f"| {' | '.join(padded)} |"


def _row(name: str, record: Mapping[str, Any], num_parameters: int) -> list[str]:
    trained = record["trainable_parameters"]
    parts = ("weights_mib", "gradients_mib", "optimizer_mib", "memory_mib", "saved_mib")
    return [
        METHODS[name].title,
        f"{trained:,}",
        f"{trained / num_parameters:.2%}",
        *(f"{record[part]:.2f}" for part in parts),
        f"{record['eval_loss']:.3f}",
        f"{record['exact_match']:.1%}",
        f"{record['tokens_per_second']:,.0f}",
    ]


def _ranks(record: Mapping[str, Any]) -> str:
    before, after = record["ranks_before"], record["ranks_after"]
    rows = [[layer, str(rank), str(after[layer])] for layer, rank in before.items()]
    return markdown(("layer", "before", "after"), [*rows, ["sum", str(sum(before.values())), str(sum(after.values()))]])
