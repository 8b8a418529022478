from __future__ import annotations

import re

from clusterlab.config import Scale, Source, parse
from jobs.compress.corpus import SHIPPED, Corpus
from jobs.llm.bases import Base
from jobs.quantize import Config


def test_the_shipped_text_is_plain_english_without_a_paragraph_twice() -> None:
    text = SHIPPED.read_text()
    paragraphs = text.split("\n\n")
    assert text.isascii()
    assert 20_000 < len(text) < 40_000
    assert len(set(paragraphs)) == len(paragraphs)
    assert not re.search(r"  |\t", text)


def test_it_has_the_rows_that_the_scale_small_asks_for() -> None:
    config = parse(Config, {"SCALE": Scale.SMALL})
    corpus = Corpus.of(
        Source("shipped"),
        Base.of(Source("smollm2-135m-instruct"), lambda *_: None).tokenizer(),
        row_length=config.row_length,
        num_calibration=config.num_calibration,
        num_evaluation=config.num_evaluation,
        seed=config.seed,
    )
    assert len(corpus.calibration) + len(corpus.evaluation) == config.num_calibration + config.num_evaluation
