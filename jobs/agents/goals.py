"""How the script reads the made tasks: what has to be found for each, and the code that calculates with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

FACT = r"a (\w+) (\w+) the (\w+)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """One thing that the library has."""

    name: str
    query: str
    pattern: str
    """Whose first group is what is wanted."""

    def value(self, read: str) -> str | None:
        """What it is, where it was read."""
        found = re.search(self.pattern, read)
        return found[1] if found else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What a question takes."""

    needs: tuple[Need, ...] = ()
    written: Callable[[Mapping[str, str]], str] | None = None
    """An expression with values in it; None where what was found is the answer."""
    planned: str | None = None
    """Code that takes the values as `inputs`; None where it cannot be known beforehand, or needs none."""

    def code(self, values: Mapping[str, str]) -> str:
        """Code with values in it."""
        if self.written is None:
            raise AssertionError
        return f"print({self.written({name: value.lstrip('0') or '0' for name, value in values.items()})})"


def goal_of(question: str) -> Goal | None:
    """Of a question in a form that the script knows; None for any other."""
    for pattern, form in FORMS.items():
        found = re.fullmatch(pattern, question)
        if found:
            return form(*found.groups())
    return None


def _place(subject: str, action: str, thing: str) -> Goal:
    fact = f"{subject} {action} the {thing}"
    return Goal(needs=(Need(name="place", query=fact, pattern=rf"A {fact} near the (\w+)"),))


def _place_of(code: str) -> Goal:
    pattern = rf"Record {code}\. A \w+ \w+ the \w+ near the (\w+)"
    return Goal(needs=(Need(name="place", query=f"record {code}", pattern=pattern),))


def _number(subject: str, action: str, thing: str) -> Goal:
    return Goal(needs=(_number_of("number", subject, action, thing),))


def _number_of(name: str, subject: str, action: str, thing: str) -> Need:
    fact = f"{subject} {action} the {thing}"
    return Need(name=name, query=fact, pattern=rf"Record [A-Z]{{2}}-([^.\n]+)\. A {fact}")


def _power(base: str, exponent: str, modulus: str) -> Goal:
    return Goal(written=lambda _: f"pow({base}, {exponent}, {modulus})")


def _primes(most: str) -> Goal:
    divided = "all(number % each for each in range(2, int(number**0.5) + 1))"
    return Goal(written=lambda _: f"sum({divided} for number in range(2, {most}))")


def _days(begin: str, end: str) -> Goal:
    day = "__import__('datetime').date.fromisoformat"
    return Goal(written=lambda _: f"({day}({end!r}) - {day}({begin!r})).days")


def _scaled(subject: str, action: str, thing: str, factor: str, modulus: str) -> Goal:
    return Goal(
        needs=(_number_of("number", subject, action, thing),),
        written=lambda values: f"({values['number']}) * {factor} % {modulus}",
        planned=f'print(int(inputs["number"]) * {factor} % {modulus})',
    )


def _difference(*words: str) -> Goal:
    return Goal(
        needs=(_number_of("one", *words[:3]), _number_of("other", *words[3:])),
        written=lambda values: f"abs(({values['one']}) - ({values['other']}))",
        planned='print(abs(int(inputs["one"]) - int(inputs["other"])))',
    )


def _ruled(rule: str, number: str) -> Goal:
    need = Need(name="rule", query=f"rule {rule}", pattern=rf"Rule {rule}: `([^`]+)`")
    number = number.lstrip("0") or "0"
    return Goal(needs=(need,), written=lambda values: values["rule"].replace("number", number))


FORMS: Mapping[str, Callable[..., Goal]] = {
    rf"Near which place was it that {FACT}\?": _place,
    r"Near which place was what is told in record ([A-Z]{2}-\d{4})\?": _place_of,
    rf"What is the number of the record in which {FACT}\?": _number,
    r"What is (\d+) to the power of (\d+), modulo (\d+)\?": _power,
    r"How many primes are there below (\d+)\?": _primes,
    r"How many days are there from ([\d-]+) to ([\d-]+)\?": _days,
    rf"In a record {FACT}\. What is its number times (\d+), modulo (\d+)\?": _scaled,
    rf"In one record {FACT}, in another {FACT}\. By how much do their numbers differ\?": _difference,
    r"What does rule (R-\d+) make of the number of record [A-Z]{2}-(\d{4})\?": _ruled,
}
