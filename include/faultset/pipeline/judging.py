"""Judging runs that were dropped into the inbox: one verdict each, whatever they hold.

``take`` claims what is whole, ``judge`` says what one of them is worth and moves it to its place, ``judge_all`` does so
for many, each in a process of its own, so that a run that takes too long or kills its reader gets its verdict, too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultset import recipe, tables
from faultset.errors import FaultsetError, InputError, SetupError, printable
from faultset.inbox import claims, content, entries, filing, landing, mirror, page, proposal, roles, verdicts
from faultset.inbox.claims import Claim
from faultset.inbox.proposal import Proposal
from faultset.inbox.roles import Recognised
from faultset.inbox.verdicts import Remark, Verdict
from faultset.limits import Limits
from faultset.moments import UTC, iso
from faultset.pipeline import analysis, building, inspecting
from faultset.records.validation import Validation
from faultset.release import parquet
from faultset.settings import Settings, limits
from faultset.severity import SEVERITIES
from faultset.sources.kit import archive, files
from faultset.storage import reported
from faultset.storage.bucket import Bucket, is_bucket
from faultset.storage.credentials import credentials_for

_ENTRY = "experiment.json"
_DATA_DOCS = "validation"
_SHELF = "catalog"
_BESIDE = "beside"
_HOOK_FIRED = "triggers.hook_fired"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a look at the inbox came to.

    Attributes:
        arrivals: runs that wait for their verdict, oldest first: claimed now or left by a process that died.
        growing: name -> why it is not yet taken for whole.
    """

    arrivals: tuple[str, ...]
    growing: dict[str, str]


def take(settings: Settings, now: float | None = None) -> Taken:
    """Claim every whole run in the inbox.

    Raises:
        SetupError: the inbox cannot be read or written.
    """
    inbox, moment = settings.inbox_folder, time.time() if now is None else now
    growing: dict[str, str] = {}
    if is_bucket(settings.inbox):
        growing |= mirror.bring(settings.inbox, inbox, settings.inbox_settle_s, moment)
        mirror.send(settings.inbox, inbox)  # what an earlier process was not spared the time for
    for drop in landing.look(inbox, settings.inbox_settle_s, moment):
        if not drop.whole:
            growing[drop.name] = drop.why
        elif claims.claim(inbox, drop, settings.inbox_settle_s, moment) is None:
            growing[drop.name] = "it changed while it was looked at"
    return Taken(tuple(claims.open_claims(inbox)), growing)


def take_by_hand(references: Sequence[str], settings: Settings) -> str:
    """Claim copies of a report and of what lies beside it, because a person asked; return the arrival.

    Raises:
        InputError: a file is missing.
        SetupError: the inbox cannot be written.
    """
    paths = [files.local_path(reference) for reference in references]
    for path in paths:
        if not path.exists():
            raise InputError(path, "does not exist", "check the path")
    return claims.claim_copies(settings.inbox_folder, paths, time.time()).arrival


def verdict_line(arrival: str, settings: Settings) -> str:
    """Return the verdict on an arrival in one harmless line."""
    found = next((one for one in _recorded(settings, [arrival])), None)
    if found is None:
        return f"{arrival}: another process has it"
    word = "accepted" if found.accepted else "rejected"
    return printable(f"{found.name}: {word}, {found.reason}", 400)


def accepted(arrivals: Sequence[str], settings: Settings) -> list[str]:
    """Return the experiments that accepted runs among these arrivals became, sorted."""
    return sorted({one.slug for one in _recorded(settings, arrivals) if one.accepted and one.slug})


def without_verdict(arrivals: Sequence[str], settings: Settings) -> list[str]:
    """Return the arrivals on which there is no verdict yet."""
    return [arrival for arrival in arrivals if filing.recorded_of(settings.inbox_folder, arrival) is None]


def _recorded(settings: Settings, arrivals: Sequence[str]) -> Iterator[Verdict]:
    for arrival in arrivals:
        found = filing.recorded_of(settings.inbox_folder, arrival)
        if found is not None:
            yield found


def judge(arrival: str, settings: Settings) -> Verdict | None:
    """Say what a claimed run is worth, and move it to its place.

    Safe to repeat after a crash at any moment: what was done is found, and the rest is done.

    Returns:
        None where another process has it, or had it and is done.

    Raises:
        SetupError: the inbox, the catalog or the disk is in trouble; the claim stays.
    """
    return _filed(arrival, settings, lambda claim, until_filed: _judge(claim, settings, until_filed))


def give_up(arrival: str, settings: Settings, problem: str) -> Verdict | None:
    """Reject a claimed run whose reading did not come to an end; returns as ``judge`` does."""
    remedy = "check that these are the right files; what was dropped lies beside this verdict"

    def reject(claim: Claim, _until_filed: contextlib.ExitStack) -> Verdict:
        remark = Remark("critical", problem, (claim.name,), "what cannot be read cannot be labeled", remedy)
        return _keep(claim, _weighed(claim, content.bytes_sha256(claim.payload), [remark], settings))

    return _filed(arrival, settings, reject)


def _filed(
    arrival: str, settings: Settings, decide: Callable[[Claim, contextlib.ExitStack], Verdict]
) -> Verdict | None:
    """File a claim with the verdict that it has already, else with the one that ``decide`` keeps for it.

    Returns:
        None where another process has it, or had it and is done.
    """
    inbox = settings.inbox_folder
    claim = claims.read_claim(inbox, arrival)
    if claim is None:
        return None
    with claims.held(claim) as is_mine:
        if not is_mine or _is_done(inbox, claim):
            return None
        with contextlib.ExitStack() as until_filed:
            verdict = verdicts.read(claim.verdict) or decide(claim, until_filed)
            _settle(inbox, claim, verdict, settings)
    return verdict


def _credentials(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return who may use the buckets of the settings, by connection; handed on through a pipe and nowhere else."""
    buckets = [Bucket.at(uri) for uri in (settings.catalog, settings.datasets, settings.inbox) if is_bucket(uri)]
    return {one.connection: dataclasses.asdict(credentials_for(one.connection)) for one in buckets}


def _is_done(inbox: Path, claim: Claim) -> bool:
    """Whether another process filed a claim between our reading of it and our holding it; then its rest is removed."""
    if filing.recorded_of(inbox, claim.arrival) is None:
        return False
    claims.drop_claim(claim)
    return True


def judged_by(settings: Settings) -> str:
    """Return what a verdict depends on beside the run: another value judges the same content anew."""
    rules = json.dumps([dataclasses.asdict(limits()), settings.inbox_time_zone], sort_keys=True)
    digest = hashlib.sha256(rules.encode()).hexdigest()[:12]
    return f"recipe {recipe.digest()[:12]}, rules {recipe.verdict_digest()[:12]}, limits {digest}"


def judge_all(arrivals: Sequence[str], settings: Settings, *, deadline_s: float | None = None) -> Iterator[str]:
    """Judge many claimed runs in a process of their own and yield each arrival once it is done.

    Args:
        arrivals: of ``take``.
        settings: where things are.
        deadline_s: seconds after which the reading of one run is given up; default: the limit ``judge_seconds``.

    Raises:
        SetupError: the inbox, the catalog or the disk is in trouble, or the process died; the claims stay.
    """
    asked = {
        "settings": dataclasses.asdict(settings),
        "credentials": _credentials(settings),
        "arrivals": list(arrivals),
        "deadline_s": limits().judge_seconds if deadline_s is None else deadline_s,
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "faultset.pipeline.judging_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    answered = 0
    with worker:
        try:
            if worker.stdin is None or worker.stdout is None:
                raise SetupError("judging", "its process has no pipes", "run it again")
            worker.stdin.write(json.dumps(asked))
            worker.stdin.close()
            for line in worker.stdout:
                said = json.loads(line)
                if "trouble" in said:
                    raise SetupError(said["arrival"], said["trouble"], "see to the inbox, the catalog and the disk")
                answered += 1
                yield said["arrival"]
        finally:
            worker.terminate()
    if is_bucket(settings.inbox):
        mirror.send(settings.inbox, settings.inbox_folder)
    if answered < len(arrivals):
        raise SetupError("judging", f"its process ended with {worker.returncode}", "run it again; nothing is lost")


# --- one run --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Opened:
    """A run, laid out as one tree of its own."""

    tree: Path
    content_sha256: str
    found: tuple[Recognised, ...]


def _judge(claim: Claim, settings: Settings, until_filed: contextlib.ExitStack) -> Verdict:
    """Return the verdict on a claim, kept in its folder; ``until_filed`` holds back judges of the same content."""
    with reported(claim.work):
        shutil.rmtree(claim.work, ignore_errors=True)
        claim.work.mkdir()
    allowed = limits()
    try:
        tree = _laid_out(claim, allowed)
    except InputError as error:
        digest = content.bytes_sha256(claim.payload)
        until_filed.enter_context(claims.alone_with(settings.inbox_folder, digest))
        old = filing.known(settings.inbox_folder, digest, judged_by(settings))
        return _keep(claim, _again(old, claim) or _weighed(claim, digest, [_remark(error, claim)], settings))
    digest = content.content_sha256(tree)
    until_filed.enter_context(claims.alone_with(settings.inbox_folder, digest))
    old = _again(filing.known(settings.inbox_folder, digest, judged_by(settings)), claim)
    if old is not None:
        return _keep(claim, old)
    return _keep(claim, _looked_into(claim, tree, digest, settings))


def _again(old: Verdict | None, claim: Claim) -> Verdict | None:
    return None if old is None else filing.again(old, claim)


def _laid_out(claim: Claim, allowed: Limits) -> Path:
    """Return the run's files as one tree; an archive is unpacked, with a look at each of its members."""
    tree = claim.work / "tree"
    if claim.payload.is_file() and archive.is_archive(str(claim.payload)):
        with reported(tree):
            tree.mkdir()
        archive.unpack(claim.payload, tree, allowed)
        return _without_wrapper(tree)
    return content.tree_of(claim.payload, tree)


def _without_wrapper(tree: Path) -> Path:
    """Return the only folder of an archive that holds nothing beside it: the same run packed with and without it."""
    inside = list(tree.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else tree


def _looked_into(claim: Claim, tree: Path, digest: str, settings: Settings) -> Verdict:
    found: tuple[Recognised, ...] = ()
    made: Proposal | None = None
    try:
        found = roles.recognise(tree)
        made = _proposal(claim, tree, found, settings)
        return _validated(claim, _Opened(tree, digest, found), made, settings)
    except SetupError:
        raise
    except FaultsetError as error:
        remarks = [_remark(error, claim), *_notes(made)]
        slug = made.slug if made else None
        return _weighed(claim, digest, remarks, settings, slug=slug, found=found)


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
    shelf = claim.work / _SHELF
    entries.install(
        str(shelf), made.slug, made.entry, opened.tree, name=claim.name, content_sha256=opened.content_sha256
    )
    alone = dataclasses.replace(settings, catalog=str(shelf), datasets=str(claim.work / "datasets"))
    extracted = building.extract(made.slug, alone, force=True)
    decided = building.decide(extracted, alone, draw=analysis.draw_nothing)
    for labeling in building.labelings(decided, alone):
        building.label(labeling, alone)
    outcome = building.check(decided, alone)
    candidate = Path(alone.work) / decided.folder / "candidate"
    _lay_beside(claim, made, candidate)
    digest = opened.content_sha256
    verdict = _weighed(
        claim, digest, [*_findings(outcome), *_notes(made)], settings, slug=made.slug, found=opened.found
    )
    slug = entries.choose_slug(settings.catalog, made.slug, claim.name, digest) if verdict.accepted else made.slug
    return dataclasses.replace(verdict, slug=slug, recognised=_recognised(candidate), data_docs=outcome.data_docs)


def _lay_beside(claim: Claim, made: Proposal, candidate: Path) -> None:
    """Put what the verdict links to, and what installing the run needs, where the verdict will be."""
    beside = claim.work / _BESIDE
    with reported(beside):
        beside.mkdir()
        if (candidate / _DATA_DOCS).is_dir():
            (candidate / _DATA_DOCS).rename(beside / _DATA_DOCS)
        (beside / _ENTRY).write_text(json.dumps(made.entry), encoding="utf-8")


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
    return [Remark("warning", note, (), why, remedy) for note in (made.notes if made else ())]


def _recognised(candidate: Path) -> dict[str, Any]:
    rows = {
        table.name: parquet.read_table(table, candidate / f"{table.name}.parquet")
        for table in tables.TABLES
        if table.name != "iterations"
    }
    return inspecting.document(rows)


def _files(found: Sequence[Recognised]) -> tuple[dict[str, str], ...]:
    return tuple({"path": printable(one.path), "role": one.role, "why": one.why} for one in found)


def _weighed(
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


def _remark(error: FaultsetError, claim: Claim) -> Remark:
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


# --- keeping and filing ---------------------------------------------------------------------------------------------


def _keep(claim: Claim, verdict: Verdict) -> Verdict:
    """Write the verdict with its page, and make it the claim's in one step."""
    made = claim.work / _BESIDE
    filing.write(verdict, made)
    with reported(made):
        (made / "index.html").write_text(page.render(verdict), encoding="utf-8")
    claims.keep_verdict(claim, made)
    return verdict


def _settle(inbox: Path, claim: Claim, verdict: Verdict, settings: Settings) -> None:
    """Install an accepted run in the catalog, then file it."""
    entry = claim.verdict / _ENTRY
    if verdict.accepted and verdict.same_as is None and verdict.slug and not claim.by_hand:
        with reported(entry):
            declared = json.loads(entry.read_bytes())
        tree = next((claim.work / _SHELF).glob(f"*/{entries.folder_of(verdict.content_sha256)}"), claim.work)
        entries.install(
            settings.catalog,
            verdict.slug,
            declared,
            tree,
            name=claim.name,
            content_sha256=verdict.content_sha256,
        )
    filing.file(inbox, claim, verdict)
