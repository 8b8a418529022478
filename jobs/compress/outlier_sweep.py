"""The measurements of the outlier lab: forms of W8A8 on one model, with outliers planted at a magnitude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.compress.corpus import Corpus
from jobs.compress.distortion import matmul_errors, share_of_columns
from jobs.compress.int8 import Installed, Int8Linear, decompose, decompose_stored, quantize
from jobs.compress.outlier_rows import Form, Row
from jobs.compress.outliers import busiest_channels, outlier_features, plant
from jobs.compress.quality import kl_divergence, log_probabilities, perplexity
from jobs.compress.smooth import channel_maxima, smooth
from jobs.llm.bases import Base


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What all measurements share. The model is loaded anew for each, so that none sees what another did to it."""

    base: Base
    corpus: Corpus
    threshold: float
    channels: Any
    """(num_outliers,), int64: where to plant."""

    @classmethod
    def of(cls, base: Base, corpus: Corpus, *, threshold: float, num_outliers: int) -> Sweep:
        """Choose the channels by the calibration rows."""
        model = base.load(quantized=False)
        channels = busiest_channels(model, channel_maxima(model, corpus.calibration), num_outliers)
        return cls(base=base, corpus=corpus, threshold=threshold, channels=channels)

    def forms(self, magnitude: float) -> list[Row]:
        """The three forms that leave the outliers where they are."""
        model = self._planted(magnitude)
        layers = quantize(model)
        forms = {
            Form.VECTORWISE: layers,
            Form.BITSANDBYTES: decompose_stored(layers, self.threshold),
            Form.LLM_INT8: decompose(model, layers, self.threshold),
        }
        kept = share_of_columns(model, self.threshold, self.corpus.evaluation)
        return self._rows(magnitude, model, forms, {Form.BITSANDBYTES: kept, Form.LLM_INT8: kept})

    def smoothed(self, magnitude: float, migration: float) -> list[Row]:
        """Vector-wise int8 after SmoothQuant."""
        model = self._planted(magnitude)
        smooth(model, channel_maxima(model, self.corpus.calibration), migration)
        return self._rows(magnitude, model, {Form.SMOOTHQUANT: quantize(model)}, {}, migration)

    def describe(self, magnitude: float, migration: float) -> tuple[dict[str, list[float]], dict[str, float]]:
        """The largest activations by channel before and after the migration, and what planting is.

        They are those after the norm that gives the largest of all.
        """
        rows = self.corpus.calibration
        natural, planted = self.base.load(quantized=False), None
        measured: dict[str, float] = {
            "perplexity": perplexity(natural, self.corpus.evaluation),
            "natural_outlier_features": len(outlier_features(natural, rows, self.threshold)),
            "natural_max_activation": _largest(channel_maxima(natural, rows)),
        }
        wanted = _logits(natural, rows)
        del natural
        planted = self._planted(magnitude)
        before = channel_maxima(planted, rows)
        measured |= {
            "outlier_features": len(outlier_features(planted, rows, self.threshold)),
            "planted_logit_gap": (_logits(planted, rows) - wanted).abs().max().item(),
            "max_activation": _largest(before),
        }
        smooth(planted, before, migration)
        after = channel_maxima(planted, rows)
        measured |= {
            "smoothed_max_activation": _largest(after),
            "smoothed_logit_gap": (_logits(planted, rows) - wanted).abs().max().item(),
        }
        name = max(before, key=lambda name: float(before[name].max()))
        return {"before": before[name].tolist(), "after": after[name].tolist()}, measured

    def _planted(self, magnitude: float) -> Any:
        model = self.base.load(quantized=False)
        plant(model, self.channels, magnitude)
        return model

    def _rows(
        self,
        magnitude: float,
        model: Any,
        forms: Mapping[Form, Mapping[str, Int8Linear]],
        kept: Mapping[Form, float],
        migration: float | None = None,
    ) -> list[Row]:
        rows = self.corpus.evaluation
        errors = matmul_errors(model, forms, rows)
        return [
            Row(
                form=form,
                magnitude=magnitude,
                migration=migration,
                columns_kept=kept.get(form, 0.0),
                matmul_error=sum(errors[form].values()) / len(errors[form]),
                kl=kl_divergence(Installed(model=model, layers=layers), log_probabilities(model, rows), rows),
                perplexity=perplexity(Installed(model=model, layers=layers), rows),
            )
            for form, layers in forms.items()
        ]


def _largest(maxima: Mapping[str, Any]) -> float:
    return max(float(each.max()) for each in maxima.values())


def _logits(model: Any, rows: Any) -> Any:
    """(1, length, vocabulary), float32, of the first row."""
    import torch

    with torch.inference_mode():
        return model(input_ids=rows[:1].to(model.device)).logits.float()
