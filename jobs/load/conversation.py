"""A conversation of OpenAI's protocol in which others were asked before, and answered well."""

from __future__ import annotations

from collections.abc import Iterable


def worked(rules: str, examples: Iterable[tuple[str, str]], asked: str) -> list[dict[str, str]]:
    """The rules, each example as what was asked and answered, and what is asked now."""
    said = [{"role": "system", "content": rules}]
    for question, answer in examples:
        said += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return [*said, {"role": "user", "content": asked}]
