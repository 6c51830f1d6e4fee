"""``dictionary.md``: every column of every table, with type, unit, nulls, meaning and vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

from faultset.release import markdown
from faultset.release.description.about import About, Described, Field, every_table

_HEADER = ("column", "type", "unit", "null", "meaning", "one of", "points to")


_TIMES = "Times are UTC with microseconds; spans are half-open, [start, end). Null means unknown or absent, never no."


def text(known: About) -> str:
    """Return the dictionary of one version, with the columns of its sources."""
    manifest = known.manifest
    lines = [
        f"# Data dictionary of {markdown.text(manifest.slug)} {markdown.text(manifest.version)}",
        "",
        _TIMES,
        *(line for described in known.tables for line in ("", *_section(described, _where(described)))),
    ]
    return "\n".join(lines) + "\n"


def reference_page() -> str:
    """Return the page on all tables as declared, whatever a version holds."""
    lines = [
        "# Tables",
        "",
        "Made from the declaration in `include/faultset/tables/`; a test holds the two equal. What one version "
        "holds, its sources' own columns too, stands in its `dictionary.md`.",
        "",
        _TIMES,
        *(line for described in every_table() for line in ("", *_section(described, ""))),
    ]
    return "\n".join(lines) + "\n"


def _section(described: Described, where: str) -> Sequence[str]:
    key = ("file", *described.key) if described.is_telemetry else described.key
    return [
        f"## {described.name}",
        "",
        f"{markdown.text(described.description)} Key: {', '.join(key)}.{where}",
        "",
        *markdown.table(_HEADER, map(_row, described.fields)),
    ]


def _where(described: Described) -> str:
    rows = sum(file.rows or 0 for file in described.files)
    return f" {rows} rows in {', '.join(markdown.text(file.path) for file in described.files)}."


def _row(field: Field) -> Sequence[object]:
    return (
        field.name,
        "list of string" if field.is_list else field.type,
        field.column.unit or "none",
        "possible" if field.nullable else "never",
        field.column.description,
        ", ".join(field.column.values),
        f"{field.references}.{field.name}" if field.references else "",
    )
