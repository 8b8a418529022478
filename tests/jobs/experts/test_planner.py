from __future__ import annotations

import itertools
from pathlib import Path

from jobs.experts.cards import EXPERTS
from jobs.experts.plan import checked, parse_lines
from jobs.experts.planner import Planner, lessons
from jobs.experts.tasks import Kind
from jobs.llm.lessons import learn
from jobs.serving.asked import Asked
from jobs.serving.generator import Generator

SMALL = Planner(hidden_size=32, intermediate_size=64, num_hidden_layers=2, steps=12, step_tokens=512)
KINDS = {f"{kind}-{number}": kind for kind in Kind for number in range(1, 10)}


def test_lessons_are_of_plans_that_can_be_carried_out_and_of_models_for_their_steps() -> None:
    taught = list(itertools.islice(lessons(0), 400))
    for (given, written), (asked, chosen) in zip(taught[::2], taught[1::2], strict=True):
        plan = checked(parse_lines(written), KINDS, 7)
        assert given.endswith("\nPlan:\n")
        assert asked.startswith(f"{given}{written}\nModel ")
        number = int(asked.rpartition(" ")[2].removesuffix(":"))
        assert EXPERTS[chosen.removeprefix(" ")].task == plan.steps[number].task
    assert list(itertools.islice(lessons(0), 10)) == taught[:10]


def test_it_learns_and_is_saved_as_servers_load_it(tmp_path: Path) -> None:
    losses: list[float] = []
    learn(SMALL, lessons(0), tmp_path, lambda _, __, loss: losses.append(loss))
    assert losses[-1] < losses[0] - 0.3
    generator = Generator(str(tmp_path), dtype="float32")
    given, _ = next(lessons(1))
    prompt = generator.vocabulary.tokens_of(given)
    pieces = []
    generator.run([Asked(prompt=prompt, max_tokens=4, ignore_eos=True)], lambda found: pieces.append(found[0]))
    assert len(pieces[0].tokens) == 4


def test_the_longest_lesson_fits_into_the_model(tmp_path: Path) -> None:
    learn(
        Planner(hidden_size=32, intermediate_size=64, num_hidden_layers=1, steps=1),
        lessons(0),
        tmp_path,
        lambda *_: None,
    )
    vocabulary = Generator(str(tmp_path), dtype="float32").vocabulary
    longest = max(len(vocabulary.tokens_of(given + written)) for given, written in itertools.islice(lessons(2), 2000))
    assert longest < Planner().max_position_embeddings - 20
