"""Typed access to decoded JSON and YAML of unknown origin: a wrong type is an error that names the place.

Absent, null and None are one thing here: the file does not say.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from dataclasses import dataclass

import orjson

from faultset.errors import InputError
from faultset.moments import EARLIEST, LATEST, UTC, from_epoch

# More than any file that fits into memory could hold one by one, and within what a column of integers can.
LARGEST_COUNT = 1_000_000_000
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_REMEDY = "give the file as Rally wrote it"


def decode_json(data: bytes | memoryview | str) -> object:
    """Return the one JSON value in ``data``, with NaN, Infinity and lone surrogates, which Python's writers allow.

    Raises:
        ValueError: it is none; the message says why, without any of the content.
    """
    try:
        return orjson.loads(data)
    except (orjson.JSONDecodeError, UnicodeError):
        pass
    text = data if isinstance(data, str) else utf8(data)
    value, end = decode_lenient(text)
    if text[end:].strip():
        raise ValueError(f"something stands behind its end, character {end:,}")
    return value


def decode_lenient(text: str) -> tuple[object, int]:
    """Return the JSON value that ``text`` starts with, and where it ends; slower than orjson and less strict.

    Raises:
        ValueError: there is none (``json.JSONDecodeError`` has the position), or it is nested too deeply.
    """
    start = len(text) - len(text.lstrip())
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except RecursionError as error:
        raise ValueError("its values are nested too deeply") from error
    return value, end


def utf8(data: bytes | memoryview) -> str:
    """Decode ``data``.

    Raises:
        ValueError: it is not UTF-8; the message says where.
    """
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.object[error.start]:#04x} is not UTF-8 text") from error


@dataclass(frozen=True, slots=True)
class Field:
    """A value of a decoded file and the way to it, such as ``scenarios[0].hooks[1].desc``."""

    uri: str
    path: str
    value: object
    remedy: str = _REMEDY

    def error(self, expected: str) -> InputError:
        """Return the error that this value is not what was ``expected``; the value itself is not shown."""
        return InputError(self.uri, f"{self.path} is {_kind(self.value)}, not {expected}", self.remedy)

    def at(self, key: str | int) -> str:
        """Return the path of a member."""
        return f"{self.path}[{key}]" if isinstance(key, int) else f"{self.path}.{key}"

    def get(self, key: str) -> Field:
        """Return a member of this mapping; absent ones have the value None."""
        return Field(self.uri, self.at(key), self.mapping().get(key), self.remedy)

    def mapping(self) -> dict[object, object]:
        """Return the mapping as it is; empty where absent."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise self.error("a mapping")
        return self.value

    def values(self) -> list[object]:
        """Return the list's values as they are; none where absent."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self.error("a list")
        return self.value

    def items(self) -> list[Field]:
        """Return the list's items; none where absent."""
        return [Field(self.uri, self.at(index), item, self.remedy) for index, item in enumerate(self.values())]

    def entries(self) -> list[tuple[str, Field]]:
        """Return the mapping's members; none where absent."""
        members = []
        for key, item in self.mapping().items():
            if not isinstance(key, str):
                raise self.error("a mapping with texts as keys")
            members.append((clean(key), Field(self.uri, self.at(clean(key)), item, self.remedy)))
        return members

    def text(self) -> str:
        """Return the text."""
        text = self.text_or_none()
        if text is None:
            raise self.error("a text")
        return text

    def text_or_none(self) -> str | None:
        """Return the text, None where absent."""
        if self.value is None:
            return None
        if not isinstance(self.value, str):
            raise self.error("a text")
        return clean(self.value)

    def number(self) -> float:
        """Return the finite number."""
        number = finite(self.value)
        if number is None:
            raise self.error("a number")
        return number

    def count(self) -> int:
        """Return the whole number from 0; Rally writes some of them as text."""
        number = self.count_or_none()
        if number is None:
            raise self.error("a number")
        return number

    def count_or_none(self) -> int | None:
        """Return the whole number from 0, None where absent."""
        if self.value is None:
            return None
        value = self.value
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
            value = int(value)
        number = finite(value)
        if number is None or number != int(number) or not 0 <= number <= LARGEST_COUNT:
            raise self.error(f"a whole number from 0 to {LARGEST_COUNT:,}")
        return int(number)

    def seconds_or_none(self) -> float | None:
        """Return a span in seconds, None where absent or negative (a clock was set back)."""
        if self.value is None:
            return None
        number = finite(self.value)
        if number is None:
            raise self.error("a number of seconds")
        return number if number >= 0 else None

    def flag_or_none(self) -> bool | None:
        """Return true or false, None where absent."""
        if self.value is not None and not isinstance(self.value, bool):
            raise self.error("true or false")
        return self.value

    def epoch(self) -> dt.datetime:
        """Return the time given in epoch seconds."""
        try:
            return from_epoch(self.number())
        except ValueError as error:
            raise self.error("a time in seconds from 1970 to 2200") from error

    def utc(self) -> dt.datetime:
        """Return the time given as ISO 8601 text, UTC where it names no zone."""
        moment = parse_moment(self.text())
        if moment is None:
            raise self.error("a time from 1970 to 2200")
        return moment


def clean(text: str) -> str:
    """Return ``text`` without lone surrogates, which JSON can escape and no table can hold."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def finite(value: object) -> float | None:
    """Return ``value`` as it is where it is a finite number, None else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None


def parse_moment(text: str) -> dt.datetime | None:
    """Return the time written in ``text`` (ISO 8601, UTC where it names no zone), None where it is none."""
    try:
        moment = dt.datetime.fromisoformat(text.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if EARLIEST <= moment < LATEST else None


def _kind(value: object) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return str(value).lower()
    kinds: dict[type, str] = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    kind = kinds.get(type(value), type(value).__name__)
    if isinstance(value, int | float):
        return f"{value:g}" if finite(value) is not None and abs(value) < 1e300 else "no finite number"
    if isinstance(value, str) and len(value) <= 40 and re.fullmatch(r"[\d\sT:.+-]+", value):
        return f'"{value}"'
    return kind
