"""The tree that a shell script becomes: words before their expansion, and the commands made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PartKind = Literal["text", "variable", "command", "arithmetic"]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word.

    Attributes:
        kind: literal text, or what is to be expanded.
        text: the text, the inside of ``${...}``, of ``$(...)`` or of ``$((...))``.
        quoted: whether it is protected from splitting and from brace expansion.
    """

    kind: PartKind
    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Word:
    """A word before its expansion, and the line it starts in."""

    parts: tuple[Part, ...]
    line: int

    @property
    def bare(self) -> str | None:
        """The text of a word without quotes and expansions; None for others."""
        if len(self.parts) == 1 and self.parts[0].kind == "text" and not self.parts[0].quoted:
            return self.parts[0].text
        return None


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirection: ``<`` and ``<<<`` with a word, ``<<`` with a word made of the here-document."""

    operator: str
    target: Word


@dataclass(frozen=True, slots=True)
class Assignment:
    """``NAME=word`` or ``NAME=(words)``; ``append`` for ``+=``."""

    name: str
    values: tuple[Word, ...]
    array: bool
    append: bool


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple command."""

    line: int
    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by ``|``; ``negated`` by a leading ``!``."""

    commands: tuple[Command, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class AndOr:
    """Pipelines joined by ``&&`` and ``||``: each with the operator before it ("" for the first).

    ``background`` for a list that ends with ``&``.
    """

    pipelines: tuple[tuple[str, Pipeline], ...]
    background: bool = False


Body = tuple[AndOr, ...]


@dataclass(frozen=True, slots=True)
class For:
    """``for NAME in WORDS``; ``items`` None where it runs over the arguments."""

    line: int
    name: str
    items: tuple[Word, ...] | None
    body: Body


@dataclass(frozen=True, slots=True)
class CountedFor:
    """``for ((first; condition; step))``."""

    line: int
    first: str
    condition: str
    step: str
    body: Body


@dataclass(frozen=True, slots=True)
class While:
    """``while`` and ``until``."""

    line: int
    condition: Body
    until: bool
    body: Body


@dataclass(frozen=True, slots=True)
class If:
    """``if``: conditions and what follows each; an empty condition for ``else``."""

    line: int
    branches: tuple[tuple[Body, Body], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """``case``: what it is about, and its branches: the patterns of each, and its body."""

    line: int
    subject: Word
    branches: tuple[tuple[tuple[Word, ...], Body], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """``{ ...; }``, ``( ... )`` (a ``subshell``), or a compound command with redirections."""

    line: int
    body: Body
    redirects: tuple[Redirect, ...]
    subshell: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """The definition of a function."""

    name: str
    body: Body


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``(( ... ))`` as a command."""

    line: int
    text: str


Command = Simple | For | CountedFor | While | If | Case | Group | Function | Arithmetic


@dataclass(frozen=True, slots=True)
class Program:
    """What could be read of a script, and what could not."""

    body: Body
    problems: tuple[str, ...] = ()
