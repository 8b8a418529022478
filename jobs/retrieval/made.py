"""A collection that is made: records of who did what, asked for by number, in their own words, and in other words.

Each kind of query is easy for one part of a hybrid index and hard for the other, so that it is seen why there are two.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence

from jobs.retrieval.collection import Collection

MADE = "made"
CODE, WORDS, PARAPHRASE = "code", "words", "paraphrase"
KINDS = (CODE, WORDS, PARAPHRASE)
Synonyms = Mapping[str, Sequence[str]]
SUBJECTS: Synonyms = {
    "physician": ("doctor", "medic"),
    "attorney": ("lawyer", "solicitor"),
    "instructor": ("teacher", "tutor"),
    "constable": ("policeman", "cop"),
    "merchant": ("trader", "shopkeeper"),
    "sovereign": ("king", "monarch"),
    "juvenile": ("teenager", "youngster"),
    "pilot": ("aviator", "flyer"),
    "scribe": ("writer", "author"),
    "angler": ("fisherman", "fisher"),
}
ACTIONS: Synonyms = {
    "purchased": ("bought", "acquired"),
    "concealed": ("hid", "covered"),
    "repaired": ("fixed", "mended"),
    "demolished": ("destroyed", "wrecked"),
    "discovered": ("found", "located"),
    "pilfered": ("stole", "robbed"),
    "observed": ("watched", "saw"),
    "donated": ("gave", "gifted"),
    "misplaced": ("lost", "mislaid"),
    "transported": ("carried", "moved"),
}
OBJECTS: Synonyms = {
    "automobile": ("car", "vehicle"),
    "residence": ("house", "home"),
    "garment": ("dress", "clothes"),
    "photograph": ("picture", "image"),
    "manuscript": ("book", "text"),
    "firearm": ("gun", "rifle"),
    "currency": ("money", "cash"),
    "canine": ("dog", "puppy"),
    "vessel": ("ship", "boat"),
    "timepiece": ("watch", "clock"),
}
PLACES = ("harbour", "market", "station", "school", "garden", "bridge", "theatre", "hospital", "forest", "quarry")
MOST = len(SUBJECTS) * len(ACTIONS) * len(OBJECTS)
"""Documents that differ in more than their place and number."""


def made_collection(num_documents: int, num_queries: int, seed: int) -> Collection:
    """So many records, at most `MOST`, and so many queries of the three kinds in turn; one record answers each."""
    rng = random.Random(seed)
    facts = rng.sample(list(itertools.product(SUBJECTS, ACTIONS, OBJECTS)), num_documents)
    codes = [f"{a}{b}-{number:04d}" for number, a, b in _codes(rng, num_documents)]
    documents, queries, kinds = {}, {}, {}
    for number, (fact, code) in enumerate(zip(facts, codes, strict=True)):
        subject, action, thing = fact
        place = rng.choice(PLACES)
        documents[f"d{number}"] = f"Record {code}. A {subject} {action} the {thing} near the {place}."
    asked = rng.sample(range(num_documents), num_queries)
    for number, (of, kind) in enumerate(zip(asked, itertools.cycle(KINDS), strict=False)):
        queries[f"q{number}"], kinds[f"q{number}"] = _query(rng, kind, facts[of], codes[of]), kind
    judgements = {f"q{number}": {f"d{of}": 1} for number, of in enumerate(asked)}
    return Collection(documents=documents, queries=queries, judgements=judgements, kinds=kinds)


def thesaurus() -> dict[str, list[str]]:
    """For each word of a query in other words the record's word, and then its other wordings."""
    found = {}
    for table in (SUBJECTS, ACTIONS, OBJECTS):
        for word, others in table.items():
            for other in others:
                found[other] = [word, *(each for each in others if each != other)]
    return found


def _codes(rng: random.Random, count: int) -> Iterator[tuple[int, str, str]]:
    for number in rng.sample(range(10000), count):
        yield number, rng.choice("KQXZ"), rng.choice("BDFG")


def _query(rng: random.Random, kind: str, fact: Sequence[str], code: str) -> str:
    if kind == CODE:
        return f"what happened in record {code}"
    subject, action, thing = fact
    if kind == PARAPHRASE:
        tables = zip((SUBJECTS, ACTIONS, OBJECTS), fact, strict=True)
        subject, action, thing = (rng.choice(table[word]) for table, word in tables)
    return f"which {subject} {action} the {thing}"
