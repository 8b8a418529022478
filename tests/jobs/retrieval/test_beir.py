from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest

from clusterlab.errors import InputError
from jobs.retrieval import beir
from jobs.retrieval.beir import load_beir
from jobs.retrieval.collection import Collection
from jobs.retrieval.made import CODE, KINDS, PARAPHRASE, made_collection, thesaurus
from jobs.retrieval.published import load_collection

CORPUS = '{"_id": "d1", "title": "A title", "text": "and text"}\n{"_id": "d2", "title": "", "text": "more"}\n'
QUERIES = '{"_id": "1", "text": "which"}\n{"_id": "2", "text": "trained on"}\n'
HEAD = "query-id\tcorpus-id\tscore\n"
QRELS = f"{HEAD}1\td1\t2\n1\td2\t0\n"
TRAIN = f"{HEAD}2\td2\t1\n"


def written(folder: Path, **files: str | None) -> Path:
    """A folder in BEIR's form, with some files in the place of the sound ones; None leaves one out."""
    contents: dict[str, str | None] = {"corpus": CORPUS, "queries": QUERIES, "test": QRELS, "train": TRAIN}
    names = {"corpus": "corpus.jsonl", "queries": "queries.jsonl", "test": "qrels/test.tsv", "train": "qrels/train.tsv"}
    (folder / "qrels").mkdir()
    for name, text in (contents | files).items():
        if text is not None:
            (folder / names[name]).write_text(text)
    return folder


def test_title_and_text_are_one_and_only_the_test_split_is_asked(tmp_path: Path) -> None:
    assert load_beir(written(tmp_path)) == Collection(
        documents={"d1": "A title and text", "d2": "more"},
        queries={"1": "which"},
        judgements={"1": {"d1": 2, "d2": 0}},
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"test": None}, "qrels/test.tsv: missing"),
        ({"queries": None, "corpus": None}, "corpus.jsonl: missing"),
        ({"corpus": ""}, "corpus.jsonl: has no document; allowed: one or more"),
        ({"corpus": CORPUS + '{"_id": "d1", "text": "again"}\n'}, "corpus.jsonl: line 3: _id d1 comes twice"),
        ({"queries": QUERIES + QUERIES}, "queries.jsonl: line 3: _id 1 comes twice"),
        ({"corpus": "{"}, "corpus.jsonl: line 1: JSONDecodeError"),
        ({"corpus": '{"_id": "d1"}'}, 'line 1: KeyError(\'text\'); allowed: an object with "_id" and "text"'),
        ({"test": HEAD}, "qrels: judge no query; allowed: one or more"),
        ({"test": "1 0 d1 2\n"}, "line 1: allowed: query-id, corpus-id, score, with tabs"),
        ({"test": f"{HEAD}1\td1\n"}, "line 2: ['1', 'd1']; allowed:"),
        ({"test": f"{HEAD}1\td1\thigh\n"}, "the last a whole number"),
        ({"test": f"{QRELS}9\td1\t1\n"}, "judges 9; allowed: ids of queries.jsonl"),
        ({"train": None}, "no judged document of the corpus answers 2; allowed: a grade above 0 for each query"),
        ({"test": f"{HEAD}1\td2\t0\n"}, "no judged document of the corpus answers 1;"),
        ({"test": f"{HEAD}1\td7\t1\n"}, "no judged document of the corpus answers 1;"),
    ],
)
def test_a_folder_that_cannot_be_judged_is_refused(tmp_path: Path, files: dict[str, str | None], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        load_beir(written(tmp_path, **files))
    assert str(tmp_path) in str(refused.value)


def test_a_document_of_100_mb_is_refused_by_its_line_and_not_read(tmp_path: Path) -> None:
    folder = written(tmp_path)
    with (folder / "corpus.jsonl").open("ab") as file:
        file.write(b'{"_id": "d3", "text": "')
        file.truncate(100 * 10**6)  # A hole: it takes no disk.
    tracemalloc.start()
    with pytest.raises(InputError, match=r"corpus\.jsonl: line 3: a document of more than 1 MiB; allowed: passages"):
        load_beir(folder)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 10 * 2**20


def test_the_limit_is_for_one_document_and_not_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beir, "MAX_DOCUMENT_BYTES", len(CORPUS) - 10)
    assert len(load_beir(written(tmp_path)).documents) == 2


def test_a_collection_that_is_made_can_be_written_and_read_again(tmp_path: Path) -> None:
    made = load_collection("made", num_documents=50, num_queries=6, seed=1)
    assert made == made_collection(50, 6, 1) != made_collection(50, 6, 2)
    made.save(tmp_path)
    read = load_collection(str(tmp_path), num_documents=1, num_queries=1, seed=0)
    assert (read.documents, read.queries, read.judgements) == (made.documents, made.queries, made.judgements)


def test_each_kind_of_query_has_what_its_name_says() -> None:
    made = made_collection(200, 30, 0)
    words = thesaurus()
    assert [made.kind_of(query) for query in made.queries] == list(KINDS) * 10
    for query, text in made.queries.items():
        [answer] = made.judgements[query]
        asked = set(text.split()[1:]) - {"the", "in", "happened", "record"}
        document = set(re.findall(r"[\w-]+", made.documents[answer]))
        if made.kind_of(query) == PARAPHRASE:
            assert not asked & document
            assert {words[word][0] for word in asked} <= document
        else:
            assert asked <= document
            assert (len(asked) == 1) == (made.kind_of(query) == CODE)
