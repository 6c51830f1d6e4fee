"""JSON and YAML files of a tool, told by their first bytes and decoded within limits, whichever of the two they are."""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from faultset.errors import InputError
from faultset.moments import Instant
from faultset.sources.kit import yaml_tree
from faultset.sources.kit.fields import Field, clean, decode_json, parse_moment, utf8
from faultset.sources.kit.files import read_bytes, read_head, refuse_binary
from faultset.sources.kit.reading_limits import Bounds
from faultset.sources.kit.redaction import is_secret_name, redact, redact_all, secrets_in

_HEAD = 65_536
# A string that a colon follows, any other string (so that brackets in it do not count), or a bracket.
_TOKEN = re.compile(r'"(?P<key>[^"\\]{0,200})"\s{0,20}:|"(?:[^"\\]|\\.)*"|(?P<mark>[{}\[\]])', re.DOTALL)
_YAML_KEY = re.compile(r"^(?P<indent> *)(?:- )?(?P<key>[A-Za-z][\w.-]{0,200}):", re.MULTILINE)
_FRACTION = re.compile(r"\d\d:\d\d:\d\d[.,](?P<digits>\d+)")


@dataclass(frozen=True)
class Head:
    """The first bytes of a file, which tell what it is.

    Attributes:
        data: the bytes, at most 64 KiB.
        suffix: of the file's name, lower case; it tells nothing alone.
    """

    data: bytes
    suffix: str = ""

    @functools.cached_property
    def text(self) -> str:
        """The bytes as text."""
        return self.data.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")

    @property
    def is_json(self) -> bool:
        """Whether it begins as JSON does."""
        return self.text.startswith(("{", "["))

    @functools.cached_property
    def first_line(self) -> str:
        """The first line, as a header of a table is."""
        return self.text.partition("\n")[0].strip("\r")

    def keys(self, depth: int = 1) -> frozenset[str]:
        """Return the keys of mappings at ``depth``, from 1, as far as the bytes go; a list around them is no depth."""
        return keys_at(self.text, depth) if self.is_json else _yaml_keys(self.text) if depth == 1 else frozenset()

    def says(self, pattern: str) -> bool:
        """Whether a regular expression fits somewhere in the bytes."""
        return re.search(pattern, self.text) is not None


def head_of(uri: str) -> Head:
    """Return the head of the file at ``uri``.

    Raises:
        InputError: it cannot be read.
    """
    return Head(read_head(uri, _HEAD), PurePath(uri).suffix.lower())


def keys_at(text: str, wanted: int) -> frozenset[str]:
    """Return the keys of a JSON text's mappings at a depth from 1; those of a list's items are at the list's."""
    keys: set[str] = set()
    depth = 0
    base = 1 if text.lstrip("\ufeff \t\r\n").startswith("[") else 0
    for token in _TOKEN.finditer(text):
        if token["key"] is not None:
            if depth == wanted + base:
                keys.add(token["key"])
        elif token["mark"]:
            depth += 1 if token["mark"] in "{[" else -1
    return frozenset(keys)


def _yaml_keys(text: str) -> frozenset[str]:
    return frozenset(match["key"] for match in _YAML_KEY.finditer(text) if not match["indent"])


def read_document(uri: str, what: str, remedy: str) -> Field:
    """Return the one value of the JSON or YAML file at ``uri``.

    Args:
        uri: the file.
        what: it should be, in words, such as ``a journal of Chaos Toolkit``.
        remedy: what to give instead.

    Raises:
        InputError: it cannot be read, is cut off or broken, or passes a limit.
    """
    data = read_bytes(uri, role="results_bytes")
    refuse_binary(uri, data)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        return Field(uri, "the file", yaml_tree.parse(yaml_tree.decode(data, uri), uri).plain(), remedy)
    Bounds(uri).check_data(data)
    try:
        return Field(uri, "the file", decode_json(data.removeprefix(b"\xef\xbb\xbf")), remedy)
    except ValueError as error:
        problem = str(error)
    if data.rstrip()[-1:] not in (b"}", b"]"):
        raise InputError(uri, f"is cut off: {problem}", f"copy the file again, whole, to have {what}")
    raise InputError(uri, f"is broken JSON: {problem}", remedy)


def read_lines(uri: str, role: str = "results_bytes") -> Iterator[bytes]:
    """Yield the lines of the file at ``uri`` that are not blank."""
    data = read_bytes(uri, role=role)
    refuse_binary(uri, data)
    yield from (line for line in data.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip())


def instant(field: Field) -> Instant | None:
    """Return a moment as the file writes it, None where it writes none: whole seconds lie in [t, t + 1 s).

    A time without a zone is UTC; a number is in epoch seconds.
    """
    value = field.value
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Instant(field.epoch(), 1.0 if isinstance(value, int) else 0.0)
    text = field.text()
    moment = parse_moment(text)
    if moment is None:
        raise field.error("a time from 1970 to 2200")
    return Instant(moment, 0.0 if _FRACTION.search(text) else 1.0)


def later(moment: dt.datetime, seconds: float) -> dt.datetime:
    """Return the moment ``seconds`` later."""
    return moment + dt.timedelta(seconds=seconds)


def said(value: object, limit: int = 2000) -> str:
    """Return a value of a file as one safe text: JSON where it is no text, secrets replaced, cut at ``limit``."""
    text = value if isinstance(value, str) else json.dumps(redact_all(value), ensure_ascii=False, sort_keys=True)
    return clean(redact(text))[:limit]


def document_secrets(uri: str) -> Iterator[str]:
    """Yield the secrets that a JSON or YAML file holds: by the name above them, and by their form."""
    data = read_bytes(uri, role="results_bytes")
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        try:
            value = decode_json(data.removeprefix(b"\xef\xbb\xbf"))
        except ValueError:
            value = utf8(data)
    else:
        value = yaml_tree.parse(yaml_tree.decode(data, uri), uri).plain()
    waiting = [(value, False)]
    while waiting:
        item, secret = waiting.pop()
        if isinstance(item, str):
            yield from secrets_in(item)
            if secret:
                yield item
        elif isinstance(item, list):
            waiting += [(one, secret) for one in item]
        elif isinstance(item, dict):
            waiting += [(one, secret or is_secret_name(str(key))) for key, one in item.items()]


def no_secrets(_uri: str) -> Iterator[str]:
    """Yield nothing: for tables of numbers."""
    yield from ()
