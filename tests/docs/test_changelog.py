"""The changelog says what the version is that is built here, and when each came."""

from __future__ import annotations

import re
from datetime import date

from clusterlab import __version__
from tests.clusterlab.conftest import ROOT

TEXT = (ROOT / "CHANGELOG.md").read_text()
SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
RELEASE = re.compile(r"(\d+\.\d+\.\d+) - (\d{4}-\d{2}-\d{2})")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_what_is_not_released_stands_above_and_ours_is_the_newest_version() -> None:
    unreleased, *releases = SECTION.findall(TEXT)
    assert unreleased == "Unreleased"
    assert releases[0].partition(" ")[0] == __version__


def test_each_release_has_a_version_and_a_day_the_newest_first() -> None:
    found = [RELEASE.fullmatch(each) for each in SECTION.findall(TEXT)[1:]]
    releases = [(tuple(map(int, each[1].split("."))), date.fromisoformat(each[2])) for each in found if each]
    assert len(releases) == len(found)
    assert releases == sorted(releases, reverse=True)


def test_each_version_has_each_kind_of_change_that_keep_a_changelog_knows_once_at_most() -> None:
    for section in SECTION.split(TEXT)[2::2]:
        kinds = re.findall(r"^### (.*)$", section, re.MULTILINE)
        assert set(kinds) <= KINDS
        assert len(set(kinds)) == len(kinds)


def test_each_line_of_a_change_belongs_to_one() -> None:
    for section in re.split(r"^### .*$", TEXT, flags=re.MULTILINE)[1:]:
        changes = section.partition("\n## ")[0].strip().splitlines()
        assert changes[0].startswith("- ")
        assert all(re.match(r"- \S|  \S", line) for line in changes)
