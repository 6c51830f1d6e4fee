"""The hook scripts of a run, by file name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from faultset.errors import InputError
from faultset.sources.kit.files import read_bytes
from faultset.sources.kit.redaction import redact
from faultset.sources.kit.yaml_tree import decode
from faultset.sources.scripts.shell_actions import base_name
from faultset.sources.scripts.shell_syntax import parse
from faultset.sources.scripts.shell_tree import Program, Word

LARGEST_SCRIPT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Script:
    """A script: its text without secrets, and the tree of its commands."""

    text: str
    program: Program

    @property
    def stops_at_errors(self) -> bool:
        """Whether its first line asks for that, as ``#!/bin/bash -e`` does where the file itself is run."""
        head, _, flags = self.text.split("\n", 1)[0].partition(" -")
        return head.startswith("#!") and "e" in flags


@dataclass(frozen=True, slots=True)
class ScriptLibrary:
    """The hook scripts of a run, by file name, without secrets."""

    scripts: Mapping[str, Script] = field(default_factory=lambda: MappingProxyType({}))

    def entries(self) -> tuple[str, ...]:
        """Return the scripts that no other one names."""
        named = {
            base_name(text)
            for name, script in self.scripts.items()
            for text in _texts(script.program)
            if base_name(text) in self.scripts and base_name(text) != name
        }
        return tuple(name for name in self.scripts if name not in named)


def read_library(uris: Sequence[str]) -> ScriptLibrary:
    """Read the hook scripts at ``uris``.

    Raises:
        InputError: a script cannot be read, is no text or too long, or two different ones have the same file name.
    """
    scripts: dict[str, Script] = {}
    for uri in uris:
        text = decode(read_bytes(uri, role="script_bytes"), uri)
        if "\x00" in text:
            raise InputError(uri, "is a binary file, not a shell script", "give the script that the hook runs")
        name = base_name(uri.rstrip("/"))
        script = _read_script(text)
        if scripts.setdefault(name, script) != script:
            raise InputError(uri, f"a second script is called '{name}'", "give scripts of one run different file names")
    return ScriptLibrary(MappingProxyType(scripts))


def library_of(texts: Mapping[str, str]) -> ScriptLibrary:
    """Return the library of scripts whose texts are at hand, by file name."""
    return ScriptLibrary(MappingProxyType({name: _read_script(text) for name, text in texts.items()}))


def _read_script(text: str) -> Script:
    safe = redact(text)
    shebang = text.split("\n", 1)[0]
    if shebang.startswith("#!") and "sh" not in shebang:
        return Script(safe, Program((), ("line 1: it is no shell script",)))
    return Script(safe, parse(safe))


def parts_of(tree: object) -> Iterator[object]:
    """Yield a tree's dataclasses, itself included, each before what it holds."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            waiting += item
        elif dataclasses.is_dataclass(item) and not isinstance(item, type):
            yield item
            waiting += [getattr(item, each.name) for each in dataclasses.fields(item)]


def _texts(tree: object) -> Iterator[str]:
    """Yield the words of a tree that are plain text, and the words within quoted ones."""
    for item in parts_of(tree):
        if isinstance(item, Word):
            text = "".join(part.text for part in item.parts)
            yield text
            if len(text) < LARGEST_SCRIPT:
                yield from text.split()
