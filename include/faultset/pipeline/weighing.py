"""What a dropped run is worth: recognised, built as the dataset that it would become, and its findings weighed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultset import recipe, tables
from faultset.errors import FaultsetError, InputError, SetupError, counted, printable
from faultset.inbox import entries, proposal, roles, verdicts
from faultset.inbox.claims import Claim
from faultset.inbox.proposal import Proposal
from faultset.inbox.roles import Recognised
from faultset.inbox.verdicts import Remark, Verdict
from faultset.moments import UTC, iso
from faultset.pipeline import analysis, building, inspecting
from faultset.records.validation import Validation
from faultset.release import parquet
from faultset.settings import Settings
from faultset.severity import SEVERITIES
from faultset.storage import explain_os_errors

# In the folder that a claim is worked on in: the catalog of the one run, and what is kept with its verdict.
SHELF = "catalog"
BESIDE = "beside"
ENTRY = "experiment.json"
_DATA_DOCS = "validation"
_HOOK_FIRED = "triggers.hook_fired"


def judged_by(settings: Settings) -> str:
    """Return what a verdict depends on beside the run: another value judges the same content anew."""
    rules = json.dumps([dataclasses.asdict(settings.limits), settings.inbox_time_zone], sort_keys=True)
    digest = hashlib.sha256(rules.encode()).hexdigest()[:12]
    return f"recipe {recipe.digest()[:12]}, rules {recipe.verdict_digest()[:12]}, limits {digest}"


@dataclass(frozen=True, slots=True)
class _Opened:
    """A run, laid out as one tree of its own."""

    tree: Path
    content_sha256: str
    found: tuple[Recognised, ...]


def looked_into(claim: Claim, tree: Path, digest: str, settings: Settings) -> Verdict:
    """Return the verdict on a run that was laid out as ``tree``; what cannot be read is a reason to reject it."""
    found: tuple[Recognised, ...] = ()
    made: Proposal | None = None
    try:
        found = roles.recognise(tree)
        made = _proposal(claim, tree, found, settings)
        return _validated(claim, _Opened(tree, digest, found), made, settings)
    except SetupError:
        raise
    except FaultsetError as error:
        remarks = [remark_of(error, claim), *_notes(made)]
        slug = made.slug if made else None
        verdict = weighed(claim, digest, remarks, settings, slug=slug, found=found)
        return dataclasses.replace(verdict, offer=made.offer if made else "")


def _proposal(claim: Claim, tree: Path, found: Sequence[Recognised], settings: Settings) -> Proposal:
    brought = roles.of_role(found, "experiment")
    if not brought:
        return proposal.propose(tree, claim.name, found, settings.inbox_time_zone)
    if len(brought) > 1:
        raise InputError(
            claim.name, f"there are {len(brought)} experiment.yaml ({', '.join(brought[:3])})", "keep one of them"
        )
    return proposal.brought(tree, claim.name, brought[0])


def _validated(claim: Claim, opened: _Opened, made: Proposal, settings: Settings) -> Verdict:
    """Build the dataset that the run would become, in a catalog and a root of its own, and look at the findings."""
    shelf = claim.work / SHELF
    entries.install(
        str(shelf), made.slug, made.entry, opened.tree, name=claim.name, content_sha256=opened.content_sha256
    )
    alone = settings_of(claim, settings)
    extracted = building.extract(made.slug, alone, force=True)
    decided = building.decide(extracted, alone, draw=analysis.draw_nothing)
    for labeling in building.labelings(decided, alone):
        building.label(labeling, alone)
    outcome = building.check(decided, alone)
    candidate = Path(alone.work) / decided.folder / "candidate"
    _lay_beside(claim, made, candidate)
    digest = opened.content_sha256
    verdict = weighed(claim, digest, [*_findings(outcome), *_notes(made)], settings, slug=made.slug, found=opened.found)
    slug = entries.choose_slug(settings.catalog, made.slug, claim.name, digest) if verdict.accepted else made.slug
    return dataclasses.replace(
        verdict, slug=slug, recognised=_recognised(candidate), data_docs=outcome.data_docs, offer=made.offer
    )


def settings_of(claim: Claim, settings: Settings) -> Settings:
    """Return the settings that a run is judged under: a catalog and a root of its own."""
    return dataclasses.replace(settings, catalog=str(claim.work / SHELF), datasets=str(claim.work / "datasets"))


def _lay_beside(claim: Claim, made: Proposal, candidate: Path) -> None:
    """Put what the verdict links to, and what installing the run needs, where the verdict will be."""
    beside = claim.work / BESIDE
    with explain_os_errors(beside):
        beside.mkdir()
        if (candidate / _DATA_DOCS).is_dir():
            (candidate / _DATA_DOCS).rename(beside / _DATA_DOCS)
        (beside / ENTRY).write_text(json.dumps(made.entry), encoding="utf-8")


def _praise(remarks: Sequence[Remark]) -> str:
    """Return why a run is accepted; of its warnings, hooks that never fired are named: their labels do not exist."""
    warnings = [remark for remark in remarks if remark.severity == "warning"]
    if not warnings:
        return "every expectation that counts holds"
    counted = f"{len(warnings)} warnings" if len(warnings) > 1 else "1 warning"
    silent = "".join(f"; {remark.what}" for remark in warnings if remark.expectation == _HOOK_FIRED)
    return f"every critical expectation holds; {counted}{silent}"


def _findings(outcome: Validation) -> list[Remark]:
    from faultset.expectations import meaning_of  # noqa: PLC0415 (seconds of import, for those who validate)

    found = [verdicts.remark_of_finding(finding, meaning_of(finding.expectation)) for finding in outcome.findings]
    return found + [verdicts.remark_of_relaxed(one) for one in outcome.relaxed]


def _notes(made: Proposal | None) -> list[Remark]:
    why = "the dataset would hold less than was dropped"
    remedy = "add an experiment.yaml that says what is right, then drop it again"
    if made is None:
        return []
    remarks = [Remark("warning", note, (), why, remedy) for note in made.notes]
    if made.left_out:
        what = (
            f"{counted(len(made.left_out), 'file')} of telemetry left out, because nobody said in which zone the times "
            "are, and the files do not show it"
        )
        remedy = (
            "confirm the experiment.yaml that this verdict offers, put it into the run and drop it again, or set "
            "FAULTSET_INBOX_TIME_ZONE"
        )
        where = tuple(printable(path) for path in made.left_out)
        remarks.append(Remark("warning", what, where, why, remedy, count=len(where)))
    return remarks


def _recognised(candidate: Path) -> dict[str, Any]:
    rows = {
        table.name: parquet.read_table(table, candidate / f"{table.name}.parquet")
        for table in tables.TABLES
        if table.name != "iterations"
    }
    return inspecting.document(rows)


def _files(found: Sequence[Recognised]) -> tuple[dict[str, str], ...]:
    return tuple({"path": printable(one.path), "role": one.role, "why": one.why} for one in found)


def weighed(
    claim: Claim,
    digest: str,
    remarks: Sequence[Remark],
    settings: Settings,
    *,
    slug: str | None = None,
    found: Sequence[Recognised] = (),
) -> Verdict:
    """Return the verdict that these remarks come to: one that is critical rejects the run."""
    remarks = sorted(remarks, key=lambda remark: SEVERITIES.index(remark.severity))
    is_accepted = all(remark.severity != "critical" for remark in remarks)
    return Verdict(
        arrival=claim.arrival,
        name=claim.name,
        arrived_at=claim.arrived_at,
        judged_at=iso(dt.datetime.now(UTC)),
        accepted=is_accepted,
        reason=_praise(remarks) if is_accepted else remarks[0].what,
        content_sha256=digest,
        judged_by=judged_by(settings),
        slug=slug,
        remarks=tuple(remarks),
        files=_files(found),
        recognised={},
        data_docs=None,
    )


def remark_of(error: FaultsetError, claim: Claim) -> Remark:
    """Return what stopped the reading, without the folders that it was read in."""
    remark = verdicts.remark_of_error(error)
    folders = [path for path in claim.work.rglob("*") if path.is_dir()]
    prefixes = sorted((str(path) for path in (claim.work, claim.payload.parent, *folders)), key=len, reverse=True)
    return dataclasses.replace(
        remark, what=_without(prefixes, remark.what), where=tuple(_without(prefixes, one) for one in remark.where)
    )


def _without(prefixes: Sequence[str], text: str) -> str:
    for prefix in prefixes:
        text = text.replace(f"{prefix}/", "")
    return text
