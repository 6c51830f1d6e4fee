"""Commands that choose what they act on: ``docker stop $(docker ps | grep nova)`` names no container.

What was chosen is what the output names, where the command could have printed it; else the one declared thing that is
called so; else nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from faultset.records.scripts import CommandedAction
from faultset.truth.output import Acknowledgements
from faultset.truth.placement import Placement

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def settle(
    actions: Sequence[CommandedAction], placement: Placement, output: Acknowledgements
) -> tuple[CommandedAction, ...]:
    """Return ``actions`` with each choice replaced by what was chosen; a choice that nothing tells is left out."""
    commanded = {action.name for action in actions if action.name and not action.chosen}
    settled: list[CommandedAction] = []
    for action in actions:
        if not action.chosen:
            settled.append(action)
            continue
        names = _chosen(action, commanded, placement, output)
        clues = action.clues
        if len(names) > 1 and action.kind != "container":
            # A pattern that fits several processes or units succeeds where one of them was there.
            clues = tuple(clue for clue in clues if not clue.succeeded)
        # Where docker was given ids, it answers with ids.
        shows = action.acknowledges if set(names) & set(output.lines) or action.acknowledges != "name" else "id"
        settled += [replace(action, name=name, chosen=False, clues=clues, acknowledges=shows) for name in names]
    return tuple(settled)


def _chosen(
    action: CommandedAction, commanded: set[str], placement: Placement, output: Acknowledgements
) -> tuple[str, ...]:
    pattern = action.name or ""
    if action.kind == "container":
        named = [name for name in _named(pattern, placement, output) if name not in commanded]
        here = tuple(name for name in named if _may_be_at(action.host, name, placement))
        if here or not pattern:
            return here
    component = placement.component(pattern, action.kind) if pattern else None
    if component is not None:
        return (component.container if action.kind == "container" else pattern,)
    alike = _alike(pattern, action, placement)
    if any(_plain(name) == _plain(pattern) for name in alike):
        return (pattern,)
    if alike:
        return alike if len(alike) == 1 or action.kind != "container" else ()
    plain = _NAME.fullmatch(pattern) is not None
    return (pattern,) if plain and (action.kind != "container" or not placement.known) else ()


def _named(pattern: str, placement: Placement, output: Acknowledgements) -> list[str]:
    """Names that the output consists of, line by line, and that fit."""
    fits = _matcher(pattern)
    declared = placement.containers()
    return sorted(
        line
        for line in output.lines
        if _NAME.fullmatch(line) and fits.search(line) and (line in declared or (pattern and line not in ("", "done")))
    )


_SIMPLE = re.compile(r"(?:[\w$^|-]|\.\*?)+")


def _matcher(pattern: str) -> re.Pattern[str]:
    """What grep or a filter looks for, where it is a simple expression; else the text as it stands."""
    text = pattern.replace("\\|", "|")
    text = re.sub(r"(?<!\.)\*", ".*", text)
    if len(text) > 100 or text.count("*") > 3 or not _SIMPLE.fullmatch(text):
        text = re.escape(pattern[:100])
    return re.compile(text)


def _may_be_at(host: str | None, name: str, placement: Placement) -> bool:
    """Whether a container can have been chosen on a node: it is declared there, or nowhere."""
    component = placement.component(name)
    if host is None or component is None:
        return True
    return placement.place(host).name in {place.name for place in placement.homes(component)}


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _alike(pattern: str, action: CommandedAction, placement: Placement) -> tuple[str, ...]:
    """The declared things on the node whose names fit."""
    fits = _matcher(pattern.replace("-", "[-_]"))
    return tuple(
        name for name in sorted(placement.containers())
        if pattern and fits.search(name) and _may_be_at(action.host, name, placement)
    )  # fmt: skip
