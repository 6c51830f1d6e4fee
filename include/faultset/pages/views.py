"""What the pages show of lists: searched, filtered, sorted and cut into pages. Pure functions."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from faultset.errors import counted
from faultset.pages.held_index import Found
from faultset.pages.overview import Line

ROWS = 50
_LONGEST_QUERY = 200
_LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for.

    Attributes:
        search: words that all have to occur; "" for all rows.
        sort: name of the column that orders the rows.
        descending: whether the largest comes first.
        only: name of a filter; "" for none.
        page: from 1.
    """

    search: str = ""
    sort: str = ""
    descending: bool = False
    only: str = ""
    page: int = 1

    @classmethod
    def of(cls, given: Mapping[str, str], sort: str, *, descending: bool = False) -> Query:
        """Return what an address asks for; what makes no sense is as if it was not there.

        Args:
            given: the parameters of the address.
            sort: the order unless another is asked for.
            descending: likewise.
        """
        page = given.get("page", "")
        return cls(
            search=given.get("q", "")[:_LONGEST_QUERY].strip(),
            sort=given.get("sort", sort),
            descending={"desc": True, "asc": False}.get(given.get("order", ""), descending),
            only=given.get("only", "")[:_LONGEST_QUERY],
            page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 and int(page) else 1,
        )

    def address(self, **changed: Any) -> str:
        """Return the part of an address after its path that asks for this, with some of it changed."""
        made = dataclasses.replace(self, **changed)
        said = {
            "q": made.search,
            "only": made.only,
            "sort": made.sort,
            "order": "desc" if made.descending else "asc",
            "page": str(made.page) if made.page > 1 else "",
        }
        return "?" + urlencode({name: value for name, value in said.items() if value})

    def by(self, column: str) -> str:
        """Return the address that orders by a column; by the one that orders already, the other way round."""
        return self.address(sort=column, descending=column == self.sort and not self.descending, page=1)


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """One page of a list.

    Attributes:
        rows: those of this page.
        query: as it was understood: a page that is not there became the last one.
        found: rows that match, on all pages.
        all: rows in the list.
        pages: number of pages, at least 1.
    """

    rows: tuple[T, ...]
    query: Query
    found: int
    all: int
    pages: int

    @property
    def span(self) -> str:
        """Which rows these are, in words."""
        if not self.rows:
            return f"none of {self.all:,}"
        first = (self.query.page - 1) * ROWS + 1
        said = f"{first:,}–{first + len(self.rows) - 1:,} of {self.found:,}"
        return said if self.found == self.all else f"{said} that match, {self.all:,} in all"


def listed(
    rows: Iterable[T],
    query: Query,
    *,
    text: Callable[[T], str],
    filters: Mapping[str, Callable[[T], bool]],
    orders: Mapping[str, Callable[[T], Any]],
) -> Listed[T]:
    """Return the page of a list that a query asks for.

    Args:
        rows: the whole list.
        query: what is asked for; a filter or an order that is not there is passed over.
        text: what of a row is searched.
        filters: name -> whether a row stays.
        orders: name -> what rows are ordered by.
    """
    everything = list(rows)
    words = query.search.casefold().split()
    stays = filters.get(query.only, _every)
    found = [row for row in everything if stays(row) and all(word in text(row).casefold() for word in words)]
    if query.sort in orders:
        order = orders[query.sort]
        found.sort(key=order, reverse=query.descending)
    pages = max(1, -(-len(found) // ROWS))
    page = min(query.page, pages)
    shown = tuple(found[(page - 1) * ROWS : page * ROWS])
    return Listed(shown, dataclasses.replace(query, page=page), len(found), len(everything), pages)


def _every(_row: object) -> bool:
    return True


# --- datasets ---------------------------------------------------------------------------------------------------------

DATASET_FILTERS: Mapping[str, Callable[[Line], bool]] = {
    "waits": lambda line: line.waits is not None,
    "critical": lambda line: _count(line, "critical") > 0,
    "warning": lambda line: _count(line, "warning") > 0,
    "no version": lambda line: line.latest is None,
    "entry changed": lambda line: line.freshness == "entry changed",
    "damaged": lambda line: line.problem is not None,
}
"""Name, as the page shows it -> whether a dataset stays."""

_ORDERS: Mapping[str, Callable[[Line], Any]] = {
    "name": lambda line: line.slug,
    "ran": lambda line: ((line.held and line.held.ran_at) or _LONG_AGO, line.slug),
    "published": lambda line: ((line.held and line.held.published_at) or _LONG_AGO, line.slug),
    "versions": lambda line: (line.versions, line.slug),
    "injections": lambda line: (line.held.injections if line.held else -1, line.slug),
    "findings": lambda line: (*(_count(line, severity) for severity in ("critical", "warning", "info")), line.slug),
    "waits": lambda line: (line.waits.since if line.waits else _LONG_AGO, line.slug),
}


def datasets(lines: Sequence[Line], query: Query) -> Listed[Line]:
    """Return the page of all datasets that is asked for."""
    return listed(
        lines,
        query,
        text=lambda line: f"{line.slug} {line.held.title if line.held else ''}",
        filters=DATASET_FILTERS,
        orders=_ORDERS,
    )


def _count(line: Line, severity: str) -> int:
    return next((count for name, count in line.held.findings.items() if name == severity), 0) if line.held else 0


# --- findings ---------------------------------------------------------------------------------------------------------

FINDING_FILTERS: Mapping[str, Callable[[tuple[Line, Found]], bool]] = {
    "critical": lambda row: row[1].severity == "critical",
    "warning": lambda row: row[1].severity == "warning",
    "info": lambda row: row[1].severity == "info",
}
_WEIGHTS = {"critical": 0, "warning": 1, "info": 2}


def findings(rows: Iterable[tuple[Line, Found]], query: Query) -> Listed[tuple[Line, Found]]:
    """Return the page of all findings that is asked for."""
    return listed(
        rows,
        query,
        text=lambda row: f"{row[0].slug} {row[1].expectation} {row[1].message}",
        filters=FINDING_FILTERS,
        orders={
            "severity": lambda row: (_WEIGHTS.get(row[1].severity, 9), row[0].slug, row[1].expectation),
            "dataset": lambda row: (row[0].slug, _WEIGHTS.get(row[1].severity, 9)),
            "expectation": lambda row: (row[1].expectation, row[0].slug),
        },
    )


# --- words ------------------------------------------------------------------------------------------------------------


def ago(moment: dt.datetime | None, now: dt.datetime) -> str:
    """Return how long ago something was, in words."""
    if moment is None:
        return "unknown"
    seconds = (now - moment).total_seconds()
    if seconds < 60:
        return "just now" if seconds > -60 else "in the future"
    for unit, length in (("year", 31_557_600), ("month", 2_629_800), ("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return f"{counted(int(seconds // length), unit)} ago"
    return "just now"


def moment(value: dt.datetime | str | None, *, digits: int = 0) -> str:
    """Return a time in UTC to the second, or with ``digits`` of it."""
    if isinstance(value, str):
        try:
            return moment(dt.datetime.fromisoformat(value), digits=digits)
        except ValueError:
            return value
    if value is None:
        return "unknown"
    text = f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
    return f"{text}.{value.microsecond:06}"[: len(text) + 1 + digits] if digits else text


def size(count: int) -> str:
    """Return a number of bytes in words."""
    if count < 1000:
        return counted(count, "byte")
    amount = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 1000 or unit == "TB":
            return f"{amount:.3g} {unit}" if amount < 1000 else f"{amount:,.0f} {unit}"
    return ""


def number(value: float | None, digits: int = 3) -> str:
    """Return a number as people read it; "–" where there is none."""
    if value is None:
        return "–"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.{digits}g}"
