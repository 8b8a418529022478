"""Collections of BEIR by name: a folder that is given, or the published archive, downloaded once."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from clusterlab.errors import InputError, Problem, UnreachableError
from jobs.llm.cache import cached
from jobs.retrieval.beir import load_beir
from jobs.retrieval.collection import Collection
from jobs.retrieval.made import MADE, made_collection

URL = "https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets"
MD5 = {"scifact": "5f7d1de60b170fc8027bb7898e2efca1", "nfcorpus": "a89dba18a62ef92f7d323ec890a0d38d"}
"""Of the archives, as BEIR publishes it."""
NAMES = (MADE, *MD5)
SECONDS = 60
"""How long the page may be silent."""


def load_collection(name: str, *, num_documents: int, num_queries: int, seed: int) -> Collection:
    """`made` with so many documents and queries, a name of `MD5`, or a folder in BEIR's form.

    Raises:
        InputError: the folder, or the archive, is not what it should be.
        UnreachableError: the archive cannot be had.
    """
    if name == MADE:
        return made_collection(num_documents, num_queries, seed)
    return load_beir(archive(name) / name if name in MD5 else Path(name))


def archive(name: str, url: str = URL) -> Path:
    """The folder with a published collection in it, downloaded now if it is not here."""
    return cached(f"beir-{name}", MD5[name], lambda folder: _download(f"{url}/{name}.zip", MD5[name], folder))


def _download(url: str, wanted: str, folder: Path) -> None:
    path = folder / "archive.zip"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer, path.open("wb") as file:  # noqa: S310 (ours)
            shutil.copyfileobj(answer, file)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        message = f"{url}: {getattr(error, 'reason', None) or error}; COLLECTION may be a folder in BEIR's form"
        raise UnreachableError(message) from error
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != wanted:
        raise InputError(Problem(path=url, message=f"MD5 {found}; allowed: {wanted}, which BEIR publishes"))
    with zipfile.ZipFile(path) as file:
        file.extractall(folder)
    path.unlink()
