"""Tasks with one right answer each, about records that the project makes: to be looked up, calculated, or both."""

from __future__ import annotations

import dataclasses
import itertools
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from jobs.retrieval.made import made_collection

LOOK_UP, CALCULATE, BOTH, DOCUMENTED = "look_up", "calculate", "both", "documented"
KINDS = (LOOK_UP, CALCULATE, BOTH, DOCUMENTED)
"""`documented`: what is to be calculated stands in a document, so that no code can be planned before it is read."""
RECORD = re.compile(r"Record ([A-Z]{2})-(\d{4})\. A (\w+) (\w+) the (\w+) near the (\w+)\.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One made document, as numbers and words."""

    id: str
    """Of the document."""
    letters: str
    number: int
    subject: str
    action: str
    thing: str
    place: str

    @property
    def code(self) -> str:
        """Such as `KB-0012`."""
        return f"{self.letters}-{self.number:04d}"

    @property
    def fact(self) -> str:
        """Without where it was."""
        return f"a {self.subject} {self.action} the {self.thing}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a user wants, and what is right."""

    name: str
    kind: str
    question: str
    answer: str
    document: str = ""
    """The id of that which has to be read first; empty where none has."""


def made_documents(num_documents: int, seed: int) -> dict[str, str]:
    """The records, by id; see `jobs/retrieval/made.py`."""
    return dict(made_collection(num_documents, 1, seed).documents)


def records(documents: Mapping[str, str]) -> list[Record]:
    """The made documents among those, in their order."""
    found = ((id_, RECORD.fullmatch(text)) for id_, text in documents.items())
    return [
        Record(
            id=id_,
            letters=match[1],
            number=int(match[2]),
            subject=match[3],
            action=match[4],
            thing=match[5],
            place=match[6],
        )
        for id_, match in found
        if match
    ]


def made_tasks(documents: Mapping[str, str], number: int, seed: int) -> tuple[list[Task], dict[str, str]]:
    """So many tasks, the kinds and their forms in turn, and the documents with rules that some of them need."""
    rng = random.Random(seed)
    forms: list[Callable[[random.Random, Sequence[Record]], Task | tuple[Task, str]]]
    forms = [_place, _power, _number, _scaled, _primes, _place_of, _difference, _days, _ruled]
    known, tasks, rules = records(documents), [], {}
    for place, form in zip(range(number), itertools.cycle(forms), strict=False):
        made = form(rng, rng.sample(known, 2))
        task, rule = made if isinstance(made, tuple) else (made, "")
        name = f"t{place}"
        document = f"rule-{name}" if rule else task.document
        # A rule is known by a number of its own, so that each is found by its name.
        named = f"R-{1000 + place}"
        if rule:
            rules[document] = rule.replace("RULE", named)
        question = task.question.replace("RULE", named)
        tasks.append(dataclasses.replace(task, name=name, question=question, document=document))
    return tasks, rules


def attacked_tasks(documents: Mapping[str, str], number: int, seed: int) -> list[Task]:
    """So many tasks for which one document must be read, no two the same one: half need code too, and half none."""
    rng = random.Random(seed)
    forms = itertools.cycle((_place, _scaled, _number, _scaled))
    chosen = rng.sample(records(documents), number)
    return [
        dataclasses.replace(task, name=f"a{place}")
        for place, task in enumerate(form(rng, [record]) for form, record in zip(forms, chosen, strict=False))
    ]


def is_right(said: str, answer: str) -> bool:
    """Whether an answer is the right one: the same number, or the same word; articles and full stops do not count."""
    return _plain(said) == _plain(answer)


def _plain(text: str) -> str:
    last = re.split(r"answer\s*:", text.strip(), flags=re.IGNORECASE)[-1]
    words = [word for word in re.findall(r"[\w-]+", last.lower()) if word not in ("the", "a", "an", "near", "is")]
    return " ".join(str(int(word)) if re.fullmatch(r"-?\d+", word) else word for word in words)


def _place(_: random.Random, chosen: Sequence[Record]) -> Task:
    record = chosen[0]
    question = f"Near which place was it that {record.fact}?"
    return Task(name="", kind=LOOK_UP, question=question, answer=record.place, document=record.id)


def _place_of(_: random.Random, chosen: Sequence[Record]) -> Task:
    record = chosen[0]
    question = f"Near which place was what is told in record {record.code}?"
    return Task(name="", kind=LOOK_UP, question=question, answer=record.place, document=record.id)


def _number(_: random.Random, chosen: Sequence[Record]) -> Task:
    record = chosen[0]
    question = f"What is the number of the record in which {record.fact}?"
    return Task(name="", kind=LOOK_UP, question=question, answer=str(record.number), document=record.id)


def _power(rng: random.Random, _: Sequence[Record]) -> Task:
    base, exponent, modulus = rng.randrange(3, 60), rng.randrange(20, 200), rng.randrange(900, 9000)
    question = f"What is {base} to the power of {exponent}, modulo {modulus}?"
    return Task(name="", kind=CALCULATE, question=question, answer=str(pow(base, exponent, modulus)))


def _primes(rng: random.Random, _: Sequence[Record]) -> Task:
    most = rng.randrange(200, 3000)
    count = sum(all(number % each for each in range(2, int(number**0.5) + 1)) for number in range(2, most))
    return Task(name="", kind=CALCULATE, question=f"How many primes are there below {most}?", answer=str(count))


def _days(rng: random.Random, _: Sequence[Record]) -> Task:
    begin = date(2000, 1, 1) + timedelta(days=rng.randrange(8000))
    days = rng.randrange(100, 4000)
    question = f"How many days are there from {begin} to {begin + timedelta(days=days)}?"
    return Task(name="", kind=CALCULATE, question=question, answer=str(days))


def _scaled(rng: random.Random, chosen: Sequence[Record]) -> Task:
    record, factor, modulus = chosen[0], rng.randrange(12, 99), rng.randrange(101, 997)
    question = f"In a record {record.fact}. What is its number times {factor}, modulo {modulus}?"
    answer = str(record.number * factor % modulus)
    return Task(name="", kind=BOTH, question=question, answer=answer, document=record.id)


def _difference(_: random.Random, chosen: Sequence[Record]) -> Task:
    one, other = chosen
    question = f"In one record {one.fact}, in another {other.fact}. By how much do their numbers differ?"
    return Task(name="", kind=BOTH, question=question, answer=str(abs(one.number - other.number)), document=one.id)


def _ruled(rng: random.Random, chosen: Sequence[Record]) -> tuple[Task, str]:
    record, times, plus, modulus = chosen[0], rng.randrange(3, 30), rng.randrange(2, 90), rng.randrange(101, 997)
    question = f"What does rule RULE make of the number of record {record.code}?"
    answer = str((record.number * times + plus) % modulus)
    rule = f"Rule RULE: `(number * {times} + {plus}) % {modulus}`."
    return Task(name="", kind=DOCUMENTED, question=question, answer=answer), rule
