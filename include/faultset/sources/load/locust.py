"""Locust's history (``_stats_history.csv``) as load: each interval between two rows of the total is an iteration.

Locust counts; it lists no request. An iteration lasts as long as its interval's mean response, the rest of the interval
is idle, and it failed where at least one of its requests did.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from faultset.errors import InputError
from faultset.records.evidence import RunEvidence
from faultset.sources.injections import Recognition, Source
from faultset.sources.kit.documents import Head, no_secrets
from faultset.sources.load.samples import Sample, load_run, message, number, table_rows

_REMEDY = "give the PREFIX_stats_history.csv that `locust --headless --csv PREFIX` writes"
_COLUMNS = {"Timestamp", "User Count", "Requests/s", "Failures/s", "Total Request Count"}
_TOTAL = "Aggregated"


def recognise(head: Head) -> Recognition | None:
    """Return what tells that a file is Locust's history."""
    if {name.strip('"') for name in head.first_line.split(",")} >= _COLUMNS:
        return Recognition("run", "it has the columns of Locust's history")
    return None


@dataclass(frozen=True, slots=True)
class _Total:
    at: float
    users: int
    requests: float
    failures: float
    spent_ms: float


def read(uri: str, beside: str | None) -> RunEvidence:
    """Return the load that Locust's history records.

    Raises:
        InputError: it cannot be read, or holds no interval.
    """
    if beside is not None:
        raise InputError(beside, "Locust's history has no file beside it", "leave results: out")
    totals = list(_totals(uri))
    users = max((total.users for total in totals), default=0)
    return load_run(uri, SOURCE.name, _intervals(totals), concurrency=users or None, remedy=_REMEDY)


def _totals(uri: str) -> Iterator[_Total]:
    for row in table_rows(uri):
        at, requests = number(row["Timestamp"]), number(row["Total Request Count"])
        if row.get("Name") != _TOTAL or at is None or requests is None:
            continue
        mean = number(row.get("Total Average Response Time")) or 0.0
        failures = number(row.get("Total Failure Count")) or 0.0
        yield _Total(at, int(number(row["User Count"]) or 0), requests, failures, mean * requests)


def _intervals(totals: list[_Total]) -> Iterator[Sample]:
    """Yield what lies between two rows; counts that fall were set back, and tell nothing."""
    for before, after in itertools.pairwise(totals):
        length, requests = after.at - before.at, after.requests - before.requests
        if length <= 0 or requests <= 0:
            continue
        mean_s = max((after.spent_ms - before.spent_ms) / requests / 1000, 0.0)
        failures = round(after.failures - before.failures)
        error = message("failures", f"{failures} of {round(requests)} requests failed") if failures > 0 else None
        yield Sample(before.at, mean_s, max(length - mean_s, 0.0), error)


SOURCE = Source("locust", "the history of Locust", "load", recognise, read, no_secrets)
