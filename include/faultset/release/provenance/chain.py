"""A chain, its links, and the published version that it is read from."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultset import tables
from faultset.moments import iso
from faultset.records.evidence import InputFile
from faultset.release import parquet
from faultset.release.manifest import Manifest
from faultset.tables import ImpactRow, ImpactTestRow, InjectionRow, TargetRow, TriggerRow, WorkloadRow

Fact = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One link of the chain.

    Attributes:
        title: what it is about.
        facts: name and value, in order; a value is plain JSON, or a list of plain mappings.
    """

    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """All that is known of where a record comes from.

    Attributes:
        slug: the dataset.
        version: X.Y.Z.
        id: what was asked for.
        kind: ``injection``, ``target``, ``impact`` or ``telemetry``.
        steps: from the record to the inputs.
        inputs: the files concerned.
    """

    slug: str
    version: str
    id: str
    kind: str
    steps: tuple[Step, ...]
    inputs: tuple[InputFile, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "slug": self.slug,
            "version": self.version,
            "id": self.id,
            "kind": self.kind,
            "chain": [{"step": step.title, "facts": dict(step.facts)} for step in self.steps],
            "inputs": [dataclasses.asdict(file) for file in self.inputs],
        }


@dataclass(frozen=True)
class Content:
    """A published version: its manifest and its folder; tables are read when they are needed."""

    folder: Path
    manifest: Manifest
    manifest_sha256: str

    def _rows(self, table: tables.Table) -> list[Any]:
        path = self.folder / f"{table.name}.parquet"
        return parquet.read_table(table, path) if table.name in self.manifest.rows else []

    @functools.cached_property
    def workloads(self) -> list[WorkloadRow]:
        """Rows of the table."""
        return self._rows(tables.WORKLOADS)

    @functools.cached_property
    def triggers(self) -> list[TriggerRow]:
        """Rows of the table."""
        return self._rows(tables.TRIGGERS)

    @functools.cached_property
    def injections(self) -> list[InjectionRow]:
        """Rows of the table."""
        return self._rows(tables.INJECTIONS)

    @functools.cached_property
    def targets(self) -> list[TargetRow]:
        """Rows of the table."""
        return self._rows(tables.TARGETS)

    @functools.cached_property
    def impacts(self) -> list[ImpactRow]:
        """Rows of the table."""
        return self._rows(tables.IMPACTS)

    @functools.cached_property
    def impact_tests(self) -> list[ImpactTestRow]:
        """Rows of the table; none in a version of an older tool."""
        return self._rows(tables.IMPACT_TESTS)

    @property
    def corrections(self) -> list[dict[str, Any]]:
        """Corrections as the catalog's entry declares them."""
        return list(self.manifest.experiment.get("corrections", ()))


Found = tuple[str, list[Step], list[InputFile]]


def facts_of(row: Any, names: Iterable[str]) -> tuple[Fact, ...]:
    """Return columns of a row with their values, in order."""
    return tuple((name, plain(getattr(row, name))) for name in names)


def all_facts_of(row: Any) -> tuple[Fact, ...]:
    """Return all columns of a row with their values."""
    return facts_of(row, (field.name for field in dataclasses.fields(row)))


def mapping_of(row: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return columns of a row with their values as a mapping."""
    return dict(facts_of(row, names))


def plain(value: Any) -> Any:
    """Return a cell's value as JSON knows it."""
    if isinstance(value, dt.datetime):
        return iso(value)
    if isinstance(value, float) and value != value:  # noqa: PLR0124 (only NaN differs from itself)
        return None
    return value if value is None or isinstance(value, bool | int | float | str | list) else str(value)
