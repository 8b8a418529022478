"""An agent's traces in a real browser: the report's look, no script, no net, and nobody kept out."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from jobs.agents.page import page
from tests.browser.conftest import DARK, DESKTOP, PHONE, SCREENS, Shown, window
from tests.browser.test_page import PNG, WCAG
from tests.jobs.agents.traces import EVIL, traces


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "traces.html"
    told = page(traces(), title="Traces of an agent", policy="a model", price="Dollars: 1 an hour, as billed.")
    path.write_text(told, encoding="utf-8")
    return path


def _open(shown: Shown) -> None:
    for summary in shown.page.locator(".task > summary, .turn summary").all():
        summary.press("Enter")


@pytest.mark.parametrize("name", SCREENS)
def test_it_shows_without_a_complaint_and_asks_nobody(browser: Browser, file: Path, pictures: Path, name: str) -> None:
    with window(browser, file, **SCREENS[name]) as shown:
        _open(shown)
        picture = shown.page.screenshot(path=pictures / f"traces-{name}.png", full_page=True)
        assert (shown.complaints, shown.requests) == ([], [file.as_uri()])
        assert picture.startswith(PNG)


@pytest.mark.parametrize("screen", [DESKTOP, DARK], ids=["light", "dark"])
def test_axe_finds_nothing_that_keeps_anybody_out(browser: Browser, file: Path, screen: dict[str, object]) -> None:
    with window(browser, file, **screen, bypass_csp=True) as shown:
        _open(shown)
        found = Axe().run(shown.page, options={"runOnly": WCAG})
    told = [(each["id"], [node["target"] for node in each["nodes"][:3]]) for each in found.response["violations"]]
    assert told == []


def test_a_documents_text_stays_text(browser: Browser, file: Path) -> None:
    with window(browser, file, **DESKTOP, java_script_enabled=False) as shown:
        _open(shown)
        assert shown.page.locator(".untrusted pre", has_text=EVIL).first.is_visible()
        assert shown.page.locator("main img, main script").count() == 0


def test_a_phone_scrolls_no_page_sideways(browser: Browser, file: Path) -> None:
    with window(browser, file, **PHONE) as shown:
        _open(shown)
        assert shown.page.evaluate("document.documentElement.scrollWidth") == 360
