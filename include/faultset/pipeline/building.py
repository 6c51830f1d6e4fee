"""From a catalog entry to a candidate: extract, decide, validate. Steps share a folder and hand on references."""

from __future__ import annotations

import dataclasses
import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from faultset import catalog, tables
from faultset.catalog import Experiment
from faultset.errors import AnswerIsNo, InputError, SetupError
from faultset.pipeline.gathering import Progress, gather, silent
from faultset.records import Evidence, InputFile, Validation
from faultset.release import fingerprint, parquet
from faultset.release.commit import latest_manifest
from faultset.settings import Settings
from faultset.sources import files
from faultset.storage import reported
from faultset.truth import Truth
from faultset.truth.decide import decide as decide_truth

BUILDS = ".builds"
CANDIDATES = ".candidates"
NOTE = "candidate.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the catalog says about an experiment, as it was when its inputs were read.

    Attributes:
        experiment: everything declared, as in ``Experiment.canonical_json``.
    """

    title: str
    description: str
    license: str | None
    creators: tuple[dict[str, str | None], ...]
    experiment: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CandidateNote:
    """What is kept beside a candidate's tables: all that publishing it needs."""

    entry: Entry
    inputs: tuple[InputFile, ...]
    validation: Validation


@dataclass(frozen=True, slots=True)
class _Remarks:
    """What the truth says beside its tables."""

    disagreements: tuple[str, ...]
    different_runs: bool
    notes: tuple[str, ...]


_EVIDENCE = TypeAdapter(Evidence)
_ENTRY = TypeAdapter(Entry)
_NOTE = TypeAdapter(CandidateNote)
_REMARKS = TypeAdapter(_Remarks)


@dataclass(frozen=True, slots=True)
class Build:
    """A reference to a build under way; small enough to travel between tasks.

    Attributes:
        slug: the experiment.
        fingerprint: of its inputs and of this tool; names the candidate.
        folder: work folder relative to the datasets root; "" where nothing changed.
        unchanged: whether the latest version was made of the same inputs by the same tool.
    """

    slug: str
    fingerprint: str
    folder: str
    unchanged: bool

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the build that ``as_dict`` described."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to.

    Attributes:
        validation: None where nothing changed.
    """

    slug: str
    fingerprint: str
    unchanged: bool
    validation: Validation | None
    injections: int
    targets: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)


def slugs(settings: Settings) -> list[str]:
    """Return the names of the catalog's experiments, sorted; one that cannot be read is named all the same."""
    return catalog.list_slugs(settings.catalog)


def inputs_of(experiment: Experiment) -> tuple[InputFile, ...]:
    """Hash every file that the experiment's tables are made of."""
    named = [("cluster", experiment.cluster)]
    for run in experiment.runs:
        named.append(("report", run.report))
        if run.results:
            named.append(("results", run.results))
        named.extend(("hook_script", script) for script in run.hook_scripts)
    found = []
    for role, reference in named:
        size, digest = files.sha256_of(catalog.resolve(experiment, reference))
        found.append(InputFile(role, catalog.public_name(reference), size, digest))
    return tuple(sorted(found, key=lambda file: (file.role, file.uri, file.sha256)))


def extract(slug: str, settings: Settings, *, force: bool = False, progress: Progress = silent) -> Build:
    """Read an experiment's inputs into evidence; does nothing more where its latest version has their fingerprint.

    Raises:
        InputError: the experiment or one of its files is wrong; one line names it.
        SetupError: the datasets root cannot be written.
    """
    experiment = catalog.read_experiment(settings.catalog, slug)
    inputs = inputs_of(experiment)
    mark = fingerprint.fingerprint(inputs, experiment.canonical_json())
    if not force:
        latest = latest_manifest(settings.datasets, slug)
        if latest is not None and latest["fingerprint"] == mark:
            return Build(slug, mark, "", unchanged=True)
    evidence = gather(
        [
            (
                catalog.resolve(experiment, run.report),
                catalog.resolve(experiment, run.results) if run.results else None,
                [catalog.resolve(experiment, script) for script in run.hook_scripts],
            )
            for run in experiment.runs
        ],
        catalog.resolve(experiment, experiment.cluster),
        services=experiment.components,
        inputs=inputs,
        progress=progress,
    )
    if inputs_of(experiment) != inputs:
        raise InputError(slug, "an input changed while it was read", "build again once the files are whole")
    folder = f"{BUILDS}/{slug}/{uuid.uuid4().hex}"
    work = Path(settings.datasets) / folder
    _put(work / "evidence.json", _EVIDENCE.dump_json(_with_public_names(evidence, experiment)))
    _put(work / "entry.json", _ENTRY.dump_json(_entry(experiment)))
    return Build(slug, mark, folder, unchanged=False)


def _entry(experiment: Experiment) -> Entry:
    return Entry(
        title=experiment.title,
        description=experiment.description,
        license=experiment.license,
        creators=tuple(creator.model_dump() for creator in experiment.creators),
        experiment=json.loads(experiment.canonical_json()),
    )


def _with_public_names(evidence: Evidence, experiment: Experiment) -> Evidence:
    """The same evidence with references as the catalog writes them: a dataset names no machine's folders."""
    declared = experiment.runs
    runs = tuple(
        dataclasses.replace(
            run,
            report=dataclasses.replace(run.report, uri=catalog.public_name(entry.report)),
            results=run.results and dataclasses.replace(run.results, uri=catalog.public_name(entry.results or "")),
        )
        for run, entry in zip(evidence.runs, declared, strict=True)
    )
    cluster = evidence.cluster and dataclasses.replace(evidence.cluster, uri=catalog.public_name(experiment.cluster))
    return dataclasses.replace(evidence, runs=runs, cluster=cluster)


def decide(build: Build, settings: Settings) -> Build:
    """Decide the truth tables of an extracted experiment and write them into the build's folder."""
    if build.unchanged:
        return build
    try:
        truth = decide_truth(_evidence(build, settings))
    except InputError:
        _drop(build, settings)
        raise
    folder = _candidate_folder(build, settings)
    with reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for table in tables.TABLES:
        parquet.write_table(table, getattr(truth, table.name), folder / f"{table.name}.parquet")
    remarks = _Remarks(truth.disagreements, truth.different_runs, truth.notes)
    _put(_folder(build, settings) / "remarks.json", _REMARKS.dump_json(remarks))
    return build


def validate(build: Build, settings: Settings) -> Build:
    """Run the expectations; a build that passes becomes the candidate of its fingerprint.

    Raises:
        AnswerIsNo: there is a critical finding; the message names the first ones.
    """
    if build.unchanged:
        return build
    outcome = check(build, settings)
    if not outcome.passed:
        _drop(build, settings)
        raise AnswerIsNo(build.slug, *_refusal(outcome))
    _keep_as_candidate(build, settings, outcome)
    return build


def check(build: Build, settings: Settings) -> Validation:
    """Run the expectations over a decided build; results and Data Docs go into its folder."""
    from faultset import expectations  # noqa: PLC0415 (seconds of import, for those who validate)

    return expectations.check(_truth(build, settings), _evidence(build, settings), _candidate_folder(build, settings))


def _refusal(outcome: Validation) -> tuple[str, str]:
    critical = [finding for finding in outcome.findings if finding.severity == "critical"]
    more = f" (and {len(critical) - 1} more critical findings)" if len(critical) > 1 else ""
    return f"{critical[0].message}{more}", critical[0].remedy


def build(slug: str, settings: Settings, *, force: bool = False, progress: Progress = silent) -> Built:
    """Build the candidate of one experiment: extract, decide, validate.

    Raises:
        InputError: an input is wrong.
        AnswerIsNo: there is a critical finding.
        SetupError: the datasets root cannot be used.
    """
    progress(0, 3, f"{slug}: reading")
    extracted = extract(slug, settings, force=force)
    if extracted.unchanged:
        progress(3, 3, f"{slug}: unchanged")
        return Built(slug, extracted.fingerprint, True, None, 0, 0)
    try:
        progress(1, 3, f"{slug}: deciding")
        decided = decide(extracted, settings)
        progress(2, 3, f"{slug}: validating")
        validated = validate(decided, settings)
    except BaseException:
        # Tasks may be tried again and need the folder; whoever called this starts anew.
        _drop(extracted, settings)
        raise
    progress(3, 3, f"{slug}: candidate ready")
    folder = candidate_folder(slug, validated.fingerprint, settings)
    return Built(
        slug,
        validated.fingerprint,
        False,
        read_note(folder).validation,
        len(parquet.read_table(tables.INJECTIONS, folder / "injections.parquet")),
        len(parquet.read_table(tables.TARGETS, folder / "targets.parquet")),
    )


# --- folders ---------------------------------------------------------------------------------------------------------


def candidate_folder(slug: str, mark: str, settings: Settings) -> Path:
    """Return where the candidate with this fingerprint lies."""
    return Path(settings.datasets) / CANDIDATES / slug / mark


def read_note(candidate: Path) -> CandidateNote:
    """Return what was kept beside a candidate's tables."""
    return _NOTE.validate_json(_get(candidate / NOTE))


def _folder(build: Build, settings: Settings) -> Path:
    return Path(settings.datasets) / build.folder


def _candidate_folder(build: Build, settings: Settings) -> Path:
    return _folder(build, settings) / "candidate"


def _evidence(build: Build, settings: Settings) -> Evidence:
    return _EVIDENCE.validate_json(_get(_folder(build, settings) / "evidence.json"))


def _truth(build: Build, settings: Settings) -> Truth:
    remarks = _REMARKS.validate_json(_get(_folder(build, settings) / "remarks.json"))
    folder = _candidate_folder(build, settings)
    rows = {t.name: tuple(parquet.read_table(t, folder / f"{t.name}.parquet")) for t in tables.TABLES}
    return Truth(
        **rows,
        disagreements=remarks.disagreements,
        different_runs=remarks.different_runs,
        notes=remarks.notes,
    )


def _keep_as_candidate(build: Build, settings: Settings, outcome: Validation) -> None:
    """Two builds of one fingerprint make the same candidate, so that either may stay."""
    made = _candidate_folder(build, settings)
    note = CandidateNote(
        _ENTRY.validate_json(_get(_folder(build, settings) / "entry.json")), _evidence(build, settings).inputs, outcome
    )
    _put(made / NOTE, _NOTE.dump_json(note))
    kept = candidate_folder(build.slug, build.fingerprint, settings)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
        made.rename(kept)
    except OSError as error:
        if not (kept / NOTE).is_file():
            raise SetupError(
                kept, f"the candidate cannot be kept ({error.strerror})", "check the datasets root"
            ) from error
    _drop(build, settings)


def _drop(build: Build, settings: Settings) -> None:
    shutil.rmtree(_folder(build, settings), ignore_errors=True)


def _put(path: Path, data: bytes) -> None:
    with reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _get(path: Path) -> bytes:
    with reported(path):
        return path.read_bytes()
