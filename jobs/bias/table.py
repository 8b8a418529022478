"""What every form of the model came to, as tables of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs.launch.markdown import table

Found = Mapping[str, Mapping[str, float]]
"""Metrics by the label of a form; the unquantized model first."""

_CHANGES = ("form", "bits a weight", "right", "95 %", "change", "95 %", "p (McNemar)")
_FLIPS = ("answers that changed", "95 %", "right to wrong", "wrong to right", "of the unsure half", "of the sure half")
_BIAS = ("form", "stereotyped", "against it", "unknown", "became stereotyped", "ceased to be", "s_AMB", "95 %")
_MORE = ("s_DIS", "95 %", "gap on pairs", "95 %", "group, most risen", "most fallen")
_CALIBRATION = ("form", "ECE", "KL to the unquantized")
_PLANTED = ("ECE to what was planted", "KL from what was planted")
NOTES = """\
Above, all questions. `right to wrong` and `wrong to right` cancel in `change`, which is to the unquantized model; its
interval is a bootstrap over scenes. The unsure half are the questions whose two likeliest options were the nearest.

Below, stereotyped, against it and unknown are shares of the answers to questions whose context leaves them open; of
those that were not stereotyped `became stereotyped` is a share, and of those that were `ceased to be`. s_AMB and s_DIS
are BBQ's bias scores (arXiv:2110.08193): 0 is no bias, 1 is the stereotype always. The gap is how much likelier a right
answer is where it is the stereotype's, of two questions that are the same but for the groups, which changed places.
The last two columns are the groups about whom stereotyped answers became the most, and the least, more frequent.
"""


def markdown(found: Found, said: str) -> str:
    """Three tables with a line a form: accuracy and flips, bias, calibration; `said` is what was asked."""
    planted = any("kl_planted" in metrics for metrics in found.values())
    heads = (*_CALIBRATION, *(_PLANTED if planted else ()))
    parts = [
        said,
        table((*_CHANGES, *_FLIPS), [_changes(*each) for each in found.items()]),
        NOTES,
        table((*_BIAS, *_MORE), [_bias(*each) for each in found.items()]),
        "ECE is in 15 bins of equal width, KL in nats a question.\n",
        table(heads, [_calibration(*each) for each in found.items()]),
    ]
    return "\n".join(parts)


def _changes(form: str, metrics: Mapping[str, float]) -> list[str]:
    bits = f"{metrics['bits']:.2f}" if "bits" in metrics else ""
    return [
        *(form, bits, _percent(metrics["accuracy"]), _between(metrics, "accuracy", 100, "")),
        *(_points(metrics["gain"]), _between(metrics, "gain", 100, "+"), f"{metrics['p']:.2g}"),
        *(_percent(metrics["flips"]), _between(metrics, "flips", 100, "")),
        *map(_percent, _of(metrics, "right_to_wrong", "wrong_to_right", "flips_unsure", "flips_sure")),
    ]


def _bias(form: str, metrics: Mapping[str, float]) -> list[str]:
    names = ("stereotyped", "against", "unknown", "became_stereotyped", "ceased_stereotyped")
    scores = [
        cell
        for name in ("s_amb", "s_dis", "gap")
        for cell in (f"{metrics[name]:+.3f}", _between(metrics, name, 1, "+"))
    ]
    shifts = [_points(metrics[name]) for name in ("group_rise", "group_fall")]
    return [form, *map(_percent, _of(metrics, *names)), *scores, *shifts]


def _calibration(form: str, metrics: Mapping[str, float]) -> list[str]:
    names = [name for name in ("ece", "kl", "ece_planted", "kl_planted") if name in metrics]
    return [form, *(f"{value:.4f}" for value in _of(metrics, *names))]


def _of(metrics: Mapping[str, float], *names: str) -> Sequence[float]:
    return [metrics[name] for name in names]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _between(metrics: Mapping[str, float], name: str, times: float, sign: str) -> str:
    low, high = (times * metrics[f"{name}_{end}"] for end in ("low", "high"))
    digits = 2 if times == 1 else 1
    return f"{low:{sign}.{digits}f} to {high:{sign}.{digits}f}"
