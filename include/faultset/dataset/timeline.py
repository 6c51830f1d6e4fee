"""When each injection is felt, which of them overlap, and where a recording may be cut. Pure functions."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from faultset.dataset.spans import ALWAYS
from faultset.errors import InputError
from faultset.fault_span import known_end
from faultset.moments import Window
from faultset.tables import ImpactRow, InjectionRow


@dataclass(frozen=True, slots=True)
class Extent:
    """When an injection is felt, its recovery included.

    Attributes:
        injection_id: which.
        window: half-open.
        why: what it begins and ends with, in words.
    """

    injection_id: str
    window: Window
    why: str


@dataclass(frozen=True, slots=True)
class Group:
    """Injections that overlap, directly or through others; nothing is cut inside of ``window``."""

    injection_ids: tuple[str, ...]
    window: Window


def extents(
    injections: Sequence[InjectionRow], impacts: Sequence[ImpactRow], labeled: Mapping[str, Window]
) -> list[Extent]:
    """Return when each injection is felt: from its start to the last that it did, by command, impact or label.

    Args:
        injections: of the dataset.
        impacts: of the dataset.
        labeled: injection id -> from its first to its last labeled row.
    """
    moved: dict[str, list[Window]] = {}
    for impact in impacts:
        moved.setdefault(impact.injection_id, []).append(Window(impact.started_at, impact.ended_at))
    return [_extent(row, moved.get(row.injection_id, []), labeled.get(row.injection_id)) for row in injections]


def _extent(row: InjectionRow, moved: Sequence[Window], labeled: Window | None) -> Extent:
    command = Window(row.started_at, row.ended_at + dt.timedelta(seconds=row.end_uncertainty_s))
    ends: list[tuple[dt.datetime, str]] = [(command.end, "the command's end"), (known_end(row), "the fault's end")]
    ends += [(window.end, "the end of an impact") for window in moved]
    starts = [command.start, *(window.start for window in moved)]
    if labeled:
        starts.append(labeled.start)
        ends.append((labeled.end, "the last labeled row"))
    end, why = max(ends, key=lambda pair: pair[0])
    return Extent(row.injection_id, Window(min(starts), end), f"until {why}")


def groups(found: Iterable[Extent]) -> list[Group]:
    """Return the injections in groups that do not overlap, in order of time."""
    joined: list[Group] = []
    for extent in sorted(found, key=lambda extent: (extent.window.start, extent.injection_id)):
        last = joined[-1] if joined else None
        if last and extent.window.start <= last.window.end:
            end = max(last.window.end, extent.window.end)
            joined[-1] = Group((*last.injection_ids, extent.injection_id), Window(last.window.start, end))
        else:
            joined.append(Group((extent.injection_id,), extent.window))
    return joined


def segments(of: Sequence[Group]) -> list[Window]:
    """Return the span of time of each group: all time, cut in the middle of the quiet between two groups."""
    cuts = [one.window.end + (other.window.start - one.window.end) / 2 for one, other in pairwise(of)]
    edges = [ALWAYS.start, *cuts, ALWAYS.end]
    return [Window(start, end) for start, end in pairwise(edges)]


@dataclass(frozen=True, slots=True)
class Fold:
    """One way to split: spans of time to learn from, and spans to be judged on."""

    train: tuple[Window, ...]
    test: tuple[Window, ...]


def folds(of: Sequence[Group], number: int, seed: int, gap: dt.timedelta) -> list[Fold]:
    """Return ``number`` ways to split, each group in the test part of exactly one; nothing goes through a group.

    Args:
        of: groups, in order of time.
        number: at least 2, at most the number of groups.
        seed: which groups are tested together; the same seed, the same folds.
        gap: time left out of the training part on both sides of what is tested, as far as it is quiet there.

    Raises:
        InputError: there are too few groups.
    """
    if not 2 <= number <= len(of):
        many = f"there are {len(of)} groups of injections that do not overlap"
        remedy = f"ask for 2 to {len(of)}" if len(of) > 1 else "such a dataset is learnt from or judged on as a whole"
        raise InputError("folds", f"{number} folds cannot be made: {many}", remedy)
    order = list(range(len(of)))
    random.Random(seed).shuffle(order)  # noqa: S311 (draws folds, protects nothing)
    return [_fold(of, frozenset(order[place::number]), gap) for place in range(number)]


def _fold(of: Sequence[Group], tested: frozenset[int], gap: dt.timedelta) -> Fold:
    spans = segments(of)
    train = [
        Window(
            _later(spans[place].start, of[place].window.start, gap if place - 1 in tested else None),
            _earlier(spans[place].end, of[place].window.end, gap if place + 1 in tested else None),
        )
        for place in range(len(of))
        if place not in tested
    ]
    return Fold(_joined(train), _joined([spans[place] for place in sorted(tested)]))


def _later(start: dt.datetime, latest: dt.datetime, gap: dt.timedelta | None) -> dt.datetime:
    return start if gap is None else min(start + gap, latest)


def _earlier(end: dt.datetime, earliest: dt.datetime, gap: dt.timedelta | None) -> dt.datetime:
    return end if gap is None else max(end - gap, earliest)


def _joined(spans: Sequence[Window]) -> tuple[Window, ...]:
    joined: list[Window] = []
    for span in spans:
        if joined and joined[-1].end == span.start:
            joined[-1] = Window(joined[-1].start, span.end)
        else:
            joined.append(span)
    return tuple(joined)
