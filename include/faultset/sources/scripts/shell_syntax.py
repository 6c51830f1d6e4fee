"""The shell language as far as hook scripts use it: text to a tree of commands. Nothing is ever executed.

Covers simple commands, pipelines, lists, loops, branches, functions, groups, quotes, here-documents and expansions.
What cannot be read ends the tree with a problem that says where; what was read before it stays.
"""

from __future__ import annotations

import re
from dataclasses import replace

from faultset.sources.scripts.shell_lexer import ASSIGNMENT, Lexer, Token, UnreadableError
from faultset.sources.scripts.shell_tree import (
    AndOr,
    Arithmetic,
    Assignment,
    Body,
    Case,
    Command,
    CountedFor,
    For,
    Function,
    Group,
    If,
    Part,
    Pipeline,
    Program,
    Redirect,
    Simple,
    While,
    Word,
)

DEEPEST = 16


def parse(text: str, first_line: int = 1) -> Program:
    """Return the commands of ``text``, whose first line has the number ``first_line``."""
    parser = _Parser(Lexer(text, first_line))
    items: list[AndOr] = []
    problems: tuple[str, ...] = ()
    try:
        parser.statements(items, frozenset(), 0)
    except UnreadableError as error:
        problems = (str(error),)
    return Program(tuple(items), problems)


_RESERVED = frozenset({"for", "select", "while", "until", "if", "case", "{", "function"})
# A here-document's operator carries no word of its own that is a file.
_DOCUMENTS = ("<<", "<<-")


class _Parser:
    """Recursive descent, at most ``DEEPEST`` levels deep."""

    def __init__(self, lexer: Lexer) -> None:
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
                item = self._and_or(depth)
                following = self._lexer.peek()
                into.append(replace(item, background=True) if following.text == "&" else item)

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
            return self._with_redirects(Group(token.line, self._body(frozenset({")"}), depth), (), subshell=True))
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
        subject = self._lexer.take().word
        if subject is None:
            raise UnreadableError(line, "what a case is about is missing")
        self._skip_newlines()
        self._expect_word("in")
        branches: list[tuple[tuple[Word, ...], Body]] = []
        while True:
            self._skip_newlines()
            token = self._lexer.peek()
            if token.kind == "end":
                raise UnreadableError(line, "'esac' is missing")
            if _is_bare(token, "esac"):
                self._lexer.take()
                return Case(line, subject, tuple(branches))
            patterns = self._patterns(line)
            items: list[AndOr] = []
            self.statements(items, frozenset({";;", ";&", ";;&", "esac"}), depth + 1)
            branches.append((patterns, tuple(items)))
            if self._lexer.peek().kind == "control":
                self._lexer.take()

    def _patterns(self, line: int) -> tuple[Word, ...]:
        if self._lexer.peek().text == "(":
            self._lexer.take()
        words: list[Word] = []
        while (token := self._lexer.take()).text != ")" or token.kind != "control":
            if token.kind in ("end", "newline"):
                raise UnreadableError(line, "a pattern of a case has no ')'")
            if token.word:
                words.append(token.word)
        return tuple(words)

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


def _assignment(token: Token) -> Assignment | None:
    """Return the assignment that a word is; None where it is none."""
    word = token.word
    if word is None or not word.parts or word.parts[0].kind != "text" or word.parts[0].quoted:
        return None
    match = ASSIGNMENT.match(word.parts[0].text)
    if match is None:
        return None
    if token.kind == "array":
        return Assignment(match["name"], token.values, array=True, append=bool(match["append"]))
    first = Part("text", word.parts[0].text[match.end() :], quoted=False)
    value = Word((first, *word.parts[1:]) if first.text else word.parts[1:], word.line)
    return Assignment(match["name"], (value,), array=False, append=bool(match["append"]))


def _is_bare(token: Token, text: str) -> bool:
    return token.kind == "word" and token.word is not None and token.word.bare == text


def _is_end(token: Token, ends: frozenset[str]) -> bool:
    if token.kind == "control":
        return token.text in ends
    return token.kind == "word" and token.word is not None and token.word.bare in ends
