"""What is said of a dropped run, and why; as JSON for programs, and as a page (``inbox.page``) for people."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from faultset.errors import FaultsetError
from faultset.records.validation import Finding, Relaxed
from faultset.severity import Severity
from faultset.storage import bytes_of

VERDICT = "verdict.json"
SCHEMA_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was found.

    Attributes:
        severity: ``critical`` where the run is rejected for it.
        what: what is wrong, in one line.
        where: file, line, hook, row, ... that it is about; the first few.
        why: why it matters.
        remedy: what to do about it.
        expectation: id of the expectation that it breaks; None where a file could not be read at all.
        count: how many places it is about.
    """

    severity: Severity
    what: str
    where: tuple[str, ...]
    why: str
    remedy: str
    expectation: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one arrival.

    Attributes:
        arrival: which one.
        name: that it was dropped under; untrusted.
        arrived_at: when, ISO 8601 UTC.
        judged_at: when it was judged; of the same content judged before, when that was.
        accepted: whether it can become a dataset.
        reason: why, in one line.
        content_sha256: hex digest of all its files and their paths.
        judged_by: digests of the code, limits and zone that it was judged by; others judge anew.
        slug: the experiment that it becomes or would become; None where that was not known.
        remarks: most severe first.
        files: each with ``path``, ``role`` and ``why``.
        recognised: ``rally_version``, ``workloads``, ``triggers``, ``injections``, ``targets`` as ``inspect`` shows
            them; empty where the run could not be read.
        data_docs: path of the expectations' pages beside the verdict; None where they were not reached.
        same_as: arrival that the same content was judged at; None where this is the first.
        offer: text of an ``experiment.yaml`` that a person could confirm, so that nothing is left out; "" where nothing
            was.
    """

    arrival: str
    name: str
    arrived_at: str
    judged_at: str
    accepted: bool
    reason: str
    content_sha256: str
    judged_by: str
    slug: str | None
    remarks: tuple[Remark, ...]
    files: tuple[dict[str, str], ...]
    recognised: dict[str, Any]
    data_docs: str | None
    same_as: str | None = None
    offer: str = ""

    def encode(self) -> bytes:
        """Return the bytes of ``verdict.json``: ASCII, so that it is harmless on any terminal."""
        document = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}
        return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode("ascii")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the verdict that ``encode`` wrote."""
        document = json.loads(data)
        values = {field.name: document[field.name] for field in dataclasses.fields(cls) if field.name in document}
        remarks = [Remark(**{**remark, "where": tuple(remark["where"])}) for remark in values.pop("remarks")]
        return cls(**{**values, "remarks": tuple(remarks), "files": tuple(values["files"])})


def read(folder: Path) -> Verdict | None:
    """Return the verdict in ``folder``; None where there is none."""
    data = bytes_of(folder / VERDICT)
    return None if data is None else Verdict.decode(data)


def remark_of_error(error: FaultsetError) -> Remark:
    """Return what stopped the reading of a run as a remark."""
    return Remark(
        severity="critical",
        what=error.problem,
        where=(error.where,),
        why="what cannot be read cannot be labeled",
        remedy=error.remedy,
    )


def remark_of_relaxed(relaxed: Relaxed) -> Remark:
    """Return an expectation that the run's own experiment.yaml sets otherwise as a remark."""
    return Remark(
        severity="info",
        what=f"{relaxed.expectation}: {relaxed.what} is {relaxed.now} here, usually {relaxed.was}",
        where=("experiment.yaml",),
        why=f"reason given: {relaxed.reason}",
        remedy="look whether the reason holds before the dataset is approved",
        expectation=relaxed.expectation,
    )


def remark_of_finding(finding: Finding, meaning: str) -> Remark:
    """Return a finding as a remark; ``meaning`` says what should have held."""
    return Remark(
        severity=finding.severity,
        what=finding.message,
        where=finding.where,
        why=f"expected: {meaning}",
        remedy=finding.remedy,
        expectation=finding.expectation,
        count=finding.count,
    )
