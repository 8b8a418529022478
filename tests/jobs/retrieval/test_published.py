from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlab.errors import InputError, UnreachableError
from jobs.llm.cache import VARIABLE
from jobs.retrieval import published
from jobs.retrieval.made import made_collection
from jobs.retrieval.published import archive, load_collection
from tests.web import serving_files


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A page that has `scifact.zip`, a collection that is made, and a cache that has nothing."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    made_collection(20, 6, 0).save(tmp_path / "source")
    with zipfile.ZipFile(tmp_path / "scifact.zip", "w") as file:
        for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
            file.write(tmp_path / "source" / name, f"scifact/{name}")
    digest = hashlib.md5((tmp_path / "scifact.zip").read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(published.MD5, "scifact", digest)
    with serving_files(tmp_path) as url:
        yield url


def test_a_published_collection_is_downloaded_once(url: str, tmp_path: Path) -> None:
    folder = archive("scifact", url)
    (tmp_path / "scifact.zip").unlink()
    assert archive("scifact", url) == folder
    found = load_collection("scifact", num_documents=1, num_queries=1, seed=0)
    assert found.documents == made_collection(20, 6, 0).documents


def test_an_archive_with_another_digest_is_refused_and_not_kept(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(published.MD5, "scifact", "0" * 32)
    with pytest.raises(InputError, match=r"scifact\.zip: MD5 [0-9a-f]{32}; allowed: 0{32}, which BEIR publishes"):
        archive("scifact", url)
    assert not list((tmp_path / "cache").iterdir())


def test_without_a_network_the_message_names_the_other_way(url: str) -> None:
    with pytest.raises(UnreachableError, match=r"nfcorpus\.zip: .*; COLLECTION may be a folder in BEIR's form"):
        archive("nfcorpus", url)
