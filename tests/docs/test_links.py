"""Every link from one page to another leads to a file, and to a heading of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clusterlab.conftest import ROOT
from tests.docs.commands import FENCE
from tests.docs.test_commands import PAGES

LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings: lower-case, dashes for spaces, and no punctuation."""
    headings = HEADING.findall(FENCE.sub("", path.read_text()))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def broken(path: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for name, anchor in LINK.findall(FENCE.sub("", path.read_text())):
        target = path.parent / name if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            found.append(f"{name}#{anchor}" if anchor else name)
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_links_of_a_page_lead_somewhere(path: Path) -> None:
    assert broken(path) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page, isn't it\n[a](#a-page-isnt-it) [b](#b) [c](other.md) [d](https://example.org/x#y)\n")
    assert broken(page) == ["#b", "other.md"]


def test_pages_are_the_repository_s() -> None:
    assert ROOT / "docs" / "money.md" in PAGES
