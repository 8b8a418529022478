"""The documentation's site in a real browser: light, dark and on a phone, asking nobody else, without a complaint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.conftest import DARK, DESKTOP, SCREENS, window
from tests.browser.test_page import PNG, WCAG
from tests.clusterlab.conftest import ROOT
from tests.web import serving_files

SITE = ROOT / ".cache" / "site"
PAGES = ("index", "labs/qlora", "es/labs/qlora", "results", "architecture", "api/Lab")


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The site as a server has it: a page of the file system may not read the index that it searches."""
    assert (SITE / "index.html").is_file(), "there is no site; `make site` builds it"
    with serving_files(SITE) as url:
        yield url


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("page", PAGES)
def test_it_shows_without_a_complaint_and_asks_nobody_else(
    browser: Browser, site: str, pictures: Path, page: str, screen: str
) -> None:
    with window(browser, f"{site}/{page}.html", **SCREENS[screen]) as shown:
        picture = shown.page.screenshot(path=pictures / f"site-{page.replace('/', '-')}-{screen}.png", full_page=True)
        assert shown.complaints == []
        assert [each for each in shown.requests if not each.startswith((site, "data:", "blob:"))] == []
        assert picture.startswith(PNG)
        assert screen != "phone" or shown.page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("screen", [DESKTOP, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("page", ["labs/qlora", "results", "architecture", "api/Lab"])
def test_axe_finds_nothing_that_keeps_anybody_out(
    browser: Browser, site: str, page: str, screen: dict[str, object]
) -> None:
    with window(browser, f"{site}/{page}.html", **screen) as shown:
        found = Axe().run(shown.page, options={"runOnly": WCAG})
    told = [(each["id"], [node["target"] for node in each["nodes"][:3]]) for each in found.response["violations"]]
    assert told == []


def test_a_lab_is_found_by_searching(browser: Browser, site: str) -> None:
    with window(browser, f"{site}/index.html", **DESKTOP) as shown:
        shown.page.keyboard.press("/")
        shown.page.keyboard.type("gradient checkpointing")
        shown.page.locator(".md-search-result__link").first.wait_for()
        links = shown.page.locator(".md-search-result__link").evaluate_all("all => all.map(each => each.href)")
    assert any("labs/gradient-checkpointing.html" in link for link in links)
