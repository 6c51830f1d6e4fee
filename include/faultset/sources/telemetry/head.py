"""The first bytes of a file of telemetry, looked at once: what formats are recognised by."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from faultset.errors import InputError
from faultset.records.telemetry import TelemetryFile
from faultset.sources.kit.documents import keys_at
from faultset.sources.kit.redaction import redact

_BOM = b"\xef\xbb\xbf"
_HEADER_LIMIT = 256 * 1024
_SAMPLE_BYTES = 1024 * 1024
_SAMPLE_ROWS = 1000
_LINES = 20
_KEYS_BYTES = 65_536


@dataclass(frozen=True)
class Head:
    """What a file begins with.

    Attributes:
        file: the file, with what the experiment declares of it.
        data: its first bytes, unpacked; all of them where it is short.
    """

    file: TelemetryFile
    data: bytes

    @cached_property
    def text(self) -> bytes:
        """The bytes behind a byte order mark."""
        return self.data.removeprefix(_BOM)

    @cached_property
    def is_json(self) -> bool:
        """Whether it begins as JSON does."""
        return self.text[:64].lstrip()[:1] in (b"{", b"[")

    @cached_property
    def is_list(self) -> bool:
        """Whether it begins as a list of JSON does."""
        return self.text[:64].lstrip().startswith(b"[")

    @cached_property
    def is_parquet(self) -> bool:
        """Whether it is a parquet file."""
        return self.data.startswith(b"PAR1")

    # --- CSV ----------------------------------------------------------------------------------------------------------

    @cached_property
    def header(self) -> tuple[str, ...]:
        """The names of the columns; none where it is no CSV.

        Raises:
            InputError: it cannot be read, or names a column twice.
        """
        if self.is_json or self.is_parquet:
            return ()
        line = self.text[: self._header_end]
        try:
            names = next(csv.reader([line.decode().rstrip("\r\n")]), [])
        except (UnicodeDecodeError, csv.Error) as error:
            where = f"{self.file.name}:1"
            raise InputError(where, f"the header cannot be read ({error})", "save it as UTF-8 CSV") from error
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            where = f"{self.file.name}:1"
            raise InputError(where, f"the header names {redact(twice[0])!r} twice", "give each column its own name")
        return tuple(names)

    @cached_property
    def _header_end(self) -> int:
        end = self.text.find(b"\n", 0, _HEADER_LIMIT)
        return end if end >= 0 else _HEADER_LIMIT

    @cached_property
    def body(self) -> bytes:
        """The bytes behind the header's line."""
        return self.text[self._header_end + 1 :]

    @cached_property
    def sample(self) -> Mapping[str, list[str]]:
        """Column -> its first values, of rows as long as the header."""
        text = io.StringIO(self.body[:_SAMPLE_BYTES].decode("utf-8", "replace"), newline="")
        rows: list[list[str]] = []
        with contextlib.suppress(csv.Error):  # the rows before tell; whoever reads on says what is wrong
            rows.extend(itertools.islice(csv.reader(text), _SAMPLE_ROWS))
        rows = [row for row in rows if len(row) == len(self.header) and tuple(row) != self.header]
        return {name: [row[place] for row in rows] for place, name in enumerate(self.header)}

    # --- JSON ---------------------------------------------------------------------------------------------------------

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of a JSON object, or of the objects in a list, as far as the first bytes go."""
        if not self.is_json:
            return frozenset()
        return keys_at(self.text[:_KEYS_BYTES].decode("utf-8", "replace"), 1)

    @cached_property
    def lines(self) -> tuple[dict[str, Any], ...]:
        """The objects of the first lines, where each line is a JSON object of its own."""
        found = []
        whole = self.text.split(b"\n", _LINES)[:_LINES]
        for line in whole:
            if not line.strip():
                continue
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                break  # a document over several lines, or the last line of what was read
            if not isinstance(value, dict):
                break
            found.append(value)
        return tuple(found)
