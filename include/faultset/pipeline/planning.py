"""What of the catalog has to be built, and in which batches: told by looking, without reading a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from faultset import catalog
from faultset.errors import FaultsetError, InputError
from faultset.pipeline import candidates, ledger, seen
from faultset.pipeline.batching import Division, Item, batches
from faultset.pipeline.ledger import Ledger
from faultset.pipeline.outcomes import HELD
from faultset.settings import Settings

Lane = Literal["small", "large"]
LANES: tuple[Lane, ...] = ("small", "large")

MIB = 1024**2
# A build costs some 7 s of processor beside what its telemetry costs, in which 256 MiB and more are labeled.
_BUILD = 256 * MIB
_BATCH = 1024 * MIB
_FILE = 16 * MIB


@dataclass(frozen=True, slots=True)
class Batch:
    """A reference to a part of a run's work; small enough to travel between tasks.

    Attributes:
        run: whose.
        stage: which of its stages.
        number: which of the stage's batches, from 0.
        count: pieces of work in it.
        bytes: how much has to be read for it.
    """

    run: str
    stage: str
    number: int
    count: int
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the reference that ``as_dict`` described."""
        return cls(**values)

    def names(self, settings: Settings) -> list[str]:
        """Return what is in it, the smallest first.

        Raises:
            InputError: the records of the run are gone.
        """
        kept = Ledger.of(self.run, "batches", settings).get(self.stage)
        if kept is None:
            raise InputError(self.run, "the records of this run were removed", "start a new run")
        names: list[str] = kept["batches"][self.number]
        return names


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rebuild has to do.

    Attributes:
        run: whose plan it is.
        force: whether what did not change is built, too.
        experiments: how many were looked at.
        unchanged: those that need no work, with their standing.
        small: batches of experiments that one task builds from end to end.
        large: batches of experiments whose files of telemetry are divided among tasks.
    """

    run: str
    force: bool
    experiments: int
    unchanged: dict[str, candidates.Standing] = field(default_factory=dict)
    small: tuple[Batch, ...] = ()
    large: tuple[Batch, ...] = ()

    @property
    def line(self) -> str:
        """What is to be done, in one line."""
        work = sum(batch.count for batch in (*self.small, *self.large))
        divided = f"{len(self.small)} batches, and {len(self.large)} of large ones"
        return f"{self.experiments:,} experiments, {len(self.unchanged):,} unchanged, {work:,} to build in {divided}"


def plan_rebuild(run: str, asked: Sequence[str], settings: Settings, *, force: bool = False) -> Plan:
    """Look at the experiments and plan the work on those that may have changed.

    Nothing is hashed: what does not look as it did when it was hashed last is planned, and its build hashes it.

    Args:
        run: names the plan; the same one again replaces it.
        asked: the experiments; all of the catalog where there is none.
        settings: where things are.
        force: plan also what did not change.

    Raises:
        InputError: the catalog cannot be read.
        SetupError: a storage cannot be asked, or the work folder cannot be written.
    """
    ledger.sweep(settings)
    eye = seen.Eye(catalog.catalog_root(settings.catalog)) if asked else seen.Eye.of_all(settings)
    slugs = list(dict.fromkeys(asked)) or eye.slugs(settings)
    known = {slug: one for slug in slugs if (one := seen.recall(slug, eye, settings)) and seen.holds(one, eye)}
    standings = {} if force else candidates.standings({slug: one.fingerprint for slug, one in known.items()}, settings)
    unchanged = {slug: standing for slug, standing in standings.items() if standing in HELD}
    work = [Item(slug, _bytes(slug, known.get(slug), eye, settings)) for slug in slugs if slug not in unchanged]
    lanes: dict[Lane, list[Item]] = {"small": [], "large": []}
    for item in work:
        lanes["large" if item.bytes >= settings.large_bytes else "small"].append(item)
    most = settings.batches
    plan = Plan(
        run,
        force,
        len(slugs),
        unchanged,
        divide(run, "small", lanes["small"], Division(most, _BUILD, _BATCH), settings),
        divide(run, "large", lanes["large"], Division(max(1, most // 2), _BUILD, _BUILD), settings),
    )
    Ledger.of(run, "plan", settings).put(
        "plan", {"force": force, "unchanged": unchanged, "slugs": slugs, "of_all": not asked}
    )
    return plan


def divide(run: str, stage: str, items: Sequence[Item], by: Division, settings: Settings) -> tuple[Batch, ...]:
    """Divide work into batches, keep what is in each, and return the references."""
    made = batches(items, by)
    names = [[item.name for item in batch] for batch in made]
    Ledger.of(run, "batches", settings).put(stage, {"batches": names})
    return tuple(
        Batch(run, stage, number, len(batch), sum(item.bytes for item in batch)) for number, batch in enumerate(made)
    )


def divide_files(run: str, sizes: Mapping[str, int], settings: Settings) -> tuple[Batch, ...]:
    """Divide files of telemetry, large ones alone."""
    items = [Item(name, size) for name, size in sizes.items()]
    by = Division(settings.batches, _FILE, max(_FILE, settings.large_bytes // 4))
    return divide(run, "label", items, by, settings)


def planned(run: str, settings: Settings) -> dict[str, Any]:
    """Return what the plan of a run says: ``force``, ``unchanged``, ``slugs``, ``of_all``.

    Raises:
        InputError: the records of the run are gone.
    """
    kept = Ledger.of(run, "plan", settings).get("plan")
    if kept is None:
        raise InputError(run, "nothing was planned", "see what became of the task that plans")
    return kept


def _bytes(slug: str, known: seen.Seen | None, eye: seen.Eye, settings: Settings) -> int:
    if known is not None:
        return known.bytes
    try:
        experiment = catalog.read_experiment(settings.catalog, slug)
    except FaultsetError:  # its batch says what is wrong with it
        return 0
    return sum(mark[0] for mark in seen.marks(experiment, eye).values() if mark)
