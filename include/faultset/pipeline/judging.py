"""From a claimed run to its verdict, filed: whatever it holds, and whoever dies on the way."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from faultset.errors import InputError
from faultset.inbox import claims, content, entries, filing, page, verdicts
from faultset.inbox.claims import Claim
from faultset.inbox.verdicts import Remark, Verdict
from faultset.limits import Limits
from faultset.pipeline import building
from faultset.pipeline.weighing import BESIDE, ENTRY, SHELF, judged_by, looked_into, remark_of, settings_of, weighed
from faultset.settings import Settings
from faultset.sources.kit import archive
from faultset.storage import explain_os_errors


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
        return _keep(claim, weighed(claim, content.bytes_sha256(claim.payload), [remark], settings))

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


def _is_done(inbox: Path, claim: Claim) -> bool:
    """Whether another process filed a claim between our reading of it and our holding it; then its rest is removed."""
    if filing.recorded_of(inbox, claim.arrival) is None:
        return False
    claims.drop_claim(claim)
    return True


def _judge(claim: Claim, settings: Settings, until_filed: contextlib.ExitStack) -> Verdict:
    """Return the verdict on a claim, kept in its folder; ``until_filed`` holds back judges of the same content."""
    with explain_os_errors(claim.work):
        shutil.rmtree(claim.work, ignore_errors=True)
        claim.work.mkdir()
    try:
        tree = _laid_out(claim, settings.limits)
    except InputError as error:
        digest = content.bytes_sha256(claim.payload)
        until_filed.enter_context(claims.alone_with(settings.inbox_folder, digest))
        old = filing.known(settings.inbox_folder, digest, judged_by(settings))
        return _keep(claim, _again(old, claim) or weighed(claim, digest, [remark_of(error, claim)], settings))
    digest = content.content_sha256(tree)
    until_filed.enter_context(claims.alone_with(settings.inbox_folder, digest))
    old = _again(filing.known(settings.inbox_folder, digest, judged_by(settings)), claim)
    if old is not None:
        return _keep(claim, old)
    return _keep(claim, looked_into(claim, tree, digest, settings))


def _again(old: Verdict | None, claim: Claim) -> Verdict | None:
    return None if old is None else filing.again(old, claim)


def _laid_out(claim: Claim, allowed: Limits) -> Path:
    """Return the run's files as one tree; an archive is unpacked, with a look at each of its members."""
    tree = claim.work / "tree"
    if claim.payload.is_file() and archive.is_archive(str(claim.payload)):
        with explain_os_errors(tree):
            tree.mkdir()
        archive.unpack(claim.payload, tree, allowed)
        return _without_wrapper(tree)
    return content.tree_of(claim.payload, tree)


def _without_wrapper(tree: Path) -> Path:
    """Return the only folder of an archive that holds nothing beside it: the same run packed with and without it."""
    inside = list(tree.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else tree


def _keep(claim: Claim, verdict: Verdict) -> Verdict:
    """Write the verdict with its page, and make it the claim's in one step."""
    made = claim.work / BESIDE
    filing.write(verdict, made)
    with explain_os_errors(made):
        (made / "index.html").write_text(page.render(verdict), encoding="utf-8")
    claims.keep_verdict(claim, made)
    return verdict


def _settle(inbox: Path, claim: Claim, verdict: Verdict, settings: Settings) -> None:
    """Install an accepted run in the catalog, then file it."""
    entry = claim.verdict / ENTRY
    if verdict.accepted and verdict.same_as is None and verdict.slug and not claim.by_hand:
        with explain_os_errors(entry):
            declared = json.loads(entry.read_bytes())
        tree = next((claim.work / SHELF).glob(f"*/{entries.folder_of(verdict.content_sha256)}"), claim.work)
        entries.install(
            settings.catalog,
            verdict.slug,
            declared,
            tree,
            name=claim.name,
            content_sha256=verdict.content_sha256,
        )
        # What was labeled and analysed to judge it is not done again to rebuild it.
        building.adopt(settings_of(claim, settings), verdict.slug, settings)
    filing.file(inbox, claim, verdict)
