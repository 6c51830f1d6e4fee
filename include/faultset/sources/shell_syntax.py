"""The shell language as far as hook scripts use it: text to a tree of commands. Nothing is ever executed.

Covers simple commands, pipelines, lists, loops, branches, functions, groups, quotes, here-documents and expansions.
What cannot be read ends the tree with a problem that says where; what was read before it stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

DEEPEST = 16

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
        return self.parts[0].text if len(self.parts) == 1 and self.parts[0] == Part("text", self.parts[0].text, False) else None


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
    """Pipelines joined by ``&&`` and ``||``: each with the operator before it ("" for the first)."""

    pipelines: tuple[tuple[str, Pipeline], ...]


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
    """``case``: the bodies of its branches, whose patterns are not read."""

    line: int
    branches: tuple[Body, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """``{ ...; }``, ``( ... )``, or a compound command with redirections."""

    line: int
    body: Body
    redirects: tuple[Redirect, ...]


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


def parse(text: str, first_line: int = 1) -> Program:
    """Return the commands of ``text``, whose first line has the number ``first_line``."""
    parser = _Parser(_Lexer(text, first_line))
    items: list[AndOr] = []
    problems: tuple[str, ...] = ()
    try:
        parser.statements(items, frozenset(), 0)
    except Unreadable as error:
        problems = (str(error),)
    return Program(tuple(items), problems)


class Unreadable(ValueError):
    """The text is no shell command as far as it is understood here; the message says where and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")


# --- characters to tokens --------------------------------------------------------------------------------------------

_OPERATOR = re.compile(
    r"(?P<redirect>\d{0,3}(?:<<<|<<-|<<|<>|<&|<|>>|>&|>\||>)|&>>|&>)|(?P<control>&&|\|\||\|&|;;&|;;|;&|[&|;()])|(?P<newline>\n)"
)
_BLANK = re.compile(r"(?:[ \t\r]|\\\r?\n)+")
_COMMENT = re.compile(r"#[^\n]*")
_PLAIN = re.compile(r"[^\s;&|<>()\\'\"`$]+")
_NAME = re.compile(r"\w+|[@*#?$!-]")
_ARRAY = re.compile(r"[A-Za-z_]\w*\+?=")
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:\[[^\]]{0,80}\])?(?P<append>\+?)=")
_DOUBLE_TEXT = re.compile(r"[^\"\\$`]+")
# Placeholders of the expansion live here, so that no script may use them.
_PRIVATE = re.compile("[\x00\ue000-\uf8ff]")


@dataclass(frozen=True, slots=True)
class _Token:
    """A word, or an operator: its text, its kind and its line. Arrays come as a word and their values."""

    kind: Literal["word", "array", "redirect", "control", "newline", "end"]
    line: int
    text: str = ""
    word: Word | None = None
    values: tuple[Word, ...] = ()


class _Lexer:
    """Cuts a text into tokens on demand, one token ahead."""

    def __init__(self, text: str, first_line: int) -> None:
        self._text = _PRIVATE.sub("\ufffd", text.replace("\r\n", "\n"))
        self._position = 0
        self.line = first_line
        self._next: _Token | None = None
        self._documents: list[tuple[str, bool, bool, list[Part]]] = []

    def peek(self) -> _Token:
        if self._next is None:
            self._next = self._read()
        return self._next

    def take(self) -> _Token:
        token = self.peek()
        self._next = None
        return token

    def arithmetic(self) -> str | None:
        """Take ``((...))`` behind a "(" that was just peeked at; None where it is none."""
        if self._next is None or self._next.text != "(" or not self._text.startswith("(", self._position):
            return None
        inside, end = self._balanced(self._position + 1, "(", ")")
        if not self._text.startswith(")", end):
            return None
        self._next = None
        self._move(end + 1)
        return inside

    def _move(self, position: int) -> None:
        self.line += self._text.count("\n", self._position, position)
        self._position = position

    def _read(self) -> _Token:
        while match := _BLANK.match(self._text, self._position) or _COMMENT.match(self._text, self._position):
            self._move(match.end())
        if self._position >= len(self._text):
            return _Token("end", self.line)
        line = self.line
        match = _OPERATOR.match(self._text, self._position)
        if match and not self._is_process_substitution(match):
            self._move(match.end())
            if match["newline"]:
                self._read_documents()
                return _Token("newline", line)
            kind: Literal["redirect", "control"] = "redirect" if match["redirect"] else "control"
            return _Token(kind, line, match[0])
        return self._read_word()

    def _is_process_substitution(self, match: re.Match[str]) -> bool:
        return match[0] in ("<", ">") and self._text.startswith("(", match.end())

    def _read_word(self) -> _Token:
        line, start = self.line, self._position
        parts: list[Part] = []
        while self._position < len(self._text):
            character = self._text[self._position]
            if character == "(" and _ARRAY.fullmatch(self._text, start, self._position):
                return self._read_array(Word(tuple(parts), line))
            if character in " \t\r\n;&|()" or (character in "<>" and parts):
                break
            parts += self._piece(character)
        return _Token("word", line, self._text[start : self._position], Word(_joined(parts), line))

    def _piece(self, character: str) -> list[Part]:
        """Read one piece of a word."""
        if match := _PLAIN.match(self._text, self._position):
            self._position = match.end()
            return [Part("text", match[0], False)]
        readers: dict[str, Callable[[], list[Part]]] = {
            "\\": self._escape,
            "'": self._single,
            '"': self._double,
            "$": lambda: self._dollar(quoted=False),
            "`": lambda: self._backquoted(quoted=False),
        }
        return readers.get(character, self._process_substitution)()

    def _process_substitution(self) -> list[Part]:
        inside, end = self._balanced(self._position + 2, "(", ")")
        self._move(end)
        return [Part("command", inside, True)]

    def _read_array(self, name: Word) -> _Token:
        self._position += 1
        values: list[Word] = []
        while (token := self._read()).text != ")" or token.kind != "control":
            if token.kind == "end":
                raise Unreadable(name.line, "a list in parentheses is never closed")
            if token.word:
                values.append(token.word)
        return _Token("array", name.line, "", name, tuple(values))

    def _escape(self) -> list[Part]:
        character = self._text[self._position + 1 : self._position + 2]
        self._move(min(self._position + 2, len(self._text)))
        return [] if character == "\n" else [Part("text", character or "\\", True)]

    def _single(self) -> list[Part]:
        end = self._text.find("'", self._position + 1)
        if end < 0:
            raise Unreadable(self.line, "a single quote is never closed")
        inside = self._text[self._position + 1 : end]
        self._move(end + 1)
        return [Part("text", inside, True)]

    def _ansi(self) -> list[Part]:
        end = self._position + 2
        while end < len(self._text) and self._text[end] != "'":
            end += 2 if self._text[end] == "\\" else 1
        if end >= len(self._text):
            raise Unreadable(self.line, "a single quote is never closed")
        inside = self._text[self._position + 2 : end]
        self._move(end + 1)
        return [Part("text", inside.replace("\\n", "\n").replace("\\t", "\t").replace("\\'", "'"), True)]

    def _double(self) -> list[Part]:
        line = self.line
        self._position += 1
        parts = [Part("text", "", True)]
        while self._position < len(self._text):
            character = self._text[self._position]
            if character == '"':
                self._position += 1
                return parts
            parts += self._quoted_piece(character, '"\\$`')
        raise Unreadable(line, "a double quote is never closed")

    def _quoted_piece(self, character: str, escapable: str) -> list[Part]:
        """Read one piece of what double quotes or a here-document protect."""
        if character == "$":
            return self._dollar(quoted=True)
        if character == "`":
            return self._backquoted(quoted=True)
        if character == "\\":
            following = self._text[self._position + 1 : self._position + 2]
            self._move(min(self._position + 2, len(self._text)))
            if following == "\n":
                return []
            return [Part("text", following if following and following in escapable else "\\" + following, True)]
        match = _DOUBLE_TEXT.match(self._text, self._position)
        end = match.end() if match else self._position + 1
        text = self._text[self._position : end]
        self._move(end)
        return [Part("text", text, True)]

    def _dollar(self, *, quoted: bool) -> list[Part]:
        following = self._text[self._position + 1 : self._position + 3]
        if following == "((":
            inside, end = self._balanced(self._position + 3, "(", ")")
            if self._text.startswith(")", end):
                self._move(end + 1)
                return [Part("arithmetic", inside, quoted)]
        if following[:1] == "(":
            return self._enclosed("command", "(", ")", quoted=quoted)
        if following[:1] == "{":
            return self._enclosed("variable", "{", "}", quoted=quoted)
        if following[:1] == "'" and not quoted:
            return self._ansi()
        match = _NAME.match(self._text, self._position + 1)
        if match is None:
            self._position += 1
            return [Part("text", "$", True)]
        name = match[0][:1] if match[0][0].isdigit() else match[0]
        self._position += 1 + len(name)
        return [Part("variable", name, quoted)]

    def _enclosed(self, kind: PartKind, opening: str, closing: str, *, quoted: bool) -> list[Part]:
        inside, end = self._balanced(self._position + 2, opening, closing)
        self._move(end)
        return [Part(kind, inside, quoted)]

    def _backquoted(self, *, quoted: bool) -> list[Part]:
        end = self._position + 1
        while end < len(self._text) and self._text[end] != "`":
            end += 2 if self._text[end] == "\\" else 1
        if end >= len(self._text):
            raise Unreadable(self.line, "a back quote is never closed")
        inside = self._text[self._position + 1 : end].replace("\\`", "`")
        self._move(end + 1)
        return [Part("command", inside, quoted)]

    def _balanced(self, start: int, opening: str, closing: str) -> tuple[str, int]:
        """Return the text from ``start`` to the bracket that closes it, and the position behind that bracket."""
        depth, position = 1, start
        while position < len(self._text):
            character = self._text[position]
            if character == "\\":
                position += 1
            elif character == "'" and closing == ")":
                position = self._text.find("'", position + 1)
                if position < 0:
                    break
            elif character == opening:
                depth += 1
            elif character == closing:
                depth -= 1
                if depth == 0:
                    return self._text[start:position], position + 1
            position += 1
        raise Unreadable(self.line, f"'{opening}' is never closed")

    def expect_document(self, operator: str, word: Word) -> Word:
        """Return a word whose parts are filled with the here-document once the line's end is reached."""
        raise NotImplementedError

    def _read_documents(self) -> None:
        documents, self._documents = self._documents, []
        for delimiter, strip, expand, parts in documents:
            text = self._document(delimiter, strip=strip)
            parts += self._expanded(text) if expand else [Part("text", text, True)]
