"""Strict, safe YAML as a tree that knows its lines and its comments.

What a plain load hides is kept (where a key stands, what a comment says) and what it lets pass is refused: duplicate
keys, foreign tags, several documents, bombs of aliases. Values are YAML 1.1's texts, integers, floats, booleans and
nulls; timestamps and sexagesimal numbers stay the text they are, and keys are always text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import yaml

from faultset.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_CHARACTERS = 8 * 1024 * 1024
MOST_NODES = 100_000
DEEPEST = 64

Kind = Literal["scalar", "sequence", "mapping"]
Plain = str | int | float | bool | None

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_CORE_TAGS: dict[Kind, frozenset[str]] = {
    "scalar": frozenset({"str", "int", "float", "bool", "null"}),
    "sequence": frozenset({"seq"}),
    "mapping": frozenset({"map"}),
}
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"yes", "true", "on"})
_BOOLEAN = re.compile(r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF")
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?)")
_INFINITE = re.compile(r"(?P<sign>[-+]?)\.(?:inf|Inf|INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})
_LONGEST_NUMBER = 400
_COMMENT = re.compile(r"(?:^|(?<=[\s]))#[^\r\n\x85\u2028\u2029]*", re.MULTILINE)
_LINE_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment.

    Attributes:
        text: what it says, without ``#`` and the spaces around it.
        line: where it stands, from 1.
        start: position of its ``#`` in the file.
        column: of its ``#``, from 0.
        alone: whether nothing else stands on its line.
    """

    text: str
    line: int
    start: int
    column: int
    alone: bool


@dataclass(frozen=True, slots=True)
class Source:
    """The file that a tree was read from."""

    where: str
    comments: tuple[Comment, ...] = ()
    starts: tuple[int, ...] = ()

    def comments_within(self, start: int, end: int) -> tuple[Comment, ...]:
        """Return the comments that begin in [start, end)."""
        return self.comments[bisect_right(self.starts, start - 1) : bisect_right(self.starts, end - 1)]


@dataclass(frozen=True, slots=True, eq=False)
class YamlNode:
    """A scalar, a sequence or a mapping.

    Attributes:
        kind: which of the three.
        source: the file.
        line: where it starts, from 1.
        column: where it starts, from 0.
        start: its first position in the file.
        end: the position behind its last content (comments that follow it lie beyond).
        last_line: the line of its last content, from 1.
        text: of a scalar, as the parser gives it; "" otherwise.
        value: of a scalar; None otherwise.
        items: of a sequence.
        entries: of a mapping, keys and values, merged ones last.
    """

    kind: Kind
    source: Source
    line: int
    column: int
    start: int
    end: int
    last_line: int
    text: str = ""
    value: Plain = None
    items: tuple[YamlNode, ...] = ()
    entries: tuple[tuple[YamlNode, YamlNode], ...] = ()

    @property
    def where(self) -> str:
        """``FILE:LINE``."""
        return f"{self.source.where}:{self.line}"

    @property
    def described(self) -> str:
        """What it is, for a message; never what it says, which may be a secret."""
        if self.kind != "scalar":
            return "a list" if self.kind == "sequence" else "a mapping"
        if self.value is None:
            return "nothing"
        names = {str: "a text", bool: "a yes or no", int: "a number", float: "a number"}
        return names[type(self.value)]

    @property
    def is_null(self) -> bool:
        """Whether it is a null (an empty value is one)."""
        return self.kind == "scalar" and self.value is None

    def get(self, key: str) -> YamlNode | None:
        """Return the value under ``key`` of a mapping; None where there is none."""
        return next((value for name, value in self.entries if name.text == key), None)

    def keys(self) -> tuple[str, ...]:
        """Return the keys of a mapping."""
        return tuple(name.text for name, _ in self.entries)

    def plain(self) -> Any:
        """Return it as lists, dictionaries (with keys of text) and values."""
        if self.kind == "sequence":
            return [item.plain() for item in self.items]
        if self.kind == "mapping":
            return {name.text: item.plain() for name, item in self.entries}
        return self.value


def decode(data: bytes, where: str) -> str:
    """Return ``data`` as text, a byte-order mark removed.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{where}:{line}", f"is not UTF-8 text but {_likely_encoding(data)}", "save the file as UTF-8"
        ) from None


def _likely_encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    if data.startswith((b"\x1f\x8b", b"PK\x03\x04")):
        return "a compressed file"
    if b"\x00" in data[:4096]:
        return "a binary file"
    return "probably ISO 8859-1 or Windows-1252"


def load(text: str, where: str) -> Any:
    """Return the YAML ``text`` as plain Python values; raises as ``parse`` does."""
    return parse(text, where).plain()


def parse(text: str, where: str) -> YamlNode:
    """Return the root of the YAML document ``text``; a null scalar where it is empty.

    Args:
        text: the document.
        where: the file's name, for messages.

    Raises:
        InputError: anything that is not one document of plain, bounded YAML; names file and line.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > MOST_CHARACTERS:
        raise InputError(where, "the YAML is longer than 8 MiB", "split it, or check that this is the right file")
    try:
        events = list(_events(text, where))
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, where) from None
    except (UnicodeError, ValueError):
        raise InputError(where, "holds characters that are no text", "save the file as UTF-8") from None
    comments = _comments(text, events)
    source = Source(where, comments, tuple(comment.start for comment in comments))
    return _Builder(source, text).build(events)


def _events(text: str, where: str) -> Iterator[Any]:
    """Yield the parser's events, and refuse too many and too deep ones before they cost anything."""
    depth = documents = 0
    parsed: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
    for number, event in enumerate(parsed):
        line = f"{where}:{event.start_mark.line + 1}"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > DEEPEST:
            raise InputError(line, f"is nested more than {DEEPEST} levels deep", "flatten the YAML")
        if number > 2 * MOST_NODES:
            raise InputError(line, f"has more than {MOST_NODES:,} values", "split the file")
        if documents > 1:
            raise InputError(line, "a second YAML document begins", "keep one document a file (one '---' at most)")
        yield event


def _syntax_error(error: yaml.YAMLError, text: str, where: str) -> InputError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        lines = _LINE_BREAK.split(text.rstrip())
        number = min(mark.line, len(lines) - 1)
        line = lines[number]
        problem = getattr(error, "problem", None) or "the parser gives no reason"
        tab = "; the line is indented with a tab" if "\t" in line[: len(line) - len(line.lstrip())] else ""
        return InputError(f"{where}:{number + 1}", f"is no valid YAML: {problem}{tab}", "correct the line")
    position = getattr(error, "position", None)
    line_number = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
    return InputError(f"{where}:{line_number}", "holds a control character, which YAML forbids", "remove it")


def _comments(text: str, events: list[Any]) -> tuple[Comment, ...]:
    """Return the comments: each ``#`` behind a space or a line's start that stands in no scalar."""
    scalars: list[Any] = [event for event in events if isinstance(event, yaml.ScalarEvent)]
    spans = [(scalar.start_mark.index, scalar.end_mark.index) for scalar in scalars]
    starts = [start for start, _ in spans]
    lines = [0, *(match.end() for match in _LINE_BREAK.finditer(text))]
    found: list[Comment] = []
    position = 0
    while match := _COMMENT.search(text, position):
        number = bisect_right(starts, match.start()) - 1
        if number >= 0 and match.start() < spans[number][1]:
            position = spans[number][1]
            continue
        position = match.end()
        line = bisect_right(lines, match.start())
        before = text[lines[line - 1] : match.start()]
        found.append(Comment(match[0].lstrip("#").strip(), line, match.start(), len(before), not before.strip()))
    return tuple(found)


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been reached."""

    kind: Kind
    event: Any
    children: list[YamlNode] = field(default_factory=list)


class _Builder:
    """Builds the tree from events, without recursion; counts what aliases would expand to."""

    def __init__(self, source: Source, text: str) -> None:
        self._source = source
        self._text = text
        self._anchors: dict[str, YamlNode | None] = {}
        self._sizes: dict[int, int] = {}
        self._expanded = 0

    def build(self, events: list[Any]) -> YamlNode:
        stack: list[_Open] = []
        root: YamlNode | None = None
        for event in events:
            if isinstance(event, yaml.CollectionStartEvent):
                stack.append(self._open(event))
                continue
            node = self._node(event, stack)
            if node is None:
                continue
            if stack:
                stack[-1].children.append(node)
            else:
                root = node
        return root or YamlNode("scalar", self._source, 1, 0, 0, 0, 1)

    def _node(self, event: Any, stack: list[_Open]) -> YamlNode | None:
        """Return the node that ``event`` completes; None where it completes none."""
        if isinstance(event, yaml.ScalarEvent):
            return self._keep(self._scalar(event), event.anchor, 1)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if isinstance(event, yaml.CollectionEndEvent):
            return self._close(stack.pop(), event)
        return None

    def _where(self, event: Any) -> str:
        return f"{self._source.where}:{event.start_mark.line + 1}"

    def _open(self, event: Any) -> _Open:
        kind: Kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
        self._check_tag(event, kind)
        if event.anchor:
            self._anchors[event.anchor] = None
        return _Open(kind, event)

    def _close(self, opened: _Open, event: Any) -> YamlNode:
        start = opened.event.start_mark
        end, last_line = event.end_mark.index, event.end_mark.line + 1
        if not opened.event.flow_style:
            # A block's own end lies behind the blank lines and comments that follow it; its content's end does not.
            own = [child for child in opened.children if child.start >= start.index]
            end = max([start.index, *(child.end for child in own)])
            last_line = max([start.line + 1, *(child.last_line for child in own)])
        size = 1 + sum(self._sizes[id(child)] for child in opened.children)
        entries = self._entries(opened.children) if opened.kind == "mapping" else ()
        node = YamlNode(
            opened.kind, self._source, start.line + 1, start.column, start.index, end, last_line,
            items=() if opened.kind == "mapping" else tuple(opened.children), entries=entries,
        )  # fmt: skip
        return self._keep(node, opened.event.anchor, size)

    def _keep(self, node: YamlNode, anchor: str | None, size: int) -> YamlNode:
        self._sizes[id(node)] = size
        if anchor:
            self._anchors[anchor] = node
        return node

    def _alias(self, event: Any) -> YamlNode:
        if event.anchor not in self._anchors:
            raise InputError(self._where(event), f"no anchor is called &{event.anchor}", "define it before its alias")
        node = self._anchors[event.anchor]
        if node is None:
            raise InputError(self._where(event), f"the alias *{event.anchor} stands in itself", "write the value out")
        self._expanded += self._sizes[id(node)]
        if self._expanded > MOST_NODES:
            raise InputError(
                self._where(event), f"the aliases expand to more than {MOST_NODES:,} values", "write the values out"
            )
        return node

    def _entries(self, children: list[YamlNode]) -> tuple[tuple[YamlNode, YamlNode], ...]:
        own: dict[str, tuple[YamlNode, YamlNode]] = {}
        merged: list[YamlNode] = []
        for key, value in zip(children[::2], children[1::2], strict=True):
            if key.kind != "scalar":
                raise InputError(key.where, f"a key is {key.described}", "use plain text as the key")
            if key.text == "<<" and self._text[key.start : key.end] == "<<":
                merged += self._merge_sources(value)
            elif key.text in own:
                first = own[key.text][0].line
                raise InputError(
                    key.where, f"the key '{key.text}' is there twice (first in line {first})", "remove one of the two"
                )
            else:
                own[key.text] = (key, value)
        for mapping in merged:
            for key, value in mapping.entries:
                own.setdefault(key.text, (key, value))
        return tuple(own.values())

    def _merge_sources(self, value: YamlNode) -> tuple[YamlNode, ...]:
        sources = value.items if value.kind == "sequence" else (value,)
        for source in sources:
            if source.kind != "mapping":
                raise InputError(source.where, f"'<<' merges {source.described}", "merge a mapping: <<: *anchor")
        return sources

    def _scalar(self, event: Any) -> YamlNode:
        tag = self._check_tag(event, "scalar")
        text: str = event.value
        quoted = bool(event.style)
        try:
            value = _tagged(text, tag) if tag else (text if quoted or event.tag == "!" else _resolved(text))
        except ValueError as error:
            raise InputError(self._where(event), str(error), "correct the value") from None
        start, end, last_line = event.start_mark, event.end_mark.index, event.end_mark.line + 1
        if event.style in ("|", ">"):
            content = self._text[start.index : end].rstrip()
            end, last_line = start.index + len(content), start.line + 1 + len(_LINE_BREAK.findall(content))
        return YamlNode("scalar", self._source, start.line + 1, start.column, start.index, end, last_line, text, value)

    def _check_tag(self, event: Any, kind: Kind) -> str | None:
        """Return the short name of an explicit core tag."""
        if event.tag is None or event.tag == "!":
            return None
        name: str = event.tag.removeprefix(_TAG)
        if not event.tag.startswith(_TAG) or name not in _CORE_TAGS[kind]:
            raise InputError(self._where(event), f"the tag '{event.tag}' is not allowed here", "write a plain value")
        return name


def _resolved(text: str) -> Plain:
    """Return the value of a plain scalar."""
    if text in _NULL:
        return None
    if _BOOLEAN.fullmatch(text):
        return text.lower() in _TRUE
    return _number(text)


def _number(text: str) -> Plain:
    if text[:1] not in "+-.0123456789":
        return text
    if infinite := _INFINITE.fullmatch(text):
        return float(infinite["sign"] + "inf")
    if text in _NAN:
        return float("nan")
    if _INTEGER.fullmatch(text):
        return _integer(text)
    return float(text.replace("_", "")) if _FLOAT.fullmatch(text) else text


def _integer(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number has more than {_LONGEST_NUMBER} digits")
    sign, digits = (-1 if text[0] == "-" else 1), text.lstrip("+-").replace("_", "")
    for prefix, base in (("0b", 2), ("0x", 16), ("0", 8)):
        if digits.startswith(prefix) and len(digits) > len(prefix):
            return sign * int(digits[len(prefix) :], base)
    return sign * int(digits)


def _tagged(text: str, tag: str) -> Plain:
    """Return the value of a scalar with an explicit tag."""
    if tag == "str":
        return text
    value = _resolved(text)
    expected: Any = {"int": int, "float": (float, int), "bool": bool, "null": type(None)}[tag]
    if not isinstance(value, expected) or (isinstance(value, bool) and tag != "bool"):
        raise ValueError(f"a value tagged !!{tag} is no {tag}")
    return float(value) if tag == "float" and isinstance(value, int) else value
