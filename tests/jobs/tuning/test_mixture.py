from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from jobs.llm.alpaca import Tokens
from jobs.llm.evaluate import answers
from jobs.llm.finetune import finetune
from jobs.llm.packing import pack, response_loss
from jobs.tuning.merging import MERGES, Merging, load_adapters
from jobs.tuning.methods import METHODS
from jobs.tuning.router import Router
from jobs.tuning.xlora import gated_loss, numbered, save_gate, with_gate
from tests.jobs.conftest import VOCABULARY, small_llama
from tests.jobs.tuning.conftest import settings

TASKS = ("up", "down", "same")
CONFIG = settings(STEPS="30", LORA_DROPOUT="0")
RECIPE = dataclasses.replace(CONFIG.recipe(), learning_rate=2e-2)


class _Letters:
    """A tokenizer of the small Llama's numbers."""

    pad_token_id, eos_token_id = 0, 1

    def batch_decode(self, ids: Any, *, skip_special_tokens: bool) -> list[str]:
        assert skip_special_tokens
        return [" ".join(str(number) for number in row if number > 1) for row in ids.tolist()]

    def pad(self, batch: dict[str, list[list[int]]], *, padding_side: str, return_tensors: str) -> Any:
        from transformers import BatchEncoding

        assert (padding_side, return_tensors) == ("right", "pt")
        rows = batch["input_ids"]
        longest = max(map(len, rows))
        ids = [row + [0] * (longest - len(row)) for row in rows]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        return BatchEncoding({"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)})


def _rows(task: str) -> list[Tokens]:
    """A number to answer with the next, the one before or itself; the first token says which is wanted."""
    change = {"up": 1, "down": -1, "same": 0}[task]
    mark = 90 + TASKS.index(task)
    return [Tokens(prompt=[mark, *([3] * (n % 3)), n], response=[n + change, 1]) for n in range(10, 50)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An adapter a task, trained and saved."""
    root = tmp_path_factory.mktemp("adapters")
    for task in TASKS:
        model = METHODS["lora"].attach(small_llama().requires_grad_(requires_grad=False), CONFIG)
        finetune(model, _rows(task), RECIPE)
        model.save_pretrained(root / task)
    return {task: root / task for task in TASKS}


def _logits(model: Any) -> Any:
    ids = torch.arange(40).reshape(2, 20) % VOCABULARY
    with torch.no_grad():
        return model.eval()(input_ids=ids).logits


def test_a_batch_with_all_adapters_is_answered_as_by_one_adapter_at_a_time(folders: dict[str, Path]) -> None:
    model, prompts = load_adapters(small_llama(), folders), _rows("up")
    chosen = [TASKS[place % 3] for place in range(len(prompts))]
    mixed = answers(model, _Letters(), prompts, 3, adapters=chosen, batch_size=16)
    alone = {}
    for task in TASKS:
        model.set_adapter(task)
        alone[task] = answers(model, _Letters(), prompts, 3, batch_size=16)
    assert mixed == [alone[task][place] for place, task in enumerate(chosen)]
    assert len({tuple(given) for given in alone.values()}) == 3


@pytest.mark.parametrize("way", MERGES)
def test_a_merged_adapter_is_one_that_peft_loads(way: str, folders: dict[str, Path], tmp_path: Path) -> None:
    model = load_adapters(small_llama(), folders)
    Merging(ways=(way,), weight=0.5, density=0.5, seed=0).merge(model, TASKS, way)
    model.set_adapter(way)
    model.save_pretrained(tmp_path, selected_adapters=[way])
    again = PeftModel.from_pretrained(small_llama(), tmp_path / way)
    torch.testing.assert_close(_logits(again), _logits(model))


def test_concatenated_adapters_add_the_weighted_sum_of_what_each_adds(folders: dict[str, Path]) -> None:
    model = load_adapters(small_llama(), folders)
    Merging(ways=("cat",), weight=0.3, density=0.5, seed=0).merge(model, TASKS, "cat")
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    wanted = sum(0.3 * layer.get_delta_weight(task) for task in TASKS)
    torch.testing.assert_close(layer.get_delta_weight("cat"), wanted)


def test_dare_drops_the_same_entries_each_time(folders: dict[str, Path]) -> None:
    merged = []
    for _ in range(2):
        model = load_adapters(small_llama(), folders)
        Merging(ways=("dare_ties",), weight=0.5, density=0.5, seed=3).merge(model, TASKS, "dare_ties")
        model.set_adapter("dare_ties")
        merged.append(_logits(model))
    assert torch.equal(*merged)


def test_the_router_knows_the_task_of_a_prompt_and_is_the_same_when_it_is_loaded(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    model = load_adapters(small_llama(), folders)
    examples = {task: _rows(task)[::2] for task in TASKS}
    asked = [row for task in TASKS for row in _rows(task)[1::2]]
    with model.disable_adapter():
        router = Router.learn(model, _Letters(), examples, seed=0)
        chosen = router.choose(model, _Letters(), asked)
        router.save(tmp_path / "router.safetensors")
        again = Router.load(tmp_path / "router.safetensors").choose(model, _Letters(), asked)
    assert chosen == again
    wanted = [task for task in TASKS for _ in range(20)]
    assert sum(map(str.__eq__, chosen, wanted)) >= 58


def test_xlora_trains_its_gate_alone_and_peft_loads_it(folders: dict[str, Path], tmp_path: Path) -> None:
    model = with_gate(small_llama().requires_grad_(requires_grad=False), folders, seed=0)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained
    assert all("internal_xlora_classifier" in name for name in trained)
    losses: list[float] = []
    rows = [row for task in TASKS for row in _rows(task)]
    recipe = dataclasses.replace(RECIPE, steps=40)
    finetune(model, rows, recipe, loss_of=gated_loss, on_step=lambda _, loss, *__: losses.append(loss))
    assert sum(losses[-5:]) < sum(losses[:5])
    save_gate(model, tmp_path)
    again = PeftModel.from_pretrained(small_llama(), tmp_path, adapters=numbered(folders))
    torch.testing.assert_close(_logits(again), _logits(model))


def test_the_loss_through_the_gates_forward_pass_is_the_response_loss(llama: Any) -> None:
    batch = pack(_rows("up"), 64)
    torch.testing.assert_close(gated_loss(llama, batch), response_loss(llama, batch))
