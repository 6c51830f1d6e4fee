"""What differs between two versions, injection by injection: what each was, hit and moved."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from faultset import tables
from faultset.errors import printable
from faultset.moments import iso
from faultset.release import parquet

_ID = "injection_id"
_SHOWN = 10
Record = dict[str, Any]
Records = Mapping[str, list[Record]]


@dataclass(frozen=True, slots=True)
class InjectionChange:
    """An injection that differs.

    Attributes:
        injection_id: its id.
        state: whether both versions have it.
        values: column of the injection, value before, value after; as texts, None for null.
        targets_gained: ``node/component`` of targets that only the new version has.
        targets_lost: likewise, of the old version.
        targets_changed: targets of both, with the columns that differ in brackets.
        impacts_gained: ``node/kpi (source)`` of impacts that only the new version has.
        impacts_lost: likewise, of the old version.
        impacts_changed: impacts of both, with the columns that differ in brackets.
    """

    injection_id: str
    state: Literal["kept", "added", "removed"]
    values: tuple[tuple[str, str | None, str | None], ...] = ()
    targets_gained: tuple[str, ...] = ()
    targets_lost: tuple[str, ...] = ()
    targets_changed: tuple[str, ...] = ()
    impacts_gained: tuple[str, ...] = ()
    impacts_lost: tuple[str, ...] = ()
    impacts_changed: tuple[str, ...] = ()

    def words(self) -> str:
        """Return one sentence."""
        parts = {"added": ["is new"], "removed": ["went"]}.get(self.state, [])
        parts += [f"{name} was {_shown(before)} and is {_shown(after)}" for name, before, after in self.values]
        for what, names in (
            ("gained targets", self.targets_gained),
            ("lost targets", self.targets_lost),
            ("has changed targets", self.targets_changed),
            ("gained impacts", self.impacts_gained),
            ("lost impacts", self.impacts_lost),
            ("has changed impacts", self.impacts_changed),
        ):
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                parts.append(f"{what} {', '.join(printable(name, 120) for name in names[:_SHOWN])}{more}")
        return f"{printable(self.injection_id, 200)}: {'; '.join(parts)}."

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {
            "injection_id": self.injection_id,
            "state": self.state,
            "values": [{"column": name, "before": before, "after": after} for name, before, after in self.values],
            **{
                f"{what}_{how}": list(getattr(self, f"{what}_{how}"))
                for what in ("targets", "impacts")
                for how in ("gained", "lost", "changed")
            },
        }


def between(before: Mapping[str, Path], after: Mapping[str, Path]) -> tuple[InjectionChange, ...]:
    """Return the injections that differ.

    Args:
        before: table -> file of the old version; a version of another tool may lack tables and columns.
        after: likewise, of the new version.

    Raises:
        InputError: a table is damaged.
    """
    old, new = (_Told.of(files) for files in (before, after))
    ids = sorted(old.injections.keys() | new.injections.keys())
    found = (_change(one, old, new) for one in ids)
    return tuple(change for change in found if change is not None)


@dataclass(frozen=True, slots=True)
class _Told:
    """What one version tells, by injection."""

    injections: Mapping[str, Record]
    targets: Records
    impacts: Records

    @classmethod
    def of(cls, files: Mapping[str, Path]) -> _Told:
        rows = {table.name: _records(files.get(table.name)) for table in _READ}
        return cls(
            {row[_ID]: row for row in rows[tables.INJECTIONS.name]},
            _grouped(rows[tables.TARGETS.name]),
            _grouped(rows[tables.IMPACTS.name]),
        )


_READ = (tables.INJECTIONS, tables.TARGETS, tables.IMPACTS)


def _records(path: Path | None) -> list[Record]:
    if path is None:
        return []
    data = parquet.read_arrow(path)
    return data.to_pylist() if _ID in data.column_names else []


def _grouped(rows: Iterable[Record]) -> Records:
    found: dict[str, list[Record]] = defaultdict(list)
    for row in rows:
        found[row[_ID]].append(row)
    return found


def _change(one: str, old: _Told, new: _Told) -> InjectionChange | None:
    was, now = old.injections.get(one), new.injections.get(one)
    targets = _compared(old.targets.get(one, []), new.targets.get(one, []), tables.TARGETS.key, _target_name)
    impacts = _compared(old.impacts.get(one, []), new.impacts.get(one, []), tables.IMPACTS.key, _impact_name)
    values = _values(was, now) if was and now else ()
    if was and now and not any((values, *targets, *impacts)):
        return None
    return InjectionChange(one, "added" if not was else "kept" if now else "removed", values, *targets, *impacts)


def _values(was: Record, now: Record) -> tuple[tuple[str, str | None, str | None], ...]:
    both = [name for name in was if name in now and name != _ID]
    return tuple((name, _text(was[name]), _text(now[name])) for name in both if _text(was[name]) != _text(now[name]))


def _compared(
    old: list[Record], new: list[Record], key: tuple[str, ...], name_of: Any
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the names of what came, what went and what differs."""
    was = {tuple(row.get(part) for part in key): row for row in old}
    now = {tuple(row.get(part) for part in key): row for row in new}
    changed = []
    for one in was.keys() & now.keys():
        columns = [name for name, _, _ in _values(was[one], now[one])]
        if columns:
            changed.append(f"{name_of(now[one])} ({', '.join(columns)})")
    gained = sorted(name_of(now[one]) for one in now.keys() - was.keys())
    lost = sorted(name_of(was[one]) for one in was.keys() - now.keys())
    return tuple(gained), tuple(lost), tuple(sorted(changed))


def _target_name(row: Record) -> str:
    return f"{row.get('node')}/{row.get('component') or row.get('container') or 'the node itself'}"


def _impact_name(row: Record) -> str:
    return f"{row.get('node')}/{row.get('kpi')} ({row.get('source')})"


def _text(value: object) -> str | None:
    if value is None:
        return None
    return iso(value) if isinstance(value, dt.datetime) else str(value)


def _shown(value: str | None) -> str:
    return "null" if value is None else printable(value, 200)
