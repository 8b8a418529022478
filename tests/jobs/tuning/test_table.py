from __future__ import annotations

from typing import Any

from jobs.tuning.table import family_table, markdown

BASE = {"parameters": 1000, "mib": 4.0, "eval_loss": 7.0, "exact_match": 0.0}


def _record(**given: Any) -> dict[str, Any]:
    record = {"trainable_parameters": 10, "eval_loss": 1.0, "exact_match": 0.75, "tokens_per_second": 5000.0}
    sizes = dict.fromkeys(("weights_mib", "gradients_mib", "optimizer_mib", "memory_mib", "saved_mib"), 1.25)
    return record | sizes | given


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert markdown(("method", "n"), [["a", "1"], ["b", "1,000"]]).splitlines() == [
        "| method |     n |",
        "| :----- | ----: |",
        "| a      |     1 |",
        "| b      | 1,000 |",
    ]


def test_every_method_has_a_row_below_the_untouched_base() -> None:
    table = family_table({"lora": _record(), "ia3": _record(trainable_parameters=1)}, BASE)
    rows = [line.split("|")[1].strip() for line in table.splitlines()]
    assert rows[2:] == ["none", "LoRA", "(IA)³"]
    assert " 1.00% " in table
    assert " 75.0% " in table


def test_ranks_that_were_moved_are_told_layer_by_layer() -> None:
    record = _record(ranks_before={"a.q": 6, "a.k": 6}, ranks_after={"a.q": 7, "a.k": 1})
    lines = family_table({"adalora": record}, BASE).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| a.")]
    assert cells == [["a.q", "6", "7"], ["a.k", "6", "1"]]
    assert [cell.strip() for cell in lines[-1].split("|")[1:-1]] == ["sum", "12", "8"]
