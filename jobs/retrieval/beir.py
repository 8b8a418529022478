"""A collection in BEIR's form: `corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv` (Thakur et al., 2021)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from clusterlab.errors import InputError, Problem
from jobs.retrieval.collection import Collection, refuse_unjudged, some

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels"
SPLIT = "test"
COLUMNS = ["query-id", "corpus-id", "score"]
MAX_DOCUMENT_BYTES = 2**20
"""Of a line; a longer one is a book, which is to be cut into passages before it is indexed."""


def load_beir(folder: Path) -> Collection:
    """The documents of a folder, and the queries of its test split; title and text are one text, as in BEIR.

    Raises:
        InputError: a file is missing or is not what BEIR's is, an id comes twice, a document is too long, there is
            none, or a query has no judged document.
    """
    needed = (CORPUS, QUERIES, f"{QRELS}/{SPLIT}.tsv")
    missing = [
        Problem(path=str(folder), key=name, message="missing") for name in needed if not (folder / name).is_file()
    ]
    if missing:
        raise InputError(missing)
    documents = _texts(folder / CORPUS, _document)
    queries = _texts(folder / QUERIES, _query)
    judgements = _judgements(folder / QRELS / f"{SPLIT}.tsv")
    unknown = judgements.keys() - queries.keys()
    if unknown:
        message = f"judges {some(sorted(unknown))}; allowed: ids of {QUERIES}"
        raise InputError(Problem(path=str(folder / QRELS / f"{SPLIT}.tsv"), message=message))
    others = [path for path in sorted((folder / QRELS).glob("*.tsv")) if path.stem != SPLIT]
    elsewhere = {query for path in others for query in _judgements(path)}
    refuse_unjudged(folder, Collection(documents=documents, queries=queries, judgements=judgements), elsewhere)
    return Collection(
        documents=documents, queries={query: queries[query] for query in judgements}, judgements=judgements
    )


def _texts(path: Path, text_of: Callable[[dict[str, Any]], str]) -> dict[str, str]:
    """Texts by id."""
    texts: dict[str, str] = {}
    for number, line in _lines(path):
        try:
            value = json.loads(line)
            id_, text = str(value["_id"]), text_of(value)
        except (ValueError, KeyError, TypeError) as error:
            message = f'{error!r}; allowed: an object with "_id" and "text"'
            raise InputError(Problem(path=str(path), key=f"line {number}", message=message)) from None
        if id_ in texts:
            raise InputError(Problem(path=str(path), key=f"line {number}", message=f"_id {id_} comes twice"))
        texts[id_] = text
    return texts


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines that are not empty, with their numbers; one that is too long is not read to its end."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_DOCUMENT_BYTES + 1):
            number += 1
            if len(line) > MAX_DOCUMENT_BYTES:
                message = f"a document of more than {MAX_DOCUMENT_BYTES // 2**20} MiB; allowed: passages, so cut it"
                raise InputError(Problem(path=str(path), key=f"line {number}", message=message))
            if line.strip():
                yield number, line


def _document(value: dict[str, Any]) -> str:
    return f"{value.get('title') or ''} {value['text']}".strip()


def _query(value: dict[str, Any]) -> str:
    return str(value["text"])


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    with path.open(newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(rows, None) != COLUMNS:
            raise InputError(Problem(path=str(path), key="line 1", message=f"allowed: {', '.join(COLUMNS)}, with tabs"))
        for number, row in enumerate(rows, start=2):
            try:
                query, document, grade = row
                found.setdefault(query, {})[document] = int(grade)
            except ValueError:
                message = f"{row}; allowed: {', '.join(COLUMNS)}, the last a whole number"
                raise InputError(Problem(path=str(path), key=f"line {number}", message=message)) from None
    return found
