"""What became of a rebuild: read from its records, so that a task that only tells of it imports nothing that builds."""

from __future__ import annotations

from collections.abc import Sequence

from faultset.pipeline import freshness, planning
from faultset.pipeline.ledger import Ledger
from faultset.pipeline.outcomes import HELD, Outcome
from faultset.pipeline.planning import Batch
from faultset.settings import Settings

_NOT_TRIED = "its task ended before its turn; see its log"


def outcomes_of(run: str, settings: Settings) -> Ledger:
    """Return the ledger that has an experiment's outcome once there is one."""
    return Ledger.of(run, "outcomes", settings)


def rebuilt(run: str, settings: Settings) -> list[Outcome]:
    """Return what became of each experiment of a run, in the order of the plan.

    Raises:
        InputError: nothing was planned.
    """
    plan = planning.planned(run, settings)
    known = {slug: Outcome(slug, "unchanged", HELD[standing]) for slug, standing in plan["unchanged"].items()}
    known |= {record["experiment"]: Outcome.from_dict(record) for record in outcomes_of(run, settings).all()}
    found = [known.get(slug) or Outcome(slug, "failed", _NOT_TRIED) for slug in plan["slugs"]]
    freshness.note(found, settings, of_all=plan["of_all"])
    return found


def candidates_of(batches: Sequence[Batch], settings: Settings) -> dict[str, str]:
    """Return the candidates that batches made: experiment -> fingerprint."""
    records = (
        record
        for batch in batches
        for slug in batch.names(settings)
        if (record := outcomes_of(batch.run, settings).get(slug)) is not None
    )
    return {record["experiment"]: record["fingerprint"] for record in records if record["outcome"] == "candidate"}
