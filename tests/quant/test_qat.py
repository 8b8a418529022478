"""What quantization-aware training saves, read by transformers where compressed-tensors is; `make test-quant`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from jobs.compress.fake_quant import convert, prepare
from jobs.compress.pack_quantized import save_packed
from jobs.llm.bases import Base
from tests.jobs.conftest import VOCABULARY, small_llama
from tests.quant.conftest import logits_of
from tests.sweeps import setting_of


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_transformers_reads_the_packed_weights_and_computes_the_same_logits(bits: int, tmp_path: Path) -> None:
    model = small_llama().eval()
    tokenizer = Base(name=str(setting_of(model, tmp_path).base())).tokenizer()
    prepare(model, bits, group_size=32)
    convert(model, bits, group_size=32)
    save_packed(model, tokenizer, tmp_path / "packed", bits=bits, group_size=32)
    rows = torch.randint(3, VOCABULARY, (2, 16), generator=torch.Generator().manual_seed(0))
    logits, stored = logits_of("compressor", tmp_path / "packed", rows, tmp_path)
    assert stored == "torch.int32"
    with torch.inference_mode():
        torch.testing.assert_close(logits, model(input_ids=rows).logits, rtol=0, atol=1e-6)
