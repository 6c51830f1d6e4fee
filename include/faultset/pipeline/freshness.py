"""When each experiment's dataset, or its candidate, was last found to be up to date: what makes it stale.

``.fresh.json`` in the work folder: experiment -> epoch seconds, and when a rebuild of all ended. A dataset whose inputs
do not change stays fresh for years, since every rebuild finds that it holds; one is stale where its rebuilds fail, or
where there are none.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faultset import catalog
from faultset.pipeline.observing import Level, is_observed, tell
from faultset.pipeline.outcomes import Outcome
from faultset.settings import Settings
from faultset.storage import bytes_of, put_whole

FILE = ".fresh.json"


@dataclass(frozen=True, slots=True)
class Known:
    """What rebuilds found.

    Attributes:
        of_all: when a rebuild of the whole catalog ended last, epoch seconds; None where none did.
        at: experiment -> when it was last found up to date, epoch seconds.
        settings: of the process that said so, as they may be shown.
    """

    of_all: float | None = None
    at: dict[str, float] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def stale(self, slugs: Sequence[str], after_s: float, now: float) -> list[str]:
        """Return the experiments that nobody found up to date for so long, those known longest first.

        One that no rebuild ever brought up to date is stale once a rebuild of all has ended.
        """
        late = [slug for slug in slugs if slug in self.at and now - self.at[slug] > after_s]
        never = [slug for slug in slugs if slug not in self.at] if self.of_all is not None else []
        return [*never, *sorted(late, key=lambda slug: self.at[slug])]


def known(settings: Settings) -> Known:
    """Return what rebuilds found; nothing where the file is missing or damaged.

    Raises:
        SetupError: the work folder cannot be read.
    """
    data = bytes_of(Path(settings.work) / FILE)
    try:
        kept = json.loads(data or b"{}")
        at = {str(slug): float(moment) for slug, moment in kept.get("at", {}).items()}
        return Known(kept.get("of_all"), at, dict(kept.get("settings", {})))
    except (ValueError, TypeError, AttributeError):  # a memory and no truth: the next rebuild writes it anew
        return Known()


def note(outcomes: Sequence[Outcome], settings: Settings, *, of_all: bool) -> None:
    """Remember what a rebuild found, and tell it to whoever observes.

    Raises:
        SetupError: the work folder cannot be written.
    """
    before, now = known(settings), time.time()
    at = {**before.at, **{one.experiment: now for one in outcomes if one.is_final}}
    if of_all:  # what left the catalog is forgotten
        at = {one.experiment: at[one.experiment] for one in outcomes if one.experiment in at}
    after = Known(now if of_all else before.of_all, at, settings.shown())
    put_whole(Path(settings.work) / FILE, (json.dumps(dataclasses.asdict(after)) + "\n").encode("ascii"))
    if of_all and is_observed():
        _tell(outcomes, after, settings, now)


def _tell(outcomes: Sequence[Outcome], found: Known, settings: Settings, now: float) -> None:
    counts = Counter("failed" if one.outcome == "trouble" else one.outcome for one in outcomes)
    for outcome in ("candidate", "unchanged", "failed"):
        tell(Level("experiments", counts[outcome], {"outcome": outcome}))
    stale = found.stale([one.experiment for one in outcomes], settings.stale_after_s, now)
    tell(Level("experiments_stale", len(stale)))
    tell(Level("rebuild_timestamp_seconds", round(now)))


def stale(settings: Settings) -> list[str]:
    """Return the catalog's experiments whose datasets are stale (``FAULTSET_STALE_H``), so long after a rebuild began.

    One that none ever brought up to date is among them, also where no rebuild has come to an end yet.

    Raises:
        InputError: the catalog cannot be read.
        SetupError: a storage cannot be asked.
    """
    found = known(settings)
    begun = dataclasses.replace(found, of_all=found.of_all or 0.0)
    return begun.stale(catalog.list_slugs(settings.catalog), settings.stale_after_s, time.time())
