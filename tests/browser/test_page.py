"""The page of costs in a real browser: nothing is fetched, all is reached by keyboard, and it fits screen and paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.conftest import DESKTOP, PHONE, SCREENS, Shown, window

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PNG, PDF = b"\x89PNG", b"%PDF"
FOCUSED = "[document.activeElement.cellIndex, document.activeElement.parentElement.rowIndex]"


@pytest.mark.parametrize("name", SCREENS)
def test_it_shows_without_a_complaint_and_asks_nobody(browser: Browser, file: Path, pictures: Path, name: str) -> None:
    with window(browser, file, **SCREENS[name]) as shown:
        picture = shown.page.screenshot(path=pictures / f"{name}.png", full_page=True)
        assert (shown.complaints, shown.requests) == ([], [file.as_uri()])
        assert picture.startswith(PNG)


@pytest.mark.parametrize(("name", "rules"), [("light", WCAG), ("dark", WCAG), ("phone", ["wcag22aa"])])
def test_axe_finds_nothing_that_keeps_anybody_out(browser: Browser, file: Path, name: str, rules: list[str]) -> None:
    # The policy of the page lets no tool add a script, so it is lifted for this one window.
    with window(browser, file, **SCREENS[name], bypass_csp=True) as shown:
        found = Axe().run(shown.page, options={"runOnly": rules})
        told = [(each["id"], [node["target"] for node in each["nodes"][:3]]) for each in found.response["violations"]]
        assert told == []
        assert found.response["passes"]


def test_the_policy_keeps_out_a_script_and_a_request_of_another(browser: Browser, file: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.html"
    added = '<img src="http://127.0.0.1:9/x.png"><script>document.title = "taken"</script></main>'
    spoilt.write_text(file.read_text().replace("</main>", added))
    with window(browser, spoilt, **DESKTOP) as shown:
        assert shown.page.title() == "Costs of llm-2026"
        assert len(shown.complaints) == 2
        assert all("Content Security Policy" in each for each in shown.complaints)


def test_light_and_dark_follow_the_system(browser: Browser, file: Path) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    colours = {}
    for name in ("light", "dark"):
        with window(browser, file, **SCREENS[name]) as shown:
            colours[name] = shown.page.evaluate(background)
    assert colours == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}


def test_a_phone_scrolls_no_page_sideways_and_cuts_no_table_off(browser: Browser, file: Path) -> None:
    with window(browser, file, **PHONE) as shown:
        assert shown.page.evaluate("document.documentElement.scrollWidth") == 360
        outside = """[...document.querySelectorAll("main *")]
            .filter((each) => !each.closest(".scroll, svg, .sr, details"))
            .filter((each) => each.getBoundingClientRect().right > 360).map((each) => each.outerHTML.slice(0, 80))"""
        assert shown.page.evaluate(outside) == []
        last = shown.page.locator(".heat tbody tr").first.locator("td").last
        last.scroll_into_view_if_needed()
        box = last.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= 360 - box["width"]


def test_the_tab_key_reaches_every_part_and_shows_where_it_is(desktop: Shown) -> None:
    described: list[Any] = []
    for _ in range(40):
        desktop.page.keyboard.press("Tab")
        described.append(
            desktop.page.evaluate(
                """(() => { const at = document.activeElement, style = getComputedStyle(at);
                return at === document.body ? null
                    : [at.getAttribute("aria-label") || at.textContent.trim().slice(0, 30), style.outlineStyle]; })()"""
            )
        )
        if described[-1] is None:
            break
    reached = [each[0] for each in described if each]
    assert described[-1] is None
    assert reached[0] == "Skip to the report"
    assert {"Budget", "Each day as a table", "Student x lab", "In use now", "By lab", "Runs that fail"} <= set(reached)
    assert {each[1] for each in described if each} == {"solid"}
    assert len(reached) < 30


def test_arrow_keys_walk_the_cells_and_stop_at_the_edges(desktop: Shown) -> None:
    page = desktop.page
    page.locator(".heat tbody td").first.focus()
    seen = []
    for key in (
        "ArrowRight",
        "ArrowDown",
        "End",
        "ArrowRight",
        "Home",
        "PageDown",
        "Control+End",
        "Control+Home",
        "ArrowUp",
    ):
        page.keyboard.press(key)
        seen.append(tuple(page.evaluate(FOCUSED)))
    assert seen == [(2, 1), (2, 2), (10, 2), (10, 2), (0, 2), (0, 12), (10, 14), (0, 0), (0, 0)]
    assert page.locator(".heat [tabindex='0']").count() == 1
    assert desktop.complaints == []


def test_a_cell_that_is_walked_to_is_not_below_the_heads(desktop: Shown) -> None:
    page = desktop.page
    page.set_viewport_size({"width": 500, "height": 400})
    page.locator(".heat tbody td").first.focus()
    for key in ("Control+End", "ArrowUp", *["ArrowLeft"] * 6, *["ArrowUp"] * 8):
        page.keyboard.press(key)
    bare = """() => { const at = document.activeElement.getBoundingClientRect();
        return document.elementFromPoint(at.left + 4, at.top + 4)?.closest("td, th") === document.activeElement; }"""
    # The window scrolls smoothly, so it takes a moment.
    page.wait_for_function(bare, timeout=5000)


def test_all_is_there_without_a_script(browser: Browser, file: Path) -> None:
    with window(browser, file, **DESKTOP, java_script_enabled=False) as shown:
        assert shown.page.locator(".heat td.out").count() == 2
        shown.page.locator("summary").press("Enter")
        assert shown.page.locator("details table").is_visible()


def test_on_paper_nothing_is_cut_off_and_the_days_are_there(desktop: Shown, pictures: Path) -> None:
    page = desktop.page
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    assert page.locator("details table").is_visible()
    overflows = '[...document.querySelectorAll(".scroll")].map((each) => getComputedStyle(each).overflow)'
    assert set(page.evaluate(overflows)) == {"visible"}
    assert page.pdf(path=pictures / "print.pdf", format="A4").startswith(PDF)
