"""Write docs/identity.md from the cases: what each role of a class can do, what it can't, and why.

python -m tests.infra.iam.page [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from tests.infra.iam.case import Case
from tests.infra.iam.cases_rights import CASES

PAGE = Path(__file__).parents[3] / "docs" / "identity.md"
HEAD = Path(__file__).with_name("page.md")
"""What stands before the tables."""


def page(cases: Iterable[Case] = CASES) -> str:
    """The whole page, a table a role."""
    by_role: dict[str, list[Case]] = {}
    for case in cases:
        by_role.setdefault(case.who, []).append(case)
    parts = ["<!-- Made by `python -m tests.infra.iam.page`. -->", HEAD.read_text().rstrip()]
    for who, rows in by_role.items():
        parts += [f"## {who[0].upper()}{who[1:]}", _table(rows)]
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str]) -> int:
    """Rewrite the page, or with `--check` say whether it is stale."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"{' '.join(arguments)}: unknown; allowed: --check\n")
        return 2
    fresh = PAGE.is_file() and PAGE.read_text() == page()
    if not arguments:
        PAGE.write_text(page())
    elif not fresh:
        sys.stderr.write(f"docs/{PAGE.name}: stale; `python -m tests.infra.iam.page` rewrites it\n")
    return 2 if arguments and not fresh else 0


def _table(rows: list[Case]) -> str:
    """Those that are allowed first, each in the order of the cases."""
    lines = ["| does | IAM says | since |", "| --- | --- | --- |"]
    for each in sorted(rows, key=lambda case: not case.allowed):
        said = "yes" if each.allowed else f"**no** (`{each.denied_by}`)" if each.denied_by else "**no**"
        lines.append(f"| {each.does} | {said} | {each.why} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
