"""The columns of a kind of telemetry: what a manifest calls their types, and which of them a question is about."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

from faultset.errors import InputError, nearest
from faultset.labels.one_table import FIRST, LABELS

_WITH_ZONE = re.compile(r"timestamp\[(s|ms|us|ns), tz=([^\]]{1,60})\]")
_LIST = re.compile(r"(?:large_)?list<(?:item|element|array_element): (.{1,200}?)(?: not null)?>")
_DICTIONARY = re.compile(r"dictionary<values=([^,<>]{1,60}), .*>")
_SHOWN = 20


def type_named(text: str) -> pa.DataType:
    """Return the Arrow type that a manifest names; of a dictionary that of its values.

    Raises:
        InputError: this version does not know it.
    """
    if match := _WITH_ZONE.fullmatch(text):
        return pa.timestamp(match[1], tz=match[2])
    if match := _LIST.fullmatch(text):
        return pa.list_(type_named(match[1]))
    if match := _DICTIONARY.fullmatch(text):
        return type_named(match[1])
    try:
        return pa.type_for_alias(text)
    except ValueError:
        raise InputError(text, "the manifest names a type that is not known", "use a newer faultset") from None


def chosen(schema: pa.Schema, wanted: Sequence[str] | str | None, where: str) -> list[str]:
    """Return the columns to read: those wanted, and always time, node, row number and labels.

    Args:
        schema: all there are.
        wanted: source columns, or a single one; None for all.
        where: what the error names.

    Raises:
        InputError: there is no such column; names the nearest.
    """
    names = list(schema.names)
    if wanted is None:
        return names
    asked = list(dict.fromkeys([wanted] if isinstance(wanted, str) else wanted))
    for name in asked:
        if name not in names:
            raise InputError(
                where, f'there is no column "{name}"{nearest(str(name), names)}', f"there are {few(names)}"
            )
    around = {*FIRST, *LABELS}
    return [name for name in names if name in FIRST] + [
        *(name for name in asked if name not in around),
        *(name for name in names if name in LABELS),
    ]


def few(names: Sequence[str]) -> str:
    """Return names for an error line; of many the first."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
