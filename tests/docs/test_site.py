"""The site: every lab in both languages, every link to something, and nothing of anybody else's.

`make site` builds it; SITE names the environment that it is built in.
"""

from __future__ import annotations

import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from clusterlab.job import job_names
from clusterlab.lab import lab_paths
from clusterlab.tour import NOUNS
from tests.clusterlab.conftest import ROOT

SITE = ROOT / ".cache" / "site"
MKDOCS = ROOT / os.environ.get("SITE", ".venv/site") / "bin" / "mkdocs"
LABS = [path.stem for path in lab_paths(ROOT / "labs")]
ASSETS = {
    "link": "href",
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
STYLE_URL = re.compile(r"url\(\s*['\"]?(?!data:)([^'\")]+)|@import\s+['\"]([^'\"]+)")


class Page(HTMLParser):
    """What a page fetches, where it leads, and which places in it one can be led to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.assets: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.language = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.places |= {values[name] for name in ("id", "name") if name in values}
        if tag == "html":
            self.language = values["lang"]
        if tag in ASSETS and ASSETS[tag] in values:
            self.assets.append(values[ASSETS[tag]])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    """Every page of the site, by its place; not the files that are shown, nor the page of a place that is none."""
    paths = {path.relative_to(SITE).as_posix(): path for path in SITE.rglob("*.html")}
    assert paths, "there is no site; `make site` builds it"
    return {place: Page(path) for place, path in paths.items() if not place.startswith(("source/", "404"))}


@pytest.mark.parametrize("lab", LABS)
def test_each_lab_has_a_page_in_each_language(pages: dict[str, Page], lab: str) -> None:
    english, spanish = pages[f"labs/{lab}.html"], pages[f"es/labs/{lab}.html"]
    assert (english.language, spanish.language) == ("en", "es")
    assert f"../es/labs/{lab}.html" in english.links
    assert f"../../labs/{lab}.html" in spanish.links


def test_each_page_of_docs_each_noun_and_each_job_has_a_page(pages: dict[str, Page]) -> None:
    docs = {f"{path.stem}.html" for path in (ROOT / "docs").glob("*.md")} - {"README.html"}
    wanted = docs | {"index.html", "overview.html"} | {f"api/{noun}.html" for noun in NOUNS}
    assert wanted | {f"api/jobs/{job}.html" for job in job_names(ROOT)} <= pages.keys()
    assert {"load", "refuse_unknown"} & {place.rpartition(".")[2] for place in pages["api/Lab.html"].places}


def test_a_page_in_spanish_says_so_and_its_neighbours_do_not(pages: dict[str, Page]) -> None:
    spanish = {place for place, page in pages.items() if page.language == "es"}
    assert spanish == {"primera-hora.html", "es/labs/index.html"} | {f"es/labs/{lab}.html" for lab in LABS}


def test_nothing_is_fetched_from_anybody_else(pages: dict[str, Page]) -> None:
    foreign = {asset for page in pages.values() for asset in page.assets if urlsplit(asset).netloc}
    styles = [path.read_text() for path in SITE.rglob("*.css")]
    foreign |= {url for text in styles for pair in STYLE_URL.findall(text) for url in pair if urlsplit(url).netloc}
    assert styles
    assert foreign == set()


def test_every_link_within_the_site_leads_to_a_place_that_is_there(pages: dict[str, Page]) -> None:
    broken = {
        f"{place}: {link}" for place, page in pages.items() for link in page.links if not _leads(place, link, pages)
    }
    assert sorted(broken) == []


def _leads(place: str, link: str, pages: dict[str, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or link in ("javascript:void(0)", ""):
        return True
    target = os.path.normpath(Path(place).parent / unquote(parts.path)) if parts.path else place
    target = f"{target}/index.html" if (SITE / target).is_dir() else target
    if not parts.fragment or target not in pages:
        return (SITE / target).is_file()
    return unquote(parts.fragment) in pages[target].places


def test_a_file_that_a_page_links_to_is_shown(pages: dict[str, Page]) -> None:
    assert "source/clusterlab/lab.py.html" in pages["tour.html"].links
    assert "class Lab" in re.sub(r"<[^>]+>", "", (SITE / "source/clusterlab/lab.py.html").read_text())
    assert "../source/labs/qlora.yaml.html" in pages["labs/qlora.html"].links
    assert "labs/qlora.html" in pages["results.html"].links


PAGES = {
    "a page": ("[there](nowhere.md)", "nowhere.md"),
    "a place": ("[there](#nowhere)", "#nowhere"),
    "a page that no nav has": ("", "alone.md"),
}


@pytest.mark.parametrize(("text", "told"), PAGES.values(), ids=PAGES.keys())
def test_what_leads_nowhere_fails_the_build(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Here\n\n{text}\n")
    if told == "alone.md":
        (tmp_path / "docs" / "alone.md").write_text("# Alone\n")
    settings = {"INHERIT": ROOT / "docs/site/mkdocs.yml", "docs_dir": "docs", "site_dir": tmp_path / "site"}
    lines = [f"{key}: {value}" for key, value in settings.items()]
    lines += ["nav: [index.md]", "plugins: []", "hooks: []", "extra_css: []", "theme: {name: mkdocs, icon: null}"]
    (tmp_path / "mkdocs.yml").write_text("\n".join(lines))
    command = [str(MKDOCS), "build", "--strict", "--config-file", str(tmp_path / "mkdocs.yml")]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode != 0
    assert told in built.stderr
