"""A page of a made course, and a real Chromium that shows it without a net."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from clusterlab.report.page import page
from clusterlab.report.summary import Summary
from tests.clusterlab.report.courses import course

INSTALL = "apt-get install chromium"
DESKTOP = {"viewport": {"width": 1200, "height": 900}}
DARK = DESKTOP | {"color_scheme": "dark"}
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
SCREENS: dict[str, dict[str, Any]] = {"light": DESKTOP, "dark": DARK, "phone": PHONE}
LONG = "a-student-whose-name-is-as-long-as-a-label-may-be-" + "x" * 13


@dataclass
class Shown:
    """The page in a window, and what went wrong in it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip(f"needs Chromium: `{INSTALL}`")
    # Chromium's own sandbox does not start as root, and the page is ours.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a course of twelve students and eight labs."""
    students = [*(f"student-{number:02}" for number in range(11)), LONG]
    path = tmp_path_factory.mktemp("page") / "costs.html"
    path.write_text(page(Summary.of(course(students, [f"lab-{number}" for number in range(8)]))), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the screenshots go: `CLUSTERLAB_PICTURES`, for somebody to look at, or a temporary folder."""
    folder = Path(os.environ.get("CLUSTERLAB_PICTURES") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def window(browser: Browser, file: Path | str, **screen: Any) -> Iterator[Shown]:
    """The page on a screen: a file with no net, or what a server of this machine has at an address."""
    context = browser.new_context(offline=isinstance(file, Path), **screen)
    shown = Shown(page=context.new_page())
    shown.page.on("console", lambda message: shown.complaints.append(message.text))
    shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
    shown.page.on("request", lambda request: shown.requests.append(request.url))
    shown.page.goto(file if isinstance(file, str) else file.as_uri())
    yield shown
    context.close()


@pytest.fixture
def desktop(browser: Browser, file: Path) -> Iterator[Shown]:
    with window(browser, file, **DESKTOP) as shown:
        yield shown
