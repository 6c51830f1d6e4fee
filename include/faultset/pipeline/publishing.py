"""From a candidate to a version."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import Any, Self

from faultset import release, tables
from faultset.errors import InputError
from faultset.moments import UTC
from faultset.pipeline.build_folder import Build, read_note
from faultset.pipeline.candidates import candidate_folder
from faultset.pipeline.progress import Progress, silent
from faultset.pipeline.published import read_manifest
from faultset.release import commit
from faultset.settings import Settings
from faultset.severity import SEVERITIES
from faultset.storage import NOTE


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a candidate.

    Attributes:
        slug: the dataset.
        version: X.Y.Z that holds its content.
        manifest_sha256: hex digest of that version's manifest.
        path: the version's folder, relative to the datasets root.
        new: False where the newest version was made of the same inputs by the same tool.
        injections: rows of that table.
        targets: rows of that table.
        findings: severity -> number of findings.
    """

    slug: str
    version: str
    manifest_sha256: str
    path: str
    new: bool
    injections: int
    targets: int
    findings: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return what ``as_dict`` described."""
        return cls(**values)


def write(
    build: Build, settings: Settings, *, decision: dict[str, Any] | None = None, progress: Progress = silent
) -> Published:
    """Publish what a build came to; where nothing changed, say which version holds it.

    Safe to repeat: once the version is there, a second call finds it and writes nothing.

    Raises:
        InputError: the candidate is gone and no version holds it.
        SetupError: the datasets root cannot be written.
    """
    folder = candidate_folder(build.slug, build.fingerprint, settings)
    held = release.held(settings.datasets, build.slug, build.fingerprint)
    if held is not None:
        return _published(build.slug, str(held.number), held.manifest_sha256, settings, new=False)
    if not (folder / NOTE).is_file():
        raise InputError(build.slug, "there is no candidate of this build", f"run faultset build {build.slug}")
    note = read_note(folder)
    candidate = commit.Candidate(
        slug=build.slug,
        metadata=note.metadata,
        fingerprint=build.fingerprint,
        folder=folder,
        inputs=note.inputs,
        validation=note.validation,
        telemetry=note.telemetry,
        analysis=note.analysis,
        decision=decision,
        recipe=note.recipe,
    )
    now = dt.datetime.now(UTC)
    done = commit.publish(candidate, settings.datasets, created_at=now, work=settings.work, progress=progress)
    return _published(done.slug, done.version, done.manifest_sha256, settings, new=done.new)


def _published(slug: str, version: str, manifest_sha256: str, settings: Settings, *, new: bool) -> Published:
    manifest = read_manifest(slug, version, settings)
    rows = manifest.rows
    found = Counter(finding["severity"] for finding in manifest.validation["findings"])
    return Published(
        slug=slug,
        version=version,
        manifest_sha256=manifest_sha256,
        path=f"{slug}/{version}",
        new=new,
        injections=rows[tables.INJECTIONS.name],
        targets=rows[tables.TARGETS.name],
        findings={severity: found[severity] for severity in SEVERITIES},
    )
