"""Templates and assets: what a page is made of. Everything that is put into a template is escaped."""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from faultset.errors import counted, printable
from faultset.pages import views
from faultset.pages.environment import environment as _environment

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages load; its address holds its hash, so that it may be kept for ever."""

    content: bytes
    media_type: str
    digest: str


@functools.cache
def assets() -> dict[str, Asset]:
    """Return name -> asset; nothing else is ever served from this folder."""
    root = _HERE / "assets"
    return {
        path.relative_to(root).as_posix(): _asset(path) for path in sorted(root.rglob("*")) if path.suffix in _TYPES
    }


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:12])


def _text(value: object) -> str:
    """Return text from outside as one harmless line; Jinja escapes it."""
    return printable(str(value), 2000)


def _lines(text: str) -> str:
    """Return text from outside with its line breaks, each line harmless; Jinja escapes it."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\ufffd" for sign in text)


@functools.cache
def environment() -> Environment:
    """Return the templates with what they call."""
    made = _environment()
    made.filters |= {
        "text": _text,
        "lines": _lines,
        "moment": views.moment,
        "size": views.size,
        "number": views.number,
    }
    made.globals |= {"ago": views.ago, "counted": counted, "assets": assets()}
    return made


_PICTURE = re.compile(r"figures/[a-z0-9-]{1,100}\.png")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|/|#", re.IGNORECASE)


@functools.cache
def _markdown() -> Any:
    from markdown_it import MarkdownIt  # noqa: PLC0415 (only two pages show Markdown)

    # No HTML in it becomes any, and links that could run something are none.
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.add_render_rule("image", _image)
    made.add_render_rule("link_open", _link)
    return made


def _image(_renderer: Any, tokens: Any, place: int, _options: Any, env: Any) -> str:
    """A picture of the same version; of any other, its words."""
    token = tokens[place]
    words = escape(token.content)
    if env.get("files") and _PICTURE.fullmatch(token.attrGet("src") or ""):
        return f'<img class="picture" loading="lazy" src="{escape(env["files"])}{token.attrGet("src")}" alt="{words}">'
    return str(words)


def _link(renderer: Any, tokens: Any, place: int, options: Any, env: Any) -> str:
    href = tokens[place].attrGet("href") or ""
    if env.get("files") and not _ELSEWHERE.match(href):
        tokens[place].attrSet("href", f"{env['files']}{href}")
    return str(renderer.renderToken(tokens, place, options, env))


def markdown(text: str, files: str = "") -> Markup:
    """Return Markdown as HTML; whatever HTML stands in it is shown as text.

    Args:
        text: Markdown.
        files: address below which the files are that it names; "" shows no pictures.
    """
    return Markup(_markdown().render(text, {"files": files}))  # noqa: S704 (of a renderer that lets no HTML through)


def safe(made: bytes) -> Markup:
    """Return what ``markdown`` made and was kept as bytes."""
    return Markup(made.decode())  # noqa: S704
