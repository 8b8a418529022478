"""A class's status in a real browser: the report's look, no script, no net, and nobody kept out."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from clusterlab.course.language import Language
from clusterlab.course.status.page import page
from clusterlab.course.status.words import Words
from tests.browser.conftest import DARK, DESKTOP, LONG, PHONE, SCREENS, window
from tests.browser.test_page import PNG, WCAG
from tests.clusterlab.course.status.snapshots import full, snapshot


@pytest.fixture(scope="session")
def status(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with something of every kind, and as long a name as there may be."""
    path = tmp_path_factory.mktemp("status") / "status.html"
    path.write_text(page(full(LONG, num=3), Words(language=Language.ES)), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", SCREENS)
def test_it_shows_without_a_complaint_and_asks_nobody(
    browser: Browser, status: Path, pictures: Path, name: str
) -> None:
    with window(browser, status, **SCREENS[name]) as shown:
        picture = shown.page.screenshot(path=pictures / f"status-{name}.png", full_page=True)
        assert (shown.complaints, shown.requests) == ([], [status.as_uri()])
        assert picture.startswith(PNG)


@pytest.mark.parametrize("screen", [DESKTOP, DARK], ids=["light", "dark"])
def test_axe_finds_nothing_that_keeps_anybody_out(
    browser: Browser, status: Path, tmp_path: Path, screen: dict[str, object]
) -> None:
    unknown = tmp_path / "unknown.html"
    unknown.write_text(page(snapshot(machines=None, gpus=None, purses=None), Words(language=Language.EN)))
    for path in (status, unknown):
        with window(browser, path, **screen, bypass_csp=True) as shown:
            found = Axe().run(shown.page, options={"runOnly": WCAG})
        told = [(each["id"], [node["target"] for node in each["nodes"][:3]]) for each in found.response["violations"]]
        assert told == []


def test_a_phone_scrolls_no_page_sideways(browser: Browser, status: Path) -> None:
    with window(browser, status, **PHONE) as shown:
        assert shown.page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_tab_key_reaches_every_table_and_shows_where_it_is(browser: Browser, status: Path) -> None:
    reached = []
    with window(browser, status, **DESKTOP) as shown:
        for _ in range(20):
            shown.page.keyboard.press("Tab")
            found = shown.page.evaluate(
                """(() => { const at = document.activeElement; return at === document.body ? null
                : [at.getAttribute("aria-label") || at.textContent.trim(), getComputedStyle(at).outlineStyle]; })()"""
            )
            if found is None:
                break
            reached.append(found)
    names = [each[0] for each in reached]
    assert names[0] == "Saltar al estado"
    assert names[-5:] == ["Clústeres", "GPU", "Trabajos", "Presupuestos", "Plazos"]
    assert {each[1] for each in reached} == {"solid"}
