"""Pictures that transformers answers for, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jobs.launch.folder import report
from jobs.thinking.journal import Journal
from jobs.vision.views import Answered, Posed, Said

BATCH_SIZE = 40


class Model:
    """A LLaVA-NeXT with its processor."""

    def __init__(self, folder: Path) -> None:
        """As `save_pretrained` left it."""
        from transformers import AutoProcessor, LlavaNextForConditionalGeneration

        self.processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        self.model = LlavaNextForConditionalGeneration.from_pretrained(folder, local_files_only=True)
        self.model.eval()
        # What is written follows at the end of each prompt of a batch.
        self.processor.tokenizer.padding_side = "left"

    def answers(self, pictures: Sequence[Any], texts: Sequence[str], *, max_tokens: int) -> list[Said]:
        """The likeliest answer to each picture and question."""
        prompts = [
            self.processor.apply_chat_template([conversation(text, {"type": "image"})], add_generation_prompt=True)
            for text in texts
        ]
        given = self.processor(images=list(pictures), text=prompts, padding=True, return_tensors="pt")
        written = self.model.generate(**given, max_new_tokens=max_tokens, do_sample=False)
        answers = written[:, given["input_ids"].shape[1] :]
        texts = self.processor.batch_decode(answers, skip_special_tokens=True)
        padding = self.processor.tokenizer.pad_token_id
        return [
            Said(text=text, prompt_tokens=int(num_given), new_tokens=int(num_written))
            for text, num_given, num_written in zip(
                texts, given["attention_mask"].sum(1), (answers != padding).sum(1), strict=True
            )
        ]


def conversation(text: str, picture: dict[str, Any]) -> dict[str, Any]:
    """The user's message: a picture, and what is asked of it."""
    return {"role": "user", "content": [picture, {"type": "text", "text": text}]}


def answer_here(
    model: Model, method: str, posed: Sequence[Posed], journal: Journal[Answered], *, max_tokens: int
) -> None:
    """Answer what has no answer in the journal yet, in batches."""
    done = journal.of(method)
    for numbers in _batched([number for number in range(len(posed)) if number not in done]):
        some = [posed[number] for number in numbers]
        said = model.answers([one.picture() for one in some], [one.text for one in some], max_tokens=max_tokens)
        for number, one, text in zip(numbers, some, said, strict=True):
            done[number] = one.answered(method, number, text)
            journal.add(done[number])
        right = sum(each.right for each in done.values())
        report(method, len(done), len(posed), accuracy=right / len(done))


def _batched(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), BATCH_SIZE):
        yield numbers[start : start + BATCH_SIZE]
