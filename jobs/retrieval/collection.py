"""A collection: documents, queries, and which document answers which query."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clusterlab.errors import InputError, Problem

ALL = "all"
"""The kind of every query of a collection that knows no kinds."""
SHOWN = 5
"""Ids in a message, of many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """Texts by id, and judgements: grade by document by query."""

    documents: Mapping[str, str]
    """Title and text of each, as one text."""
    queries: Mapping[str, str]
    """Only those that are judged."""
    judgements: Mapping[str, Mapping[str, int]]
    """Grades above 0 are relevant."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """The kind of each query, where the collection has several."""

    def kind_of(self, query: str) -> str:
        """The kind of a query."""
        return self.kinds.get(query, ALL)

    def save(self, folder: Path) -> None:
        """Write it as a BEIR folder; the kinds are lost."""
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
        _write_lines(folder / "corpus.jsonl", self.documents)
        _write_lines(folder / "queries.jsonl", self.queries)
        rows = ((query, id_, grade) for query, grades in self.judgements.items() for id_, grade in grades.items())
        lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in rows)]
        (folder / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n")


def refuse_unjudged(path: Path, collection: Collection, judged_elsewhere: Iterable[str] = ()) -> None:
    """Look at what no measure could use.

    `judged_elsewhere` are queries that another split judges; those of `collection` are all that its file has.

    Raises:
        InputError: there is no document or no query, or a query has no relevant document here.
    """
    problems = []
    if not collection.documents:
        problems.append(Problem(path=str(path), key="corpus.jsonl", message="has no document; allowed: one or more"))
    if not collection.judgements:
        problems.append(Problem(path=str(path), key="qrels", message="judge no query; allowed: one or more"))
    lost = [
        query
        for query, grades in collection.judgements.items()
        if not any(grade > 0 and id_ in collection.documents for id_, grade in grades.items())
    ]
    lost += sorted(collection.queries.keys() - collection.judgements.keys() - set(judged_elsewhere))
    if lost and not problems:
        message = f"no judged document of the corpus answers {some(lost)}; allowed: a grade above 0 for each query"
        problems.append(Problem(path=str(path), key="qrels", message=message))
    if problems:
        raise InputError(problems)


def some(ids: Iterable[str]) -> str:
    """The first few ids, and how many more there are."""
    ids = list(ids)
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ", ".join(itertools.islice(ids, SHOWN)) + more


def _write_lines(path: Path, texts: Mapping[str, str]) -> None:
    lines = (json.dumps({"_id": id_, "title": "", "text": text}) for id_, text in texts.items())
    path.write_text("".join(f"{line}\n" for line in lines))
