"""What all pages have in common: one look, everything inside, and a browser that lets them do nothing else."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.errors import MissingError

if TYPE_CHECKING:
    from jinja2 import Template

FOLDER = Path(__file__).parent
STYLE = FOLDER / "page.css"
INSTALL = "pip install 'clusterlab[money]'"


def render(
    template: Path, *, language: str, styles: tuple[Path, ...] = (), script: Path | None = None, **values: Any
) -> str:
    """A page, as the text of one file.

    Args:
        template: Which extends `frame.html`.
        language: Of its words, as HTML names it.
        styles: Beside the one that all pages have.
        script: Its own, where it has one.
        values: What its template shows.

    Raises:
        MissingError: Jinja is not installed.
    """
    style = "\n".join(map(_text, (STYLE, *styles)))
    code = _text(script) if script else ""
    inside = {"style": style, "script": code, "policy": policy(style, code), "language": language}
    return _template(template).render(**inside, **values)


def policy(style: str, script: str) -> str:
    """What a browser lets the page do: its own style and script, told by their digests, and nothing else at all."""
    scripts = _digest(script) if script else "'none'"
    allowed = f"style-src {_digest(style)}; script-src {scripts}"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _template(path: Path) -> Template:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name}: not installed; `{INSTALL}` installs it") from error
    environment = Environment(
        loader=FileSystemLoader([path.parent, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(path.name)
