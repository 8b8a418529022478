"""A model of transformers: its tokenizer, and `generate` over a batch that is fixed before it begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.serving.asked import Asked
from jobs.serving.rows import Deliver, Rows
from jobs.serving.transformers import IN_FLIGHT

BASE = "__base__"
"""PEFT's name for a row without an adapter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """What a protocol needs of a model: its tokens, without its weights."""

    tokenizer: Any
    size: int
    """Token ids are below it."""

    @classmethod
    def of(cls, folder: str) -> Vocabulary:
        """That of a checkpoint."""
        from transformers import AutoConfig, AutoTokenizer

        size = AutoConfig.from_pretrained(folder, local_files_only=True).get_text_config().vocab_size
        return cls(tokenizer=AutoTokenizer.from_pretrained(folder, local_files_only=True), size=size)

    def tokens_of(self, text: str) -> tuple[int, ...]:
        """Of a prompt, with the special tokens that the tokenizer puts around one."""
        return tuple(self.tokenizer(text)["input_ids"])

    def chat(self, messages: Sequence[dict[str, str]]) -> tuple[int, ...] | None:
        """The tokens of a conversation, whose next message is the assistant's; None where the model has no template."""
        if self.tokenizer.chat_template is None:
            return None
        text = self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def text_of(self, token: int) -> str:
        """Of one token alone."""
        return str(self.tokenizer.decode([token]))

    def special(self, token: int) -> bool:
        """Whether it stands for no text."""
        return token in self.tokenizer.all_special_ids


class Generator:
    """Weights in memory, and answers to one batch after the other."""

    def __init__(self, folder: str, *, dtype: str, quantization: str | None = None, seed: int = 0) -> None:
        import torch
        from transformers import GenerationConfig

        from jobs.llm.process import quiet

        quiet()
        torch.manual_seed(seed)
        if not torch.cuda.is_available():
            # One core is left to whoever reads requests and writes answers.
            torch.set_num_threads(max(1, (os.cpu_count() or 1) - 1))
        self.vocabulary = Vocabulary.of(folder)
        self.model = _load(folder, dtype, quantization)
        self._ends = _ends(self.model.generation_config.eos_token_id)
        # How an answer is drawn is said by each request, never by the checkpoint; where it ends, by its row.
        self.model.generation_config = GenerationConfig(pad_token_id=0)

    def load_adapter(self, name: str, folder: str) -> None:
        """Take in a LoRA adapter that PEFT saved, if it is not here already."""
        from peft import PeftModel

        if not isinstance(self.model, PeftModel):
            self.model = PeftModel.from_pretrained(self.model, folder, adapter_name=name).eval()
        elif name not in self.model.peft_config:
            self.model.load_adapter(folder, adapter_name=name)

    def drop_adapter(self, name: str) -> None:
        """Give its memory back."""
        others = [other for other in getattr(self.model, "peft_config", {}) if other != name]
        if others:  # PEFT keeps one at least, and warns of one that is active; rows say themselves which is theirs.
            self.model.set_adapter(others[0])
            self.model.delete_adapter(name)

    def run(self, batch: Sequence[Asked], deliver: Deliver, gone: Callable[[int], bool] = lambda _: False) -> None:
        """Generate until the longest answer of a batch has ended; rows that end before keep their place in it.

        `gone` says of a row's number that nobody waits for it any more.
        """
        import torch
        from transformers import LogitsProcessorList, StoppingCriteriaList

        ids, mask = self._padded([asked.prompt for asked in batch])
        rows = Rows(batch, self.vocabulary.tokenizer, self._ends, gone=gone, deliver=deliver)
        adapters = {"adapter_names": [asked.adapter or BASE for asked in batch]} if self._adapted else {}
        with torch.inference_mode():
            self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=self._read_once([asked.prompt for asked in batch]),
                max_new_tokens=max(asked.max_tokens for asked in batch),
                do_sample=False,
                use_cache=True,
                logits_processor=LogitsProcessorList([rows.process]),
                stopping_criteria=StoppingCriteriaList([rows.stop]),
                **adapters,
            )

    def _padded(self, prompts: Sequence[tuple[int, ...]]) -> tuple[Any, Any]:
        """Token ids and where they are no padding, which is in front: each of shape (prompts, longest prompt)."""
        import torch

        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        return ids.to(self.model.device), mask.to(self.model.device)

    def _read_once(self, prompts: Sequence[tuple[int, ...]]) -> Any:
        """The keys and values of a batch that has a prompt more than once, each read once; None where none is.

        `generate` is left the last token of each. With adapters a row's keys are its adapter's, and none are shared.
        """
        import torch
        from transformers import DynamicCache

        different = sorted(set(prompts))
        ids, mask = self._padded(different)
        if len(different) == len(prompts) or ids.shape[1] == 1 or self._adapted:
            return None
        cache, places = DynamicCache(config=self.model.config), (mask.cumsum(-1) - 1).clamp_min(0)
        self.model(
            input_ids=ids[:, :-1],
            attention_mask=mask[:, :-1],
            position_ids=places[:, :-1],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache.reorder_cache(torch.tensor([different.index(prompt) for prompt in prompts], device=ids.device))
        return cache

    @property
    def _adapted(self) -> bool:
        return hasattr(self.model, "peft_config")


def _load(folder: str, dtype: str, quantization: str | None) -> Any:
    import torch

    from jobs.compress.pretrained import from_pretrained
    from jobs.llm.quantized import nf4_config

    values: dict[str, Any] = {"dtype": dtype if dtype == "auto" else getattr(torch, dtype)}
    if quantization == IN_FLIGHT:
        values["quantization_config"] = nf4_config(torch.bfloat16 if torch.cuda.is_available() else torch.float32)
    return from_pretrained(Path(folder), **values).eval()


def _ends(configured: int | Sequence[int] | None) -> tuple[int, ...]:
    """Token ids that end an answer, which a checkpoint gives as one, several or none."""
    if configured is None:
        return ()
    return (configured,) if isinstance(configured, int) else tuple(configured)
