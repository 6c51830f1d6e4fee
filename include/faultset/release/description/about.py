"""What every form of the description says, worked out once: texts made harmless, tables with their columns and files.

Texts of the catalog and names of a source's columns are untrusted: each is one printable line here, and each form
escapes it in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from faultset import tables
from faultset.errors import printable
from faultset.release.manifest import FileEntry, Manifest
from faultset.tables import Column, Table

KEYWORDS = ("fault injection", "anomaly detection", "AIOps", "root cause analysis", "OpenStack", "Rally", "os-faults")
DATA = "application/vnd.apache.parquet"
WEB = re.compile(r"https?://[!-~]+")
_DESCRIPTION_LIMIT = 10_000
_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", re.ASCII)
# Licences that data are published under; each has a page under this name in SPDX's list and in CFF's vocabulary.
_SPDX = re.compile(
    r"CC0-1\.0|CC-BY(-NC)?(-ND|-SA)?-[34]\.0|ODbL-1\.0|ODC-By-1\.0|PDDL-1\.0|CDLA-(Permissive|Sharing)-1\.0"
    r"|MIT|Apache-2\.0|BSD-[23]-Clause|EUPL-1\.2"
)
_SOURCE = Column("Column of the source, under its own name and with its own meaning.", "as in the source")
_ROWS = "One row a row of the source: the source's own columns, then the labels."
# A file whose values are all whole numbers does not make a layout of its own.
_WIDENED = {"int64": "double"}


@dataclass(frozen=True, slots=True)
class Creator:
    """Who made the experiment; ``orcid`` is a bare ORCID iD."""

    name: str
    orcid: str | None

    @property
    def url(self) -> str | None:
        """The page of the ORCID iD; None without one."""
        return f"https://orcid.org/{self.orcid}" if self.orcid else None


@dataclass(frozen=True, slots=True)
class License:
    """A licence; ``url`` is its page where its name is a known SPDX identifier."""

    name: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a table.

    Attributes:
        name: untrusted where the column is the source's own.
        type: name of the Arrow type.
        nullable: whether it can be null.
        column: what it means.
        references: the table that it points into, by a column of the same name; None where it does not.
    """

    name: str
    type: str
    nullable: bool
    column: Column
    references: str | None = None

    @property
    def is_list(self) -> bool:
        """Whether each value is a list of texts."""
        return self.type.startswith("list<")


@dataclass(frozen=True, slots=True)
class Described:
    """A table as it lies in the version.

    Attributes:
        name: unique; ``metrics``, or ``traces-2`` where files of one kind have several layouts.
        description: what a row is.
        key: names of the columns that identify a row (of a file, for telemetry).
        fields: the columns.
        files: one file, or those of telemetry.
        whole_folder: for telemetry: whether these are all files of the kind; None for a table of one file.
    """

    name: str
    description: str
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    files: tuple[FileEntry, ...]
    whole_folder: bool | None = None

    @property
    def is_telemetry(self) -> bool:
        """Whether there is one file a source file."""
        return self.whole_folder is not None


@dataclass(frozen=True, slots=True)
class About:
    """A version, ready to be described.

    Attributes:
        manifest: what it was worked out from; its texts are untrusted still.
        title: one line, never empty.
        description: one line, never empty.
        creators: those with a name; perhaps none.
        license: None where none is declared.
        tables: in the declared order, telemetry last.
    """

    manifest: Manifest
    title: str
    description: str
    creators: tuple[Creator, ...]
    license: License | None
    tables: tuple[Described, ...]

    @property
    def published_on(self) -> str:
        """The day of publication, ``YYYY-MM-DD``."""
        return self.manifest.created_at[:10]

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """The files of all tables, in their order."""
        return tuple(file for table in self.tables for file in table.files)

    @property
    def citation(self) -> str:
        """How to cite the version, in one line."""
        names = ", ".join(creator.name for creator in self.creators)
        named = f"Dataset {self.manifest.slug}, version {self.manifest.version}, {self.published_on}"
        return f"{names + ': ' if names else ''}{self.title}. {named}. Fingerprint {self.manifest.fingerprint}."


def about(manifest: Manifest) -> About:
    """Work out what there is to say about a version."""
    title = printable(manifest.title) or manifest.slug
    return About(
        manifest=manifest,
        title=title,
        description=printable(manifest.description, _DESCRIPTION_LIMIT) or title,
        creators=tuple(_creators(manifest.creators)),
        license=license_of(manifest.license),
        tables=(*_tables(manifest), *_telemetry(manifest)),
    )


def license_of(declared: str | None) -> License | None:
    """Return what a declared licence is."""
    name = printable(declared or "")
    if not name:
        return None
    return License(name, f"https://spdx.org/licenses/{name}.html" if _SPDX.fullmatch(name) else None)


def _creators(declared: Iterable[dict[str, Any]]) -> Iterable[Creator]:
    for creator in declared:
        name = printable(str(creator.get("name") or ""))
        orcid = creator.get("orcid")
        if name:
            yield Creator(name, orcid if isinstance(orcid, str) and _ORCID.fullmatch(orcid) else None)


def every_table() -> tuple[Described, ...]:
    """Return all tables as declared, without files; of telemetry the labels only."""
    single = (Described(table.name, table.description, table.key, _declared(table), ()) for table in tables.EVERY_TABLE)
    many = (Described(table.name, _ROWS, table.key, _declared(table), (), True) for table in tables.TELEMETRY)
    return (*single, *many)


# --- tables ---------------------------------------------------------------------------------------------------------


def _tables(manifest: Manifest) -> Iterable[Described]:
    files = {file.path: file for file in manifest.files}
    for table in tables.EVERY_TABLE:
        if file := files.get(f"{table.name}.parquet"):
            yield Described(table.name, table.description, table.key, _declared(table), (file,))


def _declared(table: Table) -> tuple[Field, ...]:
    points = tables.references(table)
    return tuple(
        Field(
            spec.name,
            str(spec.arrow_type),
            spec.nullable,
            spec.column,
            points[spec.name].name if spec.name in points else None,
        )
        for spec in tables.columns(table)
    )


def _telemetry(manifest: Manifest) -> Iterable[Described]:
    for table in tables.TELEMETRY:
        held = [file for file in manifest.files if file.path.startswith(f"{table.name}/") and file.schema is not None]
        layouts: dict[tuple[tuple[str, str], ...], list[FileEntry]] = {}
        for file in sorted(held, key=lambda file: file.path):
            layouts.setdefault(_layout(file), []).append(file)
        for number, files in enumerate(layouts.values(), start=1):
            name = table.name if len(layouts) == 1 else f"{table.name}-{number}"
            yield Described(name, _ROWS, table.key, _merged(table, files), tuple(files), len(layouts) == 1)


def _layout(file: FileEntry) -> tuple[tuple[str, str], ...]:
    return tuple((column["name"], _WIDENED.get(column["type"], column["type"])) for column in file.schema or ())


def _merged(table: Table, files: Sequence[FileEntry]) -> tuple[Field, ...]:
    """Return the columns of files of one layout; a column of both whole and other numbers holds numbers."""
    labels = {spec.name: spec.column for spec in tables.columns(table)}
    merged = []
    for same in zip(*(file.schema or () for file in files), strict=True):
        types = {column["type"] for column in same}
        type_ = same[0]["type"] if len(types) == 1 else _layout_type(types)
        name = same[0]["name"]
        merged.append(Field(name, type_, any(column["nullable"] for column in same), labels.get(name, _SOURCE)))
    return tuple(merged)


def _layout_type(types: set[str]) -> str:
    return next(iter({_WIDENED.get(type_, type_) for type_ in types}))
