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
    except UnreadableError as error:
        problems = (str(error),)
    return Program(tuple(items), problems)


class UnreadableError(ValueError):
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
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
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
        self._resume: int | None = None
        self._in_array = False

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
                if self._resume is not None:
                    self._move(self._resume)
                    self._resume = None
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
            if character == "(" and not self._in_array and _ARRAY.fullmatch(self._text, start, self._position):
                return self._read_array(Word(tuple(_joined(parts)), line))
            if character in " \t\r\n;&|()" or (character in "<>" and parts):
                break
            parts += self._piece(character)
        return _Token("word", line, self._text[start : self._position], Word(tuple(_joined(parts)), line))

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
        self._in_array = True
        values: list[Word] = []
        while (token := self._read()).text != ")" or token.kind != "control":
            if token.kind == "end":
                raise UnreadableError(name.line, "a list in parentheses is never closed")
            if token.word:
                values.append(token.word)
        self._in_array = False
        return _Token("array", name.line, "", name, tuple(values))

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
        return Word(tuple(_Lexer(text, first_line).document_parts()), first_line)

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


# --- tokens to commands ----------------------------------------------------------------------------------------------

_RESERVED = frozenset({"for", "select", "while", "until", "if", "case", "{", "function"})
# A here-document's operator carries no word of its own that is a file.
_DOCUMENTS = ("<<", "<<-")


class _Parser:
    """Recursive descent, at most ``DEEPEST`` levels deep."""

    def __init__(self, lexer: _Lexer) -> None:
        self._lexer = lexer

    def statements(self, into: list[AndOr], ends: frozenset[str], depth: int) -> None:
        """Read statements up to a reserved word or an operator of ``ends``, which is left where it is."""
        if depth > DEEPEST:
            raise UnreadableError(self._lexer.line, f"commands are nested more than {DEEPEST} levels deep")
        while (token := self._lexer.peek()).kind != "end":
            if token.kind == "newline" or token.text in (";", "&"):
                self._lexer.take()
            elif _is_end(token, ends):
                return
            else:
                into.append(self._and_or(depth))

    def _body(self, ends: frozenset[str], depth: int) -> Body:
        """Read statements and the word that ends them."""
        items: list[AndOr] = []
        line = self._lexer.line
        self.statements(items, ends, depth + 1)
        if self._lexer.take().kind == "end":
            raise UnreadableError(line, f"{' or '.join(sorted(ends))} is missing")
        return tuple(items)

    def _and_or(self, depth: int) -> AndOr:
        pipelines = [("", self._pipeline(depth))]
        while (token := self._lexer.peek()).kind == "control" and token.text in ("&&", "||"):
            self._lexer.take()
            self._skip_newlines()
            pipelines.append((token.text, self._pipeline(depth)))
        return AndOr(tuple(pipelines))

    def _pipeline(self, depth: int) -> Pipeline:
        negated = False
        while _is_bare(self._lexer.peek(), "!"):
            self._lexer.take()
            negated = not negated
        commands = [self._command(depth)]
        while (token := self._lexer.peek()).kind == "control" and token.text in ("|", "|&"):
            self._lexer.take()
            self._skip_newlines()
            commands.append(self._command(depth))
        return Pipeline(tuple(commands), negated)

    def _skip_newlines(self) -> None:
        while self._lexer.peek().kind == "newline":
            self._lexer.take()

    def _command(self, depth: int) -> Command:
        token = self._lexer.peek()
        if token.kind == "control":
            if token.text != "(":
                raise UnreadableError(token.line, f"'{token.text}' stands where a command is expected")
            arithmetic = self._lexer.arithmetic()
            if arithmetic is not None:
                return Arithmetic(token.line, arithmetic)
            self._lexer.take()
            return self._with_redirects(Group(token.line, self._body(frozenset({")"}), depth), ()))
        word = token.word.bare if token.kind == "word" and token.word else None
        if word in _RESERVED:
            self._lexer.take()
            return self._with_redirects(self._compound(word, token.line, depth))
        return self._simple(depth)

    def _compound(self, word: str, line: int, depth: int) -> Command:
        if word in ("for", "select"):
            return self._for(line, depth)
        if word in ("while", "until"):
            condition = self._body(frozenset({"do"}), depth)
            return While(line, condition, word == "until", self._body(frozenset({"done"}), depth))
        if word == "if":
            return self._if(line, depth)
        if word == "case":
            return self._case(line, depth)
        if word == "{":
            return Group(line, self._body(frozenset({"}"}), depth), ())
        name = self._expect_word("the name of a function")
        return self._function(name, depth)

    def _with_redirects(self, command: Command) -> Command:
        redirects = self._redirects()
        if not redirects:
            return command
        inside = AndOr((("", Pipeline((command,), negated=False)),))
        return Group(getattr(command, "line", self._lexer.line), (inside,), redirects)

    def _redirects(self) -> tuple[Redirect, ...]:
        found: list[Redirect] = []
        while self._lexer.peek().kind == "redirect":
            found.append(self._redirect())
        return tuple(found)

    def _redirect(self) -> Redirect:
        # The descriptor stays where it is not the usual one: 2> is no output that goes anywhere.
        operator = re.sub(r"^(?:0(?=<)|1(?=>))", "", self._lexer.take().text)
        token = self._lexer.peek()
        if token.kind != "word" or token.word is None:
            raise UnreadableError(token.line, f"nothing stands behind '{operator}'")
        self._lexer.take()
        if operator.lstrip("0123456789") in _DOCUMENTS:
            return Redirect("<<", self._lexer.document(token.word, strip=operator == "<<-"))
        return Redirect(operator, token.word)

    def _for(self, line: int, depth: int) -> Command:
        if self._lexer.peek().text == "(":
            header = self._lexer.arithmetic()
            pieces = (header or "").split(";")
            if len(pieces) != 3:
                raise UnreadableError(line, "the head of a loop is not (first; condition; step)")
            first, condition, step = (piece.strip() for piece in pieces)
            return CountedFor(line, first, condition, step, self._do(depth))
        name = self._expect_word("the name of a loop's variable")
        self._skip_newlines()
        items: tuple[Word, ...] | None = None
        if _is_bare(self._lexer.peek(), "in"):
            self._lexer.take()
            items = self._words()
        return For(line, name, items, self._do(depth))

    def _words(self) -> tuple[Word, ...]:
        words: list[Word] = []
        while (token := self._lexer.peek()).kind == "word" and token.word:
            words.append(token.word)
            self._lexer.take()
        return tuple(words)

    def _do(self, depth: int) -> Body:
        """Read ``do ... done``, or the braces that bash takes as well."""
        while (token := self._lexer.peek()).kind == "newline" or token.text == ";":
            self._lexer.take()
        if _is_bare(token, "{"):
            self._lexer.take()
            return self._body(frozenset({"}"}), depth)
        if not _is_bare(token, "do"):
            raise UnreadableError(token.line, "'do' is missing")
        self._lexer.take()
        return self._body(frozenset({"done"}), depth)

    def _if(self, line: int, depth: int) -> If:
        branches: list[tuple[Body, Body]] = []
        condition = self._body(frozenset({"then"}), depth)
        while True:
            items: list[AndOr] = []
            self.statements(items, frozenset({"elif", "else", "fi"}), depth + 1)
            branches.append((condition, tuple(items)))
            end = self._lexer.take()
            if end.kind == "end":
                raise UnreadableError(line, "'fi' is missing")
            if end.text == "fi":
                return If(line, tuple(branches))
            condition = self._body(frozenset({"then"}), depth) if end.text == "elif" else ()

    def _case(self, line: int, depth: int) -> Case:
        self._expect_word("what a case is about")
        self._skip_newlines()
        self._expect_word("in")
        branches: list[Body] = []
        while True:
            self._skip_newlines()
            token = self._lexer.peek()
            if token.kind == "end":
                raise UnreadableError(line, "'esac' is missing")
            if _is_bare(token, "esac"):
                self._lexer.take()
                return Case(line, tuple(branches))
            self._skip_pattern(line)
            items: list[AndOr] = []
            self.statements(items, frozenset({";;", ";&", ";;&", "esac"}), depth + 1)
            branches.append(tuple(items))
            if self._lexer.peek().kind == "control":
                self._lexer.take()

    def _skip_pattern(self, line: int) -> None:
        if self._lexer.peek().text == "(":
            self._lexer.take()
        while (token := self._lexer.take()).text != ")" or token.kind != "control":
            if token.kind in ("end", "newline"):
                raise UnreadableError(line, "a pattern of a case has no ')'")

    def _function(self, name: str, depth: int) -> Function:
        for bracket in "()":
            if self._lexer.peek().text == bracket:
                self._lexer.take()
        self._skip_newlines()
        command = self._command(depth + 1) if depth < DEEPEST else None
        if command is None:
            raise UnreadableError(self._lexer.line, f"commands are nested more than {DEEPEST} levels deep")
        return Function(name, (AndOr((("", Pipeline((command,), negated=False)),)),))

    def _expect_word(self, what: str) -> str:
        token = self._lexer.take()
        if token.kind != "word" or token.word is None:
            raise UnreadableError(token.line, f"{what} is missing")
        return token.word.bare or token.text

    def _simple(self, depth: int) -> Command:
        line = self._lexer.peek().line
        assignments: list[Assignment] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while (token := self._lexer.peek()).kind in ("word", "array", "redirect"):
            if token.kind == "redirect":
                redirects.append(self._redirect())
                continue
            self._lexer.take()
            assignment = _assignment(token) if not words or words[0].bare in _DECLARATIONS else None
            if assignment:
                assignments.append(assignment)
            elif token.word:
                words.append(token.word)
        if len(words) == 1 and self._lexer.peek().text == "(" and words[0].bare:
            return self._function(words[0].bare, depth)
        if not (words or assignments or redirects):
            raise UnreadableError(line, "a command is expected")
        return Simple(line, tuple(assignments), tuple(words), tuple(redirects))


_DECLARATIONS = frozenset({"export", "local", "declare", "readonly", "typeset"})


def _assignment(token: _Token) -> Assignment | None:
    """Return the assignment that a word is; None where it is none."""
    word = token.word
    if word is None or not word.parts or word.parts[0].kind != "text" or word.parts[0].quoted:
        return None
    match = _ASSIGNMENT.match(word.parts[0].text)
    if match is None:
        return None
    if token.kind == "array":
        return Assignment(match["name"], token.values, array=True, append=bool(match["append"]))
    first = Part("text", word.parts[0].text[match.end() :], quoted=False)
    value = Word((first, *word.parts[1:]) if first.text else word.parts[1:], word.line)
    return Assignment(match["name"], (value,), array=False, append=bool(match["append"]))


def _is_bare(token: _Token, text: str) -> bool:
    return token.kind == "word" and token.word is not None and token.word.bare == text


def _is_end(token: _Token, ends: frozenset[str]) -> bool:
    if token.kind == "control":
        return token.text in ends
    return token.kind == "word" and token.word is not None and token.word.bare in ends
