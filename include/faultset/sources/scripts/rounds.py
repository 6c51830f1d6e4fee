"""Whether the rounds of a loop can differ."""

from __future__ import annotations

import re
from collections.abc import Mapping

from faultset.sources.scripts.library import parts_of
from faultset.sources.scripts.shell_tree import Arithmetic, Body, CountedFor, For, Simple

LEAVING = frozenset({"exit", "return", "break", "continue", "shift"})


def depends_on_round(body: Body, functions: Mapping[str, Body], name: str) -> bool:
    """Whether rounds of a loop can differ: the body uses the variable, sets one, or can leave the loop."""
    mention = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    for item in parts_of((body, tuple(functions.values()))):
        if isinstance(item, Simple):
            if item.assignments or (item.words and item.words[0].bare in LEAVING):
                return True
            if any(mention.search(part.text) for word in item.words for part in word.parts if part.kind != "text"):
                return True
            if any(mention.search(part.text) for each in item.redirects for part in each.target.parts):
                return True
        elif isinstance(item, Arithmetic | CountedFor) or (
            isinstance(item, For)
            and any(
                mention.search(part.text) for word in item.items or () for part in word.parts if part.kind != "text"
            )
        ):
            return True
    return False
