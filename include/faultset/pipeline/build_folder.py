"""What the steps of a build share: a folder of notes and of the tables that become a candidate."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AliasChoices, Field, TypeAdapter

from faultset import tables
from faultset.errors import InputError, SetupError
from faultset.pipeline import candidates, labeled_files
from faultset.pipeline.candidates import BUILDS, Standing, candidate_folder
from faultset.records.evidence import Evidence, InputFile
from faultset.records.metadata import Metadata
from faultset.records.telemetry import TelemetryFacts, TelemetryFile
from faultset.records.validation import Validation
from faultset.release import parquet
from faultset.settings import Settings
from faultset.storage import NOTE, explain_os_errors
from faultset.truth import Truth, clock_evidence

# What of a build's notes goes into a version, in words.
_PUBLISHED_NOTES = ("metadata.json", "remarks.json", "analysis.json")


@dataclass(frozen=True, slots=True)
class CandidateNote:
    """What is kept beside a candidate's tables: all that publishing it needs.

    Attributes:
        metadata: what the catalog said; older tools called it ``entry``.
    """

    metadata: Annotated[Metadata, Field(validation_alias=AliasChoices("metadata", "entry"))]
    inputs: tuple[InputFile, ...]
    validation: Validation
    telemetry: tuple[TelemetryFacts, ...] = ()
    analysis: dict[str, Any] = field(default_factory=dict)
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class _Remarks:
    """What the truth says beside its tables."""

    disagreements: tuple[str, ...]
    different_runs: bool
    notes: tuple[str, ...]
    unread: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """The telemetry and the reviewed impacts of an experiment, where they lie."""

    files: tuple[TelemetryFile, ...]
    reviewed: str | None


@dataclass(frozen=True, slots=True)
class Build:
    """A reference to a build under way; small enough to travel between tasks.

    Attributes:
        slug: the experiment.
        fingerprint: of its inputs and of this tool; names the candidate.
        folder: work folder relative to the datasets root; "" where nothing changed.
        unchanged: whether the same inputs and the same tool made the latest version, a candidate that waits, or one
            that was rejected.
        standing: what became of the fingerprint before this build.
        recipe: of the tool that began it, as in ``faultset.recipe``.
    """

    slug: str
    fingerprint: str
    folder: str
    unchanged: bool
    standing: Standing = "new"
    recipe: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the build that ``as_dict`` described."""
        return cls(**values)


_EVIDENCE = TypeAdapter(Evidence)
_DECLARED = TypeAdapter(Declared)
_FACTS = TypeAdapter(TelemetryFacts)
_METADATA = TypeAdapter(Metadata)
_NOTE = TypeAdapter(CandidateNote)
_REMARKS = TypeAdapter(_Remarks)


@dataclass(frozen=True, slots=True)
class BuildFolder:
    """The folder of a build under way.

    Attributes:
        build: whose it is.
        settings: where things are.

    Raises:
        SetupError: from every method: the folder cannot be read or written.
    """

    build: Build
    settings: Settings

    @classmethod
    def new(cls, slug: str) -> str:
        """Return a name for the folder of a new build, relative to the root of work."""
        return f"{BUILDS}/{slug}/{uuid.uuid4().hex}"

    @property
    def path(self) -> Path:
        """Where the build's notes lie."""
        return Path(self.settings.work) / self.build.folder

    @property
    def candidate(self) -> Path:
        """Where the tables lie that become a candidate."""
        return self.path / "candidate"

    @property
    def notes(self) -> list[Path]:
        """What of the notes goes into a version, in words."""
        return [self.path / name for name in _PUBLISHED_NOTES]

    def put_inputs(self, evidence: Evidence, metadata: Metadata, declared: Declared) -> None:
        """Keep what was read of an experiment."""
        _put(self.path / "evidence.json", _EVIDENCE.dump_json(evidence))
        _put(self.path / "metadata.json", _METADATA.dump_json(metadata))
        _put(self.path / "telemetry.json", _DECLARED.dump_json(declared))

    def evidence(self) -> Evidence:
        """Return what was read of the experiment."""
        return _EVIDENCE.validate_json(_get(self.path / "evidence.json"))

    def metadata(self) -> Metadata:
        """Return what the catalog said when the inputs were read."""
        return _METADATA.validate_json(_get(self.path / "metadata.json"))

    def declared(self) -> Declared:
        """Return the declared telemetry."""
        return _DECLARED.validate_json(_get(self.path / "telemetry.json"))

    def make_candidate(self) -> None:
        """Make the folder that tables are written into."""
        with explain_os_errors(self.candidate):
            self.candidate.mkdir(parents=True, exist_ok=True)

    def put_truth(
        self, truth: Truth, impacts: tuple[tables.ImpactRow, ...], tests: tuple[tables.ImpactTestRow, ...]
    ) -> None:
        """Write what was decided: a file a table, and what there is to say beside them."""
        rows = {table: getattr(truth, table.name) for table in tables.TABLES}
        for table, of_table in {**rows, tables.IMPACTS: impacts, tables.IMPACT_TESTS: tests}.items():
            parquet.write_table(table, of_table, self._table(table))
        remarks = _Remarks(truth.disagreements, truth.different_runs, truth.notes, truth.unread, truth.surplus)
        _put(self.path / "remarks.json", _REMARKS.dump_json(remarks))

    def truth(self) -> Truth:
        """Return what was decided."""
        remarks = _REMARKS.validate_json(_get(self.path / "remarks.json"))
        rows = {table.name: tuple(self._rows(table)) for table in tables.TABLES}
        return Truth(
            **rows,
            disagreements=remarks.disagreements,
            different_runs=remarks.different_runs,
            notes=remarks.notes,
            unread=remarks.unread,
            surplus=remarks.surplus,
        )

    def impacts(self) -> tuple[tables.ImpactRow, ...]:
        """Return the impacts that were found or reviewed."""
        return tuple(self._rows(tables.IMPACTS))

    def impact_tests(self) -> list[tables.ImpactTestRow]:
        """Return how impacts were looked for."""
        return self._rows(tables.IMPACT_TESTS)

    def put_analysis(self, summary: dict[str, Any]) -> None:
        """Keep how impacts were found, and how far to trust them."""
        _put(self.path / "analysis.json", json.dumps(summary).encode())

    def put_labeled(self, index: int, kept: labeled_files.Kept) -> None:
        """Keep what is known of the labeled file of the declared one at ``index``."""
        _link(kept.evidence, self._label(index, "npz"))
        _put(self._label(index, "json"), json.dumps(kept.facts).encode())

    def put_label_error(self, index: int, error: InputError) -> None:
        """Keep why the declared file at ``index`` could not be labeled."""
        _put(self._label(index, "error"), json.dumps([error.where, error.problem, error.remedy]).encode())

    def labeled(self) -> Iterator[tuple[TelemetryFacts, clock_evidence.ShiftEvidence]]:
        """Yield what is known of every labeled file, in the order of the declaration.

        Raises:
            InputError: a file could not be labeled; the error is that file's.
        """
        for index, file in enumerate(self.declared().files):
            broken, kept = self._label(index, "error"), self._label(index, "json")
            if broken.is_file():
                raise InputError(*json.loads(_get(broken)))
            if not kept.is_file():
                raise InputError(file.name, "it was not labeled", "see what became of its task, then run it again")
            yield _FACTS.validate_json(_get(kept)), labeled_files.read_evidence(self._label(index, "npz"))

    def keep_as_candidate(self, outcome: Validation, facts: tuple[TelemetryFacts, ...]) -> None:
        """Make the tables the candidate. Two builds of one fingerprint make the same, so that either may stay."""
        build, made, analysed = self.build, self.candidate, self.path / "analysis.json"
        analysis = json.loads(_get(analysed)) if analysed.is_file() else {}
        note = CandidateNote(self.metadata(), self.evidence().inputs, outcome, facts, analysis, build.recipe)
        _put(made / NOTE, _NOTE.dump_json(note))
        kept = candidate_folder(build.slug, build.fingerprint, self.settings)
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # renamed, not removed: whoever looks hardly finds nothing
                kept.rename(self.path / f"replaced-{uuid.uuid4().hex}")
            made.rename(kept)
        except OSError as error:
            if not (kept / NOTE).is_file():
                raise SetupError(
                    kept, f"the candidate cannot be kept ({error.strerror})", "check the datasets root"
                ) from error
        candidates.withdraw(build.slug, self.settings, but=build.fingerprint)
        candidates.forget_proposal(build.slug, build.fingerprint, self.settings)
        self.drop()

    def is_kept(self) -> bool:
        """Whether it became a candidate before, by a task that died before it could say so."""
        kept = candidate_folder(self.build.slug, self.build.fingerprint, self.settings) / NOTE
        return kept.is_file() and not self.path.is_dir()

    def drop(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _table(self, table: tables.Table) -> Path:
        return self.candidate / f"{table.name}.parquet"

    def _rows(self, table: tables.Table) -> list[Any]:
        return parquet.read_table(table, self._table(table))

    def _label(self, index: int, ending: str) -> Path:
        return self.path / "labels" / f"{index}.{ending}"


def read_note(candidate: Path) -> CandidateNote:
    """Return what was kept beside a candidate's tables."""
    return _NOTE.validate_json(_get(candidate / NOTE))


def _link(source: Path, target: Path) -> None:
    with explain_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(source, target)


def _put(path: Path, data: bytes) -> None:
    with explain_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _get(path: Path) -> bytes:
    with explain_os_errors(path):
        return path.read_bytes()
