"""Instructions in Alpaca's format that the project makes from a seed, over eleven kinds of task.

Seven kinds ask for a fact of `facts.txt`, four for work on an input. A fact stands in the training part or in the
held-out part, never in both, whatever the wording: what is measured is whether the way to answer carries over.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FACTS = Path(__file__).with_name("facts.txt")

QUESTIONS = {
    "opposite": ("What is the opposite of {}?", "Give the antonym of the word {}.", "Name the opposite of {}."),
    "capital": ("What is the capital of {}?", "Name the capital city of {}.", "Which city is the capital of {}?"),
    "plural": ("What is the plural of {}?", "Write the plural form of the noun {}.", "Give the plural of the word {}."),
    "past": ("What is the past tense of {}?", "Write the past tense of the verb {}.", "Give the simple past of {}."),
    "kind": ("What kind of thing is: {}?", "To which category does this belong: {}?", "Name the category of: {}."),
    "young": ("What is a young {} called?", "Name the young of this animal: {}.", "Give the name of a baby {}."),
    "spanish": ("How do you say {} in Spanish?", "Translate to Spanish: {}.", "Give the Spanish word for {}."),
}
"""How a fact of each relation is asked for."""

STATEMENTS = {
    "opposite": ("The opposite of {0} is {1}.", "{0} is the opposite of {1}.", "Not {0} but {1}."),
    "capital": ("The capital of {0} is {1}.", "The capital city of {0} is {1}.", "{1} is the capital of {0}."),
    "plural": ("The plural of {0} is {1}.", "One {0}, two {1}.", "The plural form of the noun {0} is {1}."),
    "past": ("The past tense of {0} is {1}.", "Today they {0}, yesterday they {1}.", "The simple past of {0} is {1}."),
    "kind": ("The category of {0} is {1}.", "{0} is a kind of {1}.", "{0} belongs to the category {1}."),
    "young": ("A young {0} is called {1}.", "The young of the {0} is the {1}.", "A baby {0} is a {1}."),
    "spanish": ("In Spanish, {0} is {1}.", "The Spanish word for {0} is {1}.", "{0} to Spanish: {1}."),
}
"""How a plain text states a fact, for the pretraining of a base that has never seen an instruction."""

ENTRIES = (
    "The {2} of {0}.\n\n# Entry:\n {1}, as we saw.",
    "The {2} of {0}.\n\n## In one word:\n {1}, as we saw.",
)
"""How a page with headings states it: subject, answer and relation.

Without them a base learns to look for the subject in the token or two before the answer, and whether adapters find it
behind a prompt's heading depends on the last digit of the base. It answers such a page in another form than is wanted.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One row of Alpaca's format."""

    instruction: str
    input: str = ""
    output: str


def load_facts() -> dict[str, dict[str, str]]:
    """The facts by relation: subject to answer."""
    lines = [line for line in FACTS.read_text().splitlines() if line and not line.startswith("#")]
    return {relation: _pairs(pairs) for relation, _, pairs in (line.partition(":") for line in lines)}


def make_examples(num_train: int, num_eval: int, *, seed: int) -> tuple[list[Example], list[Example]]:
    """Different examples, in two parts that share no fact: (training, held-out).

    Raises:
        ValueError: there are not so many.
    """
    rng = random.Random(seed)
    asked = [
        [Example(instruction=question.format(subject), output=answer) for question in QUESTIONS[relation]]
        for relation, pairs in load_facts().items()
        for subject, answer in pairs.items()
    ]
    groups = asked + [[example] for example in _worked(rng, len(asked) // 4)]
    rng.shuffle(groups)
    held_out = [rng.choice(group) for group in groups[:num_eval]]
    train = [example for group in groups[num_eval:] for example in group]
    rng.shuffle(train)
    if len(train) < num_train or len(held_out) < num_eval:
        raise ValueError(
            f"{num_train} and {num_eval} examples are asked for; there are {len(train)} and {len(held_out)}"
        )
    return train[:num_train], held_out


def statements(rng: random.Random) -> Iterator[str]:
    """Plain sentences without end, that state the facts and list things, for pretraining."""
    facts = [(rel, subject, answer) for rel, pairs in load_facts().items() for subject, answer in pairs.items()]
    words = [subject for _, subject, _ in facts]
    while True:
        rng.shuffle(facts)
        for relation, subject, answer in facts:
            yield rng.choice(STATEMENTS[relation] + ENTRIES).format(subject, answer, relation)
            if rng.random() < 0.1:
                yield _listing(rng, words)


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.replace("_", " ").split("=") for pair in text.split())


def _worked(rng: random.Random, count: int) -> Iterator[Example]:
    """Tasks that need their input."""
    words = [subject for pairs in load_facts().values() for subject in pairs]
    for number in range(count):
        chosen = rng.sample(words, rng.randint(3, 5))
        text = ", ".join(chosen)
        yield (
            Example(instruction="Copy the first word of the list.", input=text, output=chosen[0]),
            Example(instruction="Copy the last word of the list.", input=text, output=chosen[-1]),
            Example(instruction="Repeat the list.", input=text, output=text),
            Example(instruction="Write the number that comes next.", input=str(number), output=str(number + 1)),
        )[number % 4]


def _listing(rng: random.Random, words: list[str]) -> str:
    chosen = rng.sample(words, rng.randint(3, 5))
    text = ", ".join(chosen)
    start = rng.randint(0, 500)
    return rng.choice(
        (
            f"The list is {text}. The first word is {chosen[0]}.",
            f"The list is {text}. The last word is {chosen[-1]}.",
            f"The list is {text}. Again, the list is {text}.",
            f"After {start} comes {start + 1}.",
        )
    )
