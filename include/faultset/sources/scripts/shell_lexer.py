"""Characters of a shell script to tokens: words with their quotes and expansions, operators, here-documents."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from faultset.sources.scripts.shell_tree import Part, PartKind, Word


class UnreadableError(ValueError):
    """The text is no shell command as far as it is understood here; the message says where and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")


_OPERATOR = re.compile(
    r"(?P<redirect>\d{0,3}(?:<<<|<<-|<<|<>|<&|<|>>|>&|>\||>)|&>>|&>)|(?P<control>&&|\|\||\|&|;;&|;;|;&|[&|;()])|(?P<newline>\n)"
)
_BLANK = re.compile(r"(?:[ \t\r]|\\\r?\n)+")
_COMMENT = re.compile(r"#[^\n]*")
_PLAIN = re.compile(r"[^\s;&|<>()\\'\"`$]+")
_NAME = re.compile(r"\w+|[@*#?$!-]")
_ARRAY = re.compile(r"[A-Za-z_]\w*\+?=")
ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:\[[^\]]{0,80}\])?(?P<append>\+?)=")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_DOUBLE_TEXT = re.compile(r"[^\"\\$`]+")
# Placeholders of the expansion live here, so that no script may use them.
_PRIVATE = re.compile("[\x00\ue000-\uf8ff]")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or an operator: its text, its kind and its line. Arrays come as a word and their values."""

    kind: Literal["word", "array", "redirect", "control", "newline", "end"]
    line: int
    text: str = ""
    word: Word | None = None
    values: tuple[Word, ...] = ()


class Lexer:
    """Cuts a text into tokens on demand, one token ahead."""

    def __init__(self, text: str, first_line: int) -> None:
        self._text = _PRIVATE.sub("\ufffd", text.replace("\r\n", "\n"))
        self._position = 0
        self.line = first_line
        self._next: Token | None = None
        self._resume: int | None = None
        self._in_array = False

    def peek(self) -> Token:
        """Return the next token without taking it."""
        if self._next is None:
            self._next = self._read()
        return self._next

    def take(self) -> Token:
        """Take the next token."""
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

    def _read(self) -> Token:
        while match := _BLANK.match(self._text, self._position) or _COMMENT.match(self._text, self._position):
            self._move(match.end())
        if self._position >= len(self._text):
            return Token("end", self.line)
        line = self.line
        match = _OPERATOR.match(self._text, self._position)
        if match and not self._is_process_substitution(match):
            self._move(match.end())
            if match["newline"]:
                if self._resume is not None:
                    self._move(self._resume)
                    self._resume = None
                return Token("newline", line)
            kind: Literal["redirect", "control"] = "redirect" if match["redirect"] else "control"
            return Token(kind, line, match[0])
        return self._read_word()

    def _is_process_substitution(self, match: re.Match[str]) -> bool:
        return match[0] in ("<", ">") and self._text.startswith("(", match.end())

    def _read_word(self) -> Token:
        line, start = self.line, self._position
        parts: list[Part] = []
        while self._position < len(self._text):
            character = self._text[self._position]
            if character == "(" and not self._in_array and _ARRAY.fullmatch(self._text, start, self._position):
                return self._read_array(Word(tuple(_joined(parts)), line))
            if character in " \t\r\n;&|()" or (character in "<>" and parts):
                break
            parts += self._piece(character)
        return Token("word", line, self._text[start : self._position], Word(tuple(_joined(parts)), line))

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

    def _read_array(self, name: Word) -> Token:
        self._position += 1
        self._in_array = True
        values: list[Word] = []
        while (token := self._read()).text != ")" or token.kind != "control":
            if token.kind == "end":
                raise UnreadableError(name.line, "a list in parentheses is never closed")
            if token.word:
                values.append(token.word)
        self._in_array = False
        return Token("array", name.line, "", name, tuple(values))

    def _escape(self) -> list[Part]:
        character = self._text[self._position + 1 : self._position + 2]
        self._move(min(self._position + 2, len(self._text)))
        return [] if character == "\n" else [Part("text", character or "\\", True)]

    def _single(self) -> list[Part]:
        end = self._text.find("'", self._position + 1)
        if end < 0:
            raise UnreadableError(self.line, "a single quote is never closed")
        inside = self._text[self._position + 1 : end]
        self._move(end + 1)
        return [Part("text", inside, True)]

    def _ansi(self) -> list[Part]:
        end = self._position + 2
        while end < len(self._text) and self._text[end] != "'":
            end += 2 if self._text[end] == "\\" else 1
        if end >= len(self._text):
            raise UnreadableError(self.line, "a single quote is never closed")
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
        raise UnreadableError(line, "a double quote is never closed")

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
            raise UnreadableError(self.line, "a back quote is never closed")
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
            elif character == '"' and closing == ")" and (quoted := _QUOTED.match(self._text, position)):
                position = quoted.end() - 1
            elif character == opening:
                depth += 1
            elif character == closing:
                depth -= 1
                if depth == 0:
                    return self._text[start:position], position + 1
            position += 1
        raise UnreadableError(self.line, f"'{opening}' is never closed")

    def document(self, delimiter: Word, *, strip: bool) -> Word:
        """Return the here-document that begins behind the line at hand (or behind the one before it)."""
        start = self._resume
        if start is None:
            start = self._text.find("\n", self._position) + 1 or len(self._text)
        first_line = self.line + self._text.count("\n", self._position, start)
        mark = "".join(part.text for part in delimiter.parts)
        lines: list[str] = []
        position = start
        while position < len(self._text):
            end = self._text.find("\n", position)
            end = len(self._text) if end < 0 else end
            line = self._text[position:end]
            line = line.lstrip("\t") if strip else line
            position = end + 1
            if line == mark:
                break
            lines.append(line)
        self._resume = min(position, len(self._text))
        text = "\n".join(lines)
        if any(part.quoted for part in delimiter.parts):
            return Word((Part("text", text, True),), first_line)
        return Word(tuple(Lexer(text, first_line).document_parts()), first_line)

    def document_parts(self) -> list[Part]:
        """Return the text as a here-document with expansions."""
        parts = [Part("text", "", True)]
        while self._position < len(self._text):
            parts += self._quoted_piece(self._text[self._position], "\\$`")
        return _joined(parts)


def _joined(parts: list[Part]) -> list[Part]:
    """Join neighbouring texts of one kind."""
    joined: list[Part] = []
    texts: list[str] = []
    for index, part in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else None
        texts.append(part.text)
        if following and part.kind == following.kind == "text" and part.quoted == following.quoted:
            continue
        joined.append(Part(part.kind, "".join(texts), part.quoted))
        texts = []
    return joined
