"""From a candidate to an answer: what it would change, whether a person has to approve, what follows from the answer.

An answer is for one fingerprint against one version. Whatever has been built or published since makes it outdated, and
an outdated answer publishes nothing.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import getpass
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from faultset import catalog, release
from faultset.errors import AnswerIsNo, printable
from faultset.moments import UTC, iso
from faultset.pipeline import candidates, published, publishing
from faultset.pipeline.build_folder import Build, CandidateNote, read_note
from faultset.pipeline.comparing import compare
from faultset.pipeline.observing import Watch
from faultset.pipeline.progress import Progress, silent
from faultset.pipeline.publishing import Published
from faultset.release import manifest as manifests
from faultset.release import markdown, parquet, policy
from faultset.release.changes import Changes
from faultset.release.diff import Difference
from faultset.release.history import History, read_history
from faultset.release.manifest import FileEntry, Manifest
from faultset.release.number import Change
from faultset.release.policy import Decision
from faultset.settings import Settings
from faultset.slug import check_slug
from faultset.storage import bytes_of, explain_os_errors, open_root, unless_gone

if TYPE_CHECKING:
    from faultset.pipeline.building import Built  # a second of import, for those who build

_LONGEST_PAGE = 60_000  # characters; a database column and a browser show it
_SHOWN_PICTURES = 12
_PICTURES_IN_A_ROW = 3  # as wide as Airflow shows them
_PICTURE = re.compile(r"[a-z0-9-]{1,100}\.png")
_OVERVIEW = "overview.png"
_FIGURES = "figures"
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate that could be published now; small enough to travel between tasks.

    Attributes:
        slug: the experiment.
        fingerprint: of the candidate.
        against: the version that ``latest`` names; None where there is none.
        change: what it does to those who rely on that version; None for a first version.
        number: the version that it would become.
        policy: of the experiment, as the catalog has it now.
        needs_person: whether a person has to approve it.
        why: why or why not.
        timeout_s: how long to wait for the answer, in seconds.
        approvers: names of the users who may answer; empty where anyone may.
        deposit: the archives that the version goes to then.
    """

    slug: str
    fingerprint: str
    against: str | None
    change: Change | None
    number: str
    policy: policy.Policy
    needs_person: bool
    why: str
    timeout_s: float
    approvers: tuple[str, ...]
    deposit: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**dataclasses.asdict(self), "approvers": list(self.approvers), "deposit": list(self.deposit)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the proposal that ``as_dict`` described."""
        lists = {name: tuple(values.get(name, ())) for name in ("approvers", "deposit")}
        return cls(**{**values, **lists})


@dataclass(frozen=True, slots=True)
class _Compared:
    """A candidate beside the version that ``latest`` names; ``before`` and ``difference`` are None for a first one."""

    folder: Path
    note: CandidateNote
    before: Manifest | None
    difference: Difference | None
    change: Change | None
    number: str


# --- proposing ------------------------------------------------------------------------------------------------------


def proposal(slug: str, settings: Settings) -> Proposal | None:
    """Return what could be published of an experiment now, without telling anybody; None where no candidate waits.

    Raises:
        InputError: the experiment's catalog entry, its candidate or its newest version is wrong.
        SetupError: the datasets root cannot be read.
    """
    return _of_newest(slug, settings, lambda found: _proposal(slug, found, settings))


def propose(slug: str, settings: Settings, *, pictures: str | None = None) -> Proposal | None:
    """Return what could be published of an experiment now, and write down beside the candidate what it would change.

    Args:
        slug: the experiment.
        settings: where things are.
        pictures: the address below which the page finds ``FINGERPRINT/NAME.png``; None: they are named, not shown.

    Raises:
        InputError: the experiment's catalog entry, its candidate or its newest version is wrong.
        SetupError: the datasets root cannot be used.
    """
    return _of_newest(slug, settings, lambda found: _write_down(slug, found, settings, pictures))


def _write_down(slug: str, found: _Compared, settings: Settings, pictures: str | None) -> Proposal:
    made = _proposal(slug, found, settings)
    drawn = _pictures(found)
    page, document = _page(made, found, drawn, pictures), _document(made, found, drawn)
    path = candidates.proposal_file(slug, made.fingerprint, settings)
    with explain_os_errors(path):
        candidates.proposal_file(slug, made.fingerprint, settings, "md").write_text(page, encoding="utf-8")
        candidates.put(path, document)
    return made


def page(made: Proposal, settings: Settings) -> str:
    """Return the Markdown page that tells a person what a candidate would change; all texts of reports are escaped.

    Raises:
        AnswerIsNo: a newer candidate has replaced this one.
    """
    written = bytes_of(candidates.proposal_file(made.slug, made.fingerprint, settings, "md"))
    if written is None:
        raise _outdated(made, "it has been replaced or published")
    return written.decode()


def picture(slug: str, fingerprint: str, name: str, settings: Settings) -> bytes | None:
    """Return a picture of a candidate, also once it was published or rejected; None where it is not there.

    Raises:
        InputError: this is no name of an experiment.
        SetupError: the storage is in trouble.
    """
    check_slug(slug)
    if not _PICTURE.fullmatch(name) or not _FINGERPRINT.fullmatch(fingerprint):
        return None
    for folder in candidates.folders(slug, fingerprint, settings):
        if (data := bytes_of(folder / _FIGURES / name)) is not None:
            return data
    held = release.held(settings.datasets, slug, fingerprint)
    return None if held is None else open_root(settings.datasets).read(f"{slug}/{held.number}/{_FIGURES}/{name}")


def _of_newest(slug: str, settings: Settings, make: Callable[[_Compared], Proposal]) -> Proposal | None:
    """Return what is made of the newest candidate; of the next one where it is replaced or published meanwhile."""
    check_slug(slug)
    while (fingerprint := candidates.waiting(slug, settings)) is not None:
        if candidates.standing(slug, fingerprint, settings) == "published":  # built again by force
            candidates.withdraw(slug, settings)
            return None
        with unless_gone(candidates.candidate_folder(slug, fingerprint, settings)):
            return make(_compared(slug, fingerprint, settings))
    return None


def _compared(slug: str, fingerprint: str, settings: Settings) -> _Compared:
    folder = candidates.candidate_folder(slug, fingerprint, settings)
    known = _history(slug, settings)
    base = _latest(known)
    before = published.read_manifest(slug, base, settings) if base else None
    difference = compare(folder, settings, slug, base) if base else None
    change = known.change_for_followers(difference.change if difference else None)
    return _Compared(folder, read_note(folder), before, difference, change, str(known.next_number(change)))


def _history(slug: str, settings: Settings) -> History:
    return read_history(open_root(settings.datasets), slug)


def _latest(known: History) -> str | None:
    """Return the version that ``latest`` names, or would once it is settled; None where there is no version."""
    return None if known.latest.number is None else str(known.latest.number)


def _proposal(slug: str, found: _Compared, settings: Settings) -> Proposal:
    entry = catalog.read_experiment(settings.catalog, slug)
    declared = entry.approval
    known = manifests.validation_from(found.before.validation).findings if found.before else ()
    needed = policy.need(declared.policy, found.difference, found.note.validation.findings, known)
    return Proposal(
        slug=slug,
        fingerprint=found.folder.name,
        against=found.before.version if found.before else None,
        change=found.change,
        number=found.number,
        policy=declared.policy,
        needs_person=needed.person,
        why=printable(needed.why),
        timeout_s=declared.timeout.total_seconds(),
        approvers=declared.approvers,
        deposit=settings.deposit_to if entry.deposit is None else entry.deposit,
    )


# --- telling --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Picture:
    """One of a candidate's pictures; ``state``: how it compares with the same of the version before."""

    name: str
    state: Literal["new", "changed", "as before"]


def _pictures(found: _Compared) -> list[_Picture]:
    """Return a candidate's pictures, that of the whole run first, then those that nobody has seen yet."""
    before = {entry.path: entry.sha256 for entry in found.before.files} if found.before else {}
    return sorted(
        (_Picture(path.name, _state(before, path)) for path in (found.folder / _FIGURES).glob("*.png")),
        key=lambda one: (one.name != _OVERVIEW, one.state == "as before", one.name),
    )


def _state(before: Mapping[str, str], path: Path) -> Literal["new", "changed", "as before"]:
    known = before.get(f"{_FIGURES}/{path.name}")
    if known is None:
        return "new"
    with explain_os_errors(path):
        return "as before" if hashlib.sha256(path.read_bytes()).hexdigest() == known else "changed"


def _document(made: Proposal, found: _Compared, drawn: Sequence[_Picture]) -> dict[str, Any]:
    now = _as_manifest(made, found)
    before = found.before.validation["findings"] if found.before else []
    return {
        **made.as_dict(),
        "rows": now.rows,
        "difference": found.difference.as_dict() if found.difference else None,
        "findings": now.validation["findings"],
        "findings_new": _without(now.validation["findings"], before),
        "findings_gone": _without(before, now.validation["findings"]),
        "figures": [{"path": f"{_FIGURES}/{one.name}", "state": one.state} for one in drawn],
    }


def _without(findings: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    known = {finding["message"] for finding in others}
    return [manifests.plain(finding) for finding in findings if finding["message"] not in known]


def _page(made: Proposal, found: _Compared, drawn: Sequence[_Picture], pictures: str | None) -> str:
    findings = markdown.limited(
        ("severity", "found", "what to do"),
        found.note.validation.findings,
        lambda finding: (finding.severity, finding.message, finding.remedy),
    )
    changes = Changes(found.change, found.difference, found.before).render(_as_manifest(made, found))
    return _cut(
        markdown.render(
            "approval.md",
            title=found.note.metadata.title,
            facts=markdown.block(markdown.table(("", ""), _facts(made))),
            counted=_counted(drawn),
            pictures=markdown.block(_shown(made, drawn[:_SHOWN_PICTURES], pictures)),
            changes=markdown.block(changes.splitlines()),
            findings=markdown.block(findings),
        )
    )


def _facts(made: Proposal) -> Iterator[tuple[str, str]]:
    yield "dataset", made.slug
    yield "would become", f"{made.number} ({made.change or 'the first version'})"
    yield "compared with", made.against or "nothing, there is no version yet"
    yield "policy", made.policy
    yield "why a person is asked" if made.needs_person else "why nobody is asked", made.why
    yield "candidate", made.fingerprint
    if made.deposit:
        yield "will be deposited in", f"{' and '.join(made.deposit)}, where it cannot be taken back"


def _counted(drawn: Sequence[_Picture]) -> str:
    if not drawn:
        return "None: there are no metrics to draw."
    said = ", ".join(f"{count} {state}" for state, count in sorted(Counter(one.state for one in drawn).items()))
    # A page of hundreds of pictures would be slower to open than to read.
    return said + (f"; the first {_SHOWN_PICTURES}:" if len(drawn) > _SHOWN_PICTURES else ":")


def _shown(made: Proposal, drawn: Sequence[_Picture], pictures: str | None) -> Iterator[str]:
    """Yield the lines of tables, each a row of pictures below their names; a link leads from each to its full size."""
    for start in range(0, len(drawn), _PICTURES_IN_A_ROW):
        row = drawn[start : start + _PICTURES_IN_A_ROW]
        yield ""
        yield from markdown.table([f"{one.name}, {one.state}" for one in row], ())
        if pictures:
            addresses = [(one.name, f"{pictures}/{made.fingerprint}/{one.name}") for one in row]
            yield f"| {' | '.join(f'[![{name}]({address})]({address})' for name, address in addresses)} |"


def _cut(text: str) -> str:
    """Return a page that a database and a browser can hold, cut at the end of a line."""
    if len(text) <= _LONGEST_PAGE:
        return text
    kept = text[:_LONGEST_PAGE].rpartition("\n")[0]
    return f"{kept}\n\nThe rest is left out here; the JSON file beside the candidate has all.\n"


def _as_manifest(made: Proposal, found: _Compared) -> Manifest:
    """Return the manifest that the candidate would have, as far as differences are told from it."""
    return Manifest(
        slug=made.slug,
        version=made.number,
        **dataclasses.asdict(found.note.metadata),
        schema_version=found.before.schema_version if found.before else "",
        created_at="",
        fingerprint=made.fingerprint,
        previous=None,
        inputs=found.note.inputs,
        files=tuple(_tables(found.folder)),
        tools=manifests.tool_versions(),
        validation=manifests.validation_summary(found.note.validation),
        recipe=found.note.recipe,
    )


def _tables(folder: Path) -> Iterator[FileEntry]:
    for path in sorted(folder.rglob("*.parquet")):
        rows, _ = parquet.layout(path)
        yield FileEntry(path.relative_to(folder).as_posix(), path.stat().st_size, "", rows)


# --- answering ------------------------------------------------------------------------------------------------------


def not_asked(made: Proposal) -> Decision:
    """Return the decision that the policy itself makes.

    Raises:
        AnswerIsNo: the policy asks a person, and nobody has answered.
    """
    if made.needs_person:
        raise AnswerIsNo(made.slug, "nobody has approved the candidate", "run publish_dataset for it and answer there")
    return Decision(made.policy, "not_needed", None, _now(), made.why)


def answered(made: Proposal, *, outcome: policy.Outcome, by: str, at: dt.datetime, reason: str | None) -> Decision:
    """Return the decision of a person; the words are kept as one line.

    Args:
        made: what the person was asked about.
        outcome: ``approved`` or ``rejected``.
        by: the person's name.
        at: when, aware.
        reason: the person's words; None where there are none.
    """
    return Decision(made.policy, outcome, printable(by, 200), iso(at), printable(reason or "", 2000) or None)


def publish_proposal(
    made: Proposal, decision: Decision, settings: Settings, *, progress: Progress = silent
) -> Published:
    """Publish the candidate that the decision is about, and no other.

    Safe to repeat: a second call finds the version and writes nothing.

    Raises:
        AnswerIsNo: the decision is no approval, or it is outdated: another candidate or version is there by now.
        SetupError: the datasets root cannot be written.
    """
    if decision.outcome == "rejected":
        raise AnswerIsNo(made.slug, "the candidate was rejected", "correct its inputs, then build it again")
    build = Build(made.slug, made.fingerprint, "", unchanged=False)
    watch = Watch("", "publish", made.slug)
    with watch.failing():
        if candidates.standing(made.slug, made.fingerprint, settings) != "published":
            _refuse_outdated(made, settings)
        published = publishing.write(build, settings, decision=decision.as_dict(), progress=progress)
        candidates.forget_proposal(made.slug, made.fingerprint, settings)
    if published.new:
        watch.ended("published", version=published.version)
    else:
        watch.ended("gone")
    return published


def reject(made: Proposal, decision: Decision, settings: Settings) -> None:
    """Set the candidate aside with the rejection beside it; the same inputs make no candidate again, unless by force.

    Raises:
        SetupError: the work folder cannot be written.
    """
    rejection = {"slug": made.slug, "fingerprint": made.fingerprint, "against": made.against, **decision.as_dict()}
    candidates.set_aside(made.slug, made.fingerprint, settings, rejection)


def _refuse_outdated(made: Proposal, settings: Settings) -> None:
    if candidates.waiting(made.slug, settings) != made.fingerprint:
        raise _outdated(made, "its candidate has been replaced or withdrawn")
    latest = _latest(_history(made.slug, settings))
    if latest != made.against:
        raise _outdated(made, f"it was for a change of {made.against or 'no version'}, and the latest is {latest}")


def _outdated(made: Proposal, how: str) -> AnswerIsNo:
    return AnswerIsNo(
        made.slug,
        f"nothing was published: the answer is for candidate {made.fingerprint[:12]} and outdated, {how}",
        "answer the newer proposal, or run publish_dataset for it",
    )


# --- by hand --------------------------------------------------------------------------------------------------------


def publish_by_hand(built: Built, settings: Settings, *, reason: str, progress: Progress = silent) -> Published:
    """Publish what was built, as a person wants it who uses the command line; there nobody else is asked.

    Args:
        built: what the build came to; where the newest version has it, that version is told.
        settings: where things are.
        reason: how the person said so.
        progress: called with steps done, steps in all and what comes next.

    Raises:
        AnswerIsNo: the candidate was rejected, or replaced meanwhile.
        SetupError: the datasets root cannot be written.
    """
    rejection = candidates.read_rejection(built.slug, built.fingerprint, settings)
    if built.standing == "rejected" and rejection is not None:
        remedy = "correct its inputs, or build it again with --force"
        raise AnswerIsNo(built.slug, f"its candidate was rejected {_told(rejection)}", remedy)
    made = proposal(built.slug, settings)
    if made is None or made.fingerprint != built.fingerprint:
        return publishing.write(Build(built.slug, built.fingerprint, "", unchanged=False), settings, progress=progress)
    decision = answered(made, outcome="approved", by=_user(), at=dt.datetime.now(UTC), reason=reason)
    return publish_proposal(made, decision, settings, progress=progress)


def _told(rejection: dict[str, Any]) -> str:
    reason = f": {rejection['reason']}" if rejection["reason"] else ""
    return f"by {rejection['by']} at {rejection['at']}{reason}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return f"uid {os.getuid()}"


def _now() -> str:
    return iso(dt.datetime.now(UTC))
