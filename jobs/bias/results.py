"""What all forms of a model answered, as metrics, tables, a picture and a line a question."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.bias.findings import by_group, findings
from jobs.bias.forms import FORMS
from jobs.bias.picture import draw
from jobs.bias.question import Question
from jobs.bias.sheet import Sheet
from jobs.bias.table import markdown
from jobs.compress.methods import UNQUANTIZED

PLANTED = "planted"
"""Ends the metrics of what the texts of a world say, as if that were a form of the model."""
LABELS = {name: f"{form.family}, {form.bits:g} bits" for name, form in FORMS.items()}
LABELS |= {UNQUANTIZED: UNQUANTIZED, PLANTED: "what was planted"}
COMPARED = (("rtn_4", "rtn_8"), ("rtn_3", "rtn_8"), ("nf4", "llm_int8"))
"""Forms of which the first changes more answers than the second; how many times more is a metric."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Results:
    """The shares of the options of every question by form, and what was found in them."""

    questions: Sequence[Question]
    sheet: Sheet
    shares: Mapping[str, Any]
    """(questions, options) by the name of a form, the unquantized model first."""
    found: Mapping[str, Mapping[str, float]]
    """Metrics by the name of a form, with `PLANTED` where that is known."""

    @classmethod
    def of(cls, questions: Sequence[Question], answered: Mapping[str, Mapping[str, Any]], *, seed: int) -> Results:
        """Measure all forms; each has its `shares`, and what else it has, as the `bits` of a weight, is a metric."""
        import numpy as np

        sheet = Sheet.of(questions)
        shares = {name: np.array(each["shares"]) for name, each in answered.items()}
        rates = [each.planted for each in questions]
        planted = None if None in rates else np.array(rates)
        asked = {PLANTED: planted} | shares if planted is not None else shares
        found = {name: findings(sheet, shares[UNQUANTIZED], now, planted, seed=seed) for name, now in asked.items()}
        for name, each in answered.items():
            found[name] |= {taken: value for taken, value in each.items() if taken != "shares"}
        return cls(questions=questions, sheet=sheet, shares=shares, found=found)

    @property
    def metrics(self) -> dict[str, float]:
        """Each by its name and that of its form; how many times more answers one form changes than another."""
        metrics = {f"{metric}_{name}": value for name, own in self.found.items() for metric, value in own.items()}
        for more, less in COMPARED:
            if metrics.get(f"flips_{less}") and f"flips_{more}" in metrics:
                metrics[f"flips_ratio_{more}_to_{less}"] = metrics[f"flips_{more}"] / metrics[f"flips_{less}"]
        return metrics

    def write(self, folder: Path, title: str) -> None:
        """Write `table.md`, `bias.png` and `answers.jsonl`."""
        found = {LABELS[name]: metrics for name, metrics in self.found.items()}
        (folder / "table.md").write_text(markdown(found, f"{title}.\n"))
        groups = {LABELS[name]: by_group(self.sheet, now) for name, now in self.shares.items()}
        draw(found, groups, title, folder / "bias.png")
        lines = (json.dumps(self._line(place)) for place in range(len(self.questions)))
        (folder / "answers.jsonl").write_text("".join(f"{line}\n" for line in lines))

    def _line(self, place: int) -> dict[str, Any]:
        """A question with what each form answered, and the shares of its options."""
        question = self.questions[place]
        told = {name: getattr(question, name) for name in ("key", "group", "context", "text", "options")}
        options = question.options
        stereotype = None if question.stereotyped is None else options[question.stereotyped]
        answers = {name: options[now[place].argmax()] for name, now in self.shares.items()}
        shares = {name: [round(share, 4) for share in now[place].tolist()] for name, now in self.shares.items()}
        return {
            **told,
            "right": options[question.label],
            "stereotype": stereotype,
            "planted": question.planted,
            "answers": answers,
            "shares": shares,
        }
