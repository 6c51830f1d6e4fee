"""The one place that makes the templates' environment: whatever is put into a page is text there, unless it says else.

Pages that lie in versions and verdicts are whole in themselves (``standalone``): no script, nothing fetched, and no
text on them that a template engine, should one ever read the page, takes for more.
"""

from __future__ import annotations

import functools
import html
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from faultset.errors import printable

_TEMPLATES = Path(__file__).parent / "templates"
_TEMPLATE_MARKS = str.maketrans({mark: f"&#{ord(mark)};" for mark in "{}$`\\"})
_LONGEST = 2000  # characters of one value


def environment(**options: Any) -> Environment:
    """Return an environment of the folder ``templates``: it escapes, and an unknown name is an error."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )


@functools.cache
def standalone() -> Environment:
    """Return the environment of pages that are whole in themselves; each value becomes one harmless line."""
    return environment(finalize=_harmless, keep_trailing_newline=True)


def render(template: str, **values: Any) -> str:
    """Return a page that is whole in itself, from a template of ``standalone/``."""
    return standalone().get_template(f"standalone/{template}").render(**values)


def escaped(text: str) -> Markup:
    """Return text, its line breaks kept, that neither a browser nor a template engine takes for more."""
    return Markup(html.escape(text).translate(_TEMPLATE_MARKS))  # noqa: S704 (escaped right here)


def _harmless(value: Any) -> Any:
    return escaped(printable(value, _LONGEST)) if isinstance(value, str) and not isinstance(value, Markup) else value
