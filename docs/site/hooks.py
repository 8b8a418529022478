"""What the site has beside the pages of `docs/`: pages made of labs and of the code, and files that pages link to.

Pages link to files of the repository as a code host shows them, `../clusterlab/lab.py`. Here such a link leads to that
file's page where it has one, and else to the file itself, shown below `source/`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

from clusterlab.job import job_names
from clusterlab.lab import Lab, lab_paths
from clusterlab.pages.lab import lab_page, labs_page
from clusterlab.pages.words import ENGLISH, SPANISH
from clusterlab.tour import NOUNS

ROOT = Path(__file__).parents[2]
AT_THE_ROOT = {
    "README.md": "overview.md",
    "BENCHMARKS.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
"""Pages of the repository's root, by their place on the site."""
INSTEAD = {"labs": "They are [here, a page each](docs/labs/index.md).", "map": "It is [here](docs/architecture.md)."}
"""What stands in place of tables of README.md that are pages of the site."""
MADE = re.compile(r"<!-- (\w+) -->.*?<!-- /\1 -->", re.DOTALL)
MODULES = {"Config": "clusterlab.config", "Plan": "clusterlab.plan", "Errors": "clusterlab.errors"}
"""What the reference has beside the nouns and the jobs."""
CODE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<=\]\()(?!https?://|mailto:|#)([^)#\s]+)")
VERDICT = re.compile(r"<(td|strong)>(?=(PASS|FAIL)\b)")
SHOWN = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{path}</title><link rel="stylesheet" href="{up}source.css"><h1>{path}</h1>{code}</html>
"""
STYLE = """:root {{ color-scheme: light dark; font-family: sans-serif; }} body {{ margin: 1rem; }}
h1 {{ font-size: 1.1rem; }} pre {{ line-height: 1.4; overflow-x: auto; }}
.linenos {{ color: #767676; margin-right: 1rem; }}
{light}
@media (prefers-color-scheme: dark) {{ body {{ background: #272822; }}
{dark}
}}
"""


@cache
def made_pages() -> dict[str, str]:
    """Pages that are no file of `docs/`, by their place on the site."""
    pages = {to: (ROOT / name).read_text() for name, to in AT_THE_ROOT.items()}
    pages["overview.md"] = MADE.sub(lambda found: INSTEAD[found[1]], pages["overview.md"])
    for words, folder in ((ENGLISH, "labs"), (SPANISH, "es/labs")):
        pages[f"{folder}/index.md"] = labs_page(ROOT, words)
        for path in lab_paths(ROOT / "labs"):
            pages[f"{folder}/{path.stem}.md"] = lab_page(Lab.load(path), ROOT, words)
    return pages | reference()


def reference() -> dict[str, str]:
    """A page for each noun, job and other module that one programs against, from docstrings."""
    nouns = {noun: file.removesuffix(".py").replace("/", ".") for noun, (file, _) in NOUNS.items()}
    pages = {f"api/{name}.md": f"# {name}\n\n::: {module}\n" for name, module in (nouns | MODULES).items()}
    for job in job_names(ROOT):
        pages[f"api/jobs/{job}.md"] = f"# jobs.{job}\n\n::: jobs.{job}\n"
    linked = "\n".join(f"- [{name}]({name}.md): `{module}`" for name, module in (nouns | MODULES).items())
    jobs = "\n".join(f"- [{job}](jobs/{job}.md)" for job in job_names(ROOT))
    head = "# API\n\nFrom the docstrings. The nouns, and what else one programs against:"
    return pages | {
        "api/index.md": f"{head}\n\n{linked}\n\nJobs, each with the values that a lab's envs set:\n\n{jobs}\n"
    }


def on_config(config: MkDocsConfig) -> None:
    """Put pages that are made in the place of `folder/*.md` in the nav."""
    config.nav = [_expanded(each) for each in config.nav or []]


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages that are made."""
    for place, text in made_pages().items():
        files.append(File.generated(config, place, content=text))
    styles = {name: HtmlFormatter(style=style).get_style_defs() for name, style in _STYLES.items()}
    files.append(File.generated(config, "source/source.css", content=STYLE.format(**styles)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead each link that is no page's to where the site has it."""
    own = page.file.src_uri
    here = next((name for name, to in AT_THE_ROOT.items() if to == own), f"docs/{own}")
    parts = CODE.split(markdown)
    parts[::2] = [LINK.sub(lambda found: _place(found[1], here, own, files, config), part) for part in parts[::2]]
    return "".join(parts)


def on_page_content(html: str, **_: Any) -> str:
    """Mark verdicts, so that they have their colours."""
    return VERDICT.sub(lambda found: f'<{found[1]} class="{found[2].lower()}">', html)


def on_page_context(context: dict[str, Any], page: Page, config: MkDocsConfig, **_: Any) -> dict[str, Any]:
    """Have the frame around a Spanish page speak Spanish too."""
    spanish = page.file.src_uri.startswith("es/") or page.file.src_uri == "primera-hora.md"
    config.theme["language"] = "es" if spanish else "en"
    return context


_STYLES = {"light": "default", "dark": "monokai"}


def _expanded(entry: Any) -> Any:
    (title, inner), *_ = entry.items()
    return {title: list(_children(inner))} if isinstance(inner, list) else entry


def _children(entries: list[Any]) -> Iterator[Any]:
    for entry in entries:
        if isinstance(entry, dict):
            yield _expanded(entry)
        elif entry.endswith("/*.md"):
            folder = entry.removesuffix("*.md")
            names = [place.removeprefix(folder) for place in made_pages() if place.startswith(folder)]
            yield from ({name[:-3]: folder + name} for name in names if "/" not in name and name != "index.md")
        else:
            yield entry


def _place(link: str, here: str, own: str, files: Files, config: MkDocsConfig) -> str:
    """Where a link from the file `here`, whose page is `own`, leads on the site; as it was where nothing is there."""
    target = os.path.normpath(Path(here).parent / link)
    lab = re.sub(r"^labs/([\w-]+)\.yaml$", r"labs/\1.md", target)
    found = AT_THE_ROOT.get(target) or (target[5:] if target.startswith("docs/") else lab)
    if files.get_file_from_path(found) is None or found == own.removeprefix("es/"):
        if not (ROOT / target).is_file():
            return link
        found = f"source/{target}.html"
        if files.get_file_from_path(found) is None:
            files.append(File.generated(config, found, content=_shown(target)))
    return os.path.relpath(found, Path(own).parent)


def _shown(path: str) -> str:
    text = (ROOT / path).read_text()
    try:
        lexer = get_lexer_for_filename(path)
    except ClassNotFound:
        lexer = TextLexer()
    code = highlight(text, lexer, HtmlFormatter(linenos="inline", lineanchors="line"))
    return SHOWN.format(path=path, up="../" * path.count("/"), code=code)
