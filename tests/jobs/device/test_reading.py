from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from jobs.device.case import PYTORCH, Case
from jobs.device.reading import ROUNDS, read
from jobs.launch.environments import ProcessFailedError
from jobs.llm.pretrain import TinyLlama, random_llama

SMALL = TinyLlama(
    hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLUSTERLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        return random_llama(SMALL)


def case(checkpoint: Path, form: str = "float32") -> Case:
    asked = {"engine": PYTORCH, "model": str(checkpoint), "form": form}
    return Case(**asked, num_threads=1, mapped=True, prompt=[5, 6, 7], new_tokens=8)


def test_a_process_of_its_own_writes_what_transformers_writes(checkpoint: Path, tmp_path: Path) -> None:
    found = case(checkpoint).read(tmp_path, seconds=120)
    import torch

    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    prompt = torch.tensor([[5, 6, 7]])
    written = model.generate(input_ids=prompt, max_new_tokens=8, min_new_tokens=8, do_sample=False, eos_token_id=None)
    assert found["tokens"] == written[0, 3:].tolist()
    assert found["tokens_per_second"] > 0
    assert found["cpu_seconds_per_token"] > 0


def test_every_round_writes_so_many_tokens_and_loading_one(checkpoint: Path) -> None:
    counts = []

    class Writing:
        def generate(self, input_ids: object, *, max_new_tokens: int, **_: object) -> object:
            import torch

            counts.append(max_new_tokens)
            return torch.cat([torch.as_tensor(input_ids), torch.ones((1, max_new_tokens), dtype=torch.int64)], dim=1)

    reading = read(case(checkpoint), lambda _: Writing())
    assert counts == [1] + [8] * ROUNDS
    assert reading.tokens == [1] * 8


def test_a_form_that_torch_does_not_have_is_named(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ProcessFailedError, match="float3"):
        case(checkpoint, form="float3").read(tmp_path, seconds=120)
