from __future__ import annotations

from pathlib import Path

from jobs.serving.asked import Asked
from jobs.serving.generator import Generator
from jobs.thinking.lessons import thought_prompt
from jobs.thinking.reasoner import Reasoner, train
from jobs.thinking.word_problems import make_problems

SMALL = Reasoner(hidden_size=32, intermediate_size=64, num_hidden_layers=2, steps=12, step_tokens=512)


def test_it_learns_and_is_saved_as_servers_load_it(tmp_path: Path) -> None:
    losses: list[float] = []
    train(SMALL, tmp_path, lambda _, __, loss: losses.append(loss))
    assert len(losses) == 12
    assert losses[-1] < losses[0] - 0.3
    generator = Generator(str(tmp_path), dtype="float32")
    (problem,) = make_problems(1, num_changes=(5, 5), seed=9)
    prompt = generator.vocabulary.tokens_of(thought_prompt(problem.text))
    words = [generator.vocabulary.text_of(token) for token in prompt]
    assert f" {problem.begin}" in words  # A number is one token.
    pieces = []
    generator.run([Asked(prompt=prompt, max_tokens=4, ignore_eos=True)], lambda found: pieces.append(found[0]))
    assert len(pieces[0].tokens) == 4
    again: list[float] = []
    train(SMALL, tmp_path, lambda _, __, loss: again.append(loss))
    assert again == losses
