"""The documentation's site in a real browser: in light and dark and on a phone, with no net and without a complaint."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.conftest import DARK, DESKTOP, PHONE, SCREENS, window
from tests.browser.test_page import PNG, WCAG
from tests.clusterlab.conftest import ROOT

SITE = ROOT / ".cache" / "site"
PAGES = ("index", "labs/qlora", "es/labs/qlora", "results", "architecture", "api/Lab")
ALLOWED = ("file://", "data:", "blob:")


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("page", PAGES)
def test_it_shows_without_a_complaint_and_asks_nobody(browser: Browser, pictures: Path, page: str, screen: str) -> None:
    with window(browser, SITE / f"{page}.html", **SCREENS[screen]) as shown:
        picture = shown.page.screenshot(path=pictures / f"site-{page.replace('/', '-')}-{screen}.png", full_page=True)
        assert shown.complaints == []
        assert [each for each in shown.requests if not each.startswith(ALLOWED)] == []
        assert picture.startswith(PNG)


@pytest.mark.parametrize("screen", [DESKTOP, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_that_keeps_anybody_out(browser: Browser, page: str, screen: dict[str, object]) -> None:
    with window(browser, SITE / f"{page}.html", **screen) as shown:
        found = Axe().run(shown.page, options={"runOnly": WCAG})
    told = [(each["id"], [node["target"] for node in each["nodes"][:3]]) for each in found.response["violations"]]
    assert told == []


@pytest.mark.parametrize("page", PAGES)
def test_a_phone_scrolls_no_page_sideways(browser: Browser, page: str) -> None:
    with window(browser, SITE / f"{page}.html", **PHONE) as shown:
        assert shown.page.evaluate("document.documentElement.scrollWidth") == 360
