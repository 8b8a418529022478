"""Every command that the pages have people type exists, with its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clusterlab.conftest import ROOT
from tests.docs.commands import Typed, commands_of, fault

PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
MADE = {"cli.md", "tour.md"}
"""Of the code itself."""


@pytest.mark.parametrize("path", [path for path in PAGES if path.name not in MADE], ids=lambda path: path.name)
def test_each_command_of_a_page_is_one(path: Path) -> None:
    assert [f"{typed}\n  {fault(typed)}" for typed in commands_of(path, ROOT) if fault(typed)] == []


def test_commands_were_found() -> None:
    found = [typed for path in PAGES for typed in commands_of(path, ROOT)]
    assert sum(typed.whole for typed in found) > 60
    assert sum(not typed.whole for typed in found) > 40


def typed(line: str, *, whole: bool = True) -> Typed:
    return Typed(page="page", words=tuple(line.split()), whole=whole)


FAULTS = {
    "class upp clusters/x.yaml": "clusterlab class has no verb 'upp'",
    "class preflight clusters/x.yaml --ofline": "No such option: --ofline",
    "class preflight": "lacks file",
    "budget": "clusterlab budget wants a verb",
    "budget set --student ana": "lacks usd",
    "class up clusters/x.yaml clusters/y.yaml": "too much: clusters/y.yaml",
}


@pytest.mark.parametrize(("line", "message"), FAULTS.items())
def test_what_is_no_command_is_told(line: str, message: str) -> None:
    assert message in (fault(typed(line)) or "")


@pytest.mark.parametrize("line", ["class preflight clusters/x.yaml --offline", "budget verify ...", "--version"])
def test_what_is_one_passes(line: str) -> None:
    assert fault(typed(line)) is None


def test_inline_code_may_leave_out_arguments_but_names_no_option_that_is_none() -> None:
    assert fault(typed("budget set --student", whole=False)) is None
    assert "No such option" in (fault(typed("class up --quick", whole=False)) or "")


PAGE = """
Say `clusterlab class preflight`, or `make demo`.

```
export A=1; sudo .venv/sky/bin/clusterlab rehearse labs/qlora.yaml   # clusterlab nothing
clusterlab meter --course llm-2026 \\
    --aws all > meter.log && clusterlab report | less
```
"""


def test_commands_are_read_as_a_shell_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    assert [(" ".join(each.words), each.whole) for each in commands_of(path, tmp_path)] == [
        ("rehearse labs/qlora.yaml", True),
        ("meter --course llm-2026 --aws all", True),
        ("report", True),
        ("class preflight", False),
    ]
