"""From a catalog entry to a candidate: extract, decide, validate. Steps share a folder and hand on references."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from faultset import catalog, recipe, tables
from faultset.catalog import Experiment
from faultset.errors import AnswerIsNo, InputError, SetupError
from faultset.labels import one_table
from faultset.labels.windows import Policy
from faultset.pipeline import analysis, candidates, correcting, exposure, telemetry
from faultset.pipeline.candidates import BUILDS, Standing, candidate_folder
from faultset.pipeline.gathering import gather
from faultset.pipeline.progress import Progress, silent
from faultset.records.evidence import Evidence, InputFile
from faultset.records.telemetry import Exposure, TelemetryFacts, TelemetryFile
from faultset.records.validation import Validation
from faultset.release import fingerprint, parquet
from faultset.settings import Settings
from faultset.severity import SEVERITIES
from faultset.sources.kit import files
from faultset.storage import NOTE, reported, unless_gone
from faultset.truth import Truth
from faultset.truth.decide import decide as decide_truth

# What of a build's notes goes into a version, in words.
_PUBLISHED_NOTES = ("entry.json", "remarks.json", "analysis.json")
LABELED = ".labeled"


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
class _Declared:
    """The telemetry and the reviewed impacts of an experiment, where they lie."""

    files: tuple[TelemetryFile, ...]
    reviewed: str | None


_EVIDENCE = TypeAdapter(Evidence)
_DECLARED = TypeAdapter(_Declared)
_FACTS = TypeAdapter(TelemetryFacts)
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


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to.

    Attributes:
        validation: of the candidate; None where none waits.
        standing: what became of the fingerprint before this build.
    """

    slug: str
    fingerprint: str
    unchanged: bool
    validation: Validation | None
    injections: int
    targets: int
    standing: Standing = "new"

    @property
    def findings(self) -> dict[str, int]:
        """Severity -> number of findings of the candidate."""
        findings = self.validation.findings if self.validation else ()
        found = Counter[str](finding.severity for finding in findings)
        return {severity: found[severity] for severity in SEVERITIES}

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)


def slugs(settings: Settings) -> list[str]:
    """Return the names of the catalog's experiments, sorted; one that cannot be read is named all the same."""
    return catalog.list_slugs(settings.catalog)


def inputs_of(experiment: Experiment) -> tuple[InputFile, ...]:
    """Hash every file that the experiment's tables are made of."""
    named = [("cluster", experiment.cluster)]
    if experiment.reviewed_impacts:
        named.append(("reviewed_impacts", experiment.reviewed_impacts))
    for run in experiment.runs:
        named.append(("report", run.report))
        if run.results:
            named.append(("results", run.results))
        named.extend(("hook_script", script) for script in run.hook_scripts)
    found = []
    for role, reference in named:
        size, digest = files.sha256_of(catalog.resolve(experiment, reference))
        found.append(InputFile(role, catalog.public_name(reference), size, digest))
    for file in telemetry.declared_files(experiment):
        size, digest = files.sha256_of(file.uri)
        found.append(InputFile(file.kind, file.name, size, digest))
    return tuple(sorted(found, key=lambda file: (file.role, file.uri, file.sha256)))


def extract(slug: str, settings: Settings, *, force: bool = False, progress: Progress = silent) -> Build:
    """Read an experiment's inputs into evidence; does nothing more where their fingerprint was built before.

    That is where the latest version has it, or a candidate that waits, or one that was rejected.

    Raises:
        InputError: the experiment or one of its files is wrong; one line names it.
        SetupError: the datasets root cannot be written.
    """
    experiment = catalog.read_experiment(settings.catalog, slug)
    _require_known_expectations(experiment)
    inputs = inputs_of(experiment)
    mark = fingerprint.fingerprint(inputs, experiment.canonical_json())
    if not force:
        standing = candidates.standing(slug, mark, settings)
        if standing != "new":
            candidates.withdraw(slug, settings, but=mark)
            return Build(slug, mark, "", unchanged=True, standing=standing)
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
        full_commands=experiment.publish_commands == "full",
        progress=progress,
    )
    evidence = dataclasses.replace(
        evidence, corrections=correcting.times(experiment), corrected=correcting.of_telemetry(experiment)
    )
    correcting.require_nodes(experiment, telemetry.declared_files(experiment))
    if inputs_of(experiment) != inputs:
        raise InputError(slug, "an input changed while it was read", "build again once the files are whole")
    folder = f"{BUILDS}/{slug}/{uuid.uuid4().hex}"
    work = Path(settings.work) / folder
    _put(work / "evidence.json", _EVIDENCE.dump_json(_with_public_names(evidence, experiment)))
    _put(work / "entry.json", _ENTRY.dump_json(_entry(experiment)))
    declared = telemetry.declared_files(experiment)
    reviewed = catalog.resolve(experiment, experiment.reviewed_impacts) if experiment.reviewed_impacts else None
    _put(work / "telemetry.json", _DECLARED.dump_json(_Declared(declared, reviewed)))
    return Build(slug, mark, folder, unchanged=False, recipe=recipe.digest())


def _require_known_expectations(experiment: Experiment) -> None:
    if experiment.expectations:
        from faultset.expectations import relaxing  # noqa: PLC0415 (seconds of import, for those who relax)

        relaxing.require_known(experiment)


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


def decide(build: Build, settings: Settings, *, draw: analysis.Draw = analysis.draw) -> Build:
    """Decide the truth tables of an extracted experiment and write them into the build's folder.

    Args:
        build: extracted.
        settings: where things are.
        draw: draws the pictures; ``analysis.draw_nothing`` for who only wants to know whether all is well.

    Raises:
        InputError: the inputs cannot be decided.
        SetupError: the datasets root cannot be written; or another tool began the build.
    """
    if build.unchanged:
        return build
    _require_same_tool(build)
    folder = _candidate_folder(build, settings)
    with reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
    evidence = _evidence(build, settings)
    declared = _declared(build, settings)
    impacts: tuple[tables.ImpactRow, ...] = ()
    tests: tuple[tables.ImpactTestRow, ...] = ()
    try:
        truth = decide_truth(evidence)
        if declared.files or declared.reviewed:
            found = analysis.analyse(truth, evidence.cluster, declared.files, declared.reviewed)
            truth = dataclasses.replace(truth, injections=found.injections, notes=(*truth.notes, *found.notes))
            impacts, tests = found.impacts, found.tests
            _put(_folder(build, settings) / "analysis.json", json.dumps(found.summary).encode())
            draw(_entry_of(build, settings).title, truth, found, folder / "figures")
    except InputError:
        _drop(build, settings)
        raise
    rows = {table: getattr(truth, table.name) for table in tables.TABLES}
    for table, of_table in {**rows, tables.IMPACTS: impacts, tables.IMPACT_TESTS: tests}.items():
        parquet.write_table(table, of_table, folder / f"{table.name}.parquet")
    remarks = _Remarks(truth.disagreements, truth.different_runs, truth.notes, truth.unread, truth.surplus)
    _put(_folder(build, settings) / "remarks.json", _REMARKS.dump_json(remarks))
    return build


def _require_same_tool(build: Build) -> None:
    """A fingerprint names one tool: where that is replaced between two steps, none of them may go on."""
    if build.recipe != recipe.digest():
        raise SetupError(build.slug, "the tool was replaced while it built this", "build it again")


@dataclass(frozen=True, slots=True)
class Labeling:
    """A reference to one file of telemetry of a build, to be labeled by whoever is free."""

    build: Build
    index: int
    name: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the reference that ``as_dict`` described."""
        return cls(Build.from_dict(values["build"]), values["index"], values["name"])


def labelings(build: Build, settings: Settings) -> list[Labeling]:
    """Return a reference for each file of telemetry of a decided build."""
    if build.unchanged:
        return []
    return [Labeling(build, index, file.name) for index, file in enumerate(_declared(build, settings).files)]


def label(labeling: Labeling, settings: Settings, *, progress: Progress = silent) -> Labeling:
    """Label one file of telemetry. Files that were labeled the same way before are not labeled again.

    Raises:
        InputError: the file is wrong; names file and row. The build will not pass its validation then.
        SetupError: the datasets root cannot be written; or another tool began the build.
    """
    build = labeling.build
    _require_same_tool(build)
    declared = _declared(build, settings).files
    done = _folder(build, settings) / "labels"
    try:
        kept = telemetry.cached(
            _labeler(build, settings),
            declared[labeling.index],
            telemetry.labeled_paths(declared)[labeling.index],
            folder=_candidate_folder(build, settings),
            cache=Path(settings.work) / LABELED / build.slug,
            progress=progress,
        )
    except InputError as error:
        _put(done / f"{labeling.index}.error", json.dumps([error.where, error.problem, error.remedy]).encode())
        raise
    _link(kept.evidence, done / f"{labeling.index}.npz")
    _put(done / f"{labeling.index}.json", json.dumps(kept.facts).encode())
    return labeling


def _labeler(build: Build, settings: Settings) -> telemetry.Labeler:
    truth = _truth(build, settings)
    return telemetry.Labeler.of(
        build.slug,
        _evidence(build, settings).cluster,
        workloads=truth.workloads,
        triggers=truth.triggers,
        injections=truth.injections,
        targets=truth.targets,
        iterations=truth.iterations,
        impacts=_impacts(build, settings),
        policy=_policy(build, settings),
    )


def _policy(build: Build, settings: Settings) -> Policy:
    return Policy(**_entry_of(build, settings).experiment.get("labels", {}))


def _facts(build: Build, settings: Settings) -> tuple[TelemetryFacts, ...]:
    """Return what is known of every labeled file.

    Raises:
        InputError: a file could not be labeled; the error is that file's.
    """
    found = []
    for labeling in labelings(build, settings):
        done = _folder(build, settings) / "labels"
        broken = done / f"{labeling.index}.error"
        if broken.is_file():
            raise InputError(*json.loads(_get(broken)))
        kept = done / f"{labeling.index}.json"
        if not kept.is_file():
            raise InputError(labeling.name, "it was not labeled", "see what became of its task, then run it again")
        found.append((_FACTS.validate_json(_get(kept)), telemetry.read_evidence(kept.with_suffix(".npz"))))
    return _labeler(build, settings).with_shifts_of_kinds(found)


def validate(build: Build, settings: Settings) -> Build:
    """Run the expectations; a build that passes becomes the candidate of its fingerprint.

    Raises:
        AnswerIsNo: there is a critical finding; the message names the first ones.
    """
    if build.unchanged or _kept_before(build, settings):
        return build
    try:
        outcome = check(build, settings)
    except InputError:
        _drop(build, settings)
        raise
    if not outcome.passed:
        _drop(build, settings)
        raise AnswerIsNo(build.slug, *_refusal(outcome))
    _keep_as_candidate(build, settings, outcome)
    return build


def _kept_before(build: Build, settings: Settings) -> bool:
    """Whether this was done, by a task that died before it could say so."""
    kept = candidate_folder(build.slug, build.fingerprint, settings) / NOTE
    return kept.is_file() and not _folder(build, settings).is_dir()


def check(build: Build, settings: Settings) -> Validation:
    """Run the expectations over a decided build; results and Data Docs go into its folder."""
    from faultset import expectations  # noqa: PLC0415 (seconds of import, for those who validate)

    facts = _facts(build, settings)
    for kind in tables.TELEMETRY:
        one_table.align(_candidate_folder(build, settings) / kind.name)
    return expectations.check(
        _truth(build, settings),
        _evidence(build, settings),
        _candidate_folder(build, settings),
        facts,
        _impacts(build, settings),
        tests=parquet.read_table(tables.IMPACT_TESTS, _candidate_folder(build, settings) / "impact_tests.parquet"),
        exposed=_exposed(build, settings),
        declared=_entry_of(build, settings).experiment.get("expectations", {}),
    )


def _exposed(build: Build, settings: Settings) -> tuple[Exposure, ...]:
    """Look for the inputs' secrets in all that the build has made."""
    secrets = exposure.known_secrets(catalog.read_experiment(settings.catalog, build.slug))
    work = _folder(build, settings)
    with reported(work):
        notes = [work / name for name in _PUBLISHED_NOTES]
        return exposure.exposures(secrets, _candidate_folder(build, settings), notes)


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
    progress(0, 4, f"{slug}: reading")
    extracted = extract(slug, settings, force=force)
    if extracted.unchanged:
        progress(4, 4, f"{slug}: unchanged")
        return built(extracted, settings)
    try:
        progress(1, 4, f"{slug}: deciding")
        decided = decide(extracted, settings)
        for labeling in labelings(decided, settings):
            progress(2, 4, f"{slug}: labeling {labeling.name}")
            label(labeling, settings)
        progress(3, 4, f"{slug}: validating")
        validated = validate(decided, settings)
    except BaseException:
        # Tasks may be tried again and need the folder; whoever called this starts anew.
        _drop(extracted, settings)
        raise
    progress(4, 4, f"{slug}: candidate ready")
    return built(validated, settings)


def built(build: Build, settings: Settings) -> Built:
    """Return what a validated build came to, by its candidate."""
    folder = candidate_folder(build.slug, build.fingerprint, settings)
    waits: tuple[Validation | None, int, int] = (None, 0, 0)
    with unless_gone(folder):  # nothing was built, or another process has published or withdrawn it by now
        waits = (
            read_note(folder).validation,
            len(parquet.read_table(tables.INJECTIONS, folder / "injections.parquet")),
            len(parquet.read_table(tables.TARGETS, folder / "targets.parquet")),
        )
    return Built(build.slug, build.fingerprint, build.unchanged, *waits, build.standing)


# --- folders ---------------------------------------------------------------------------------------------------------


def read_note(candidate: Path) -> CandidateNote:
    """Return what was kept beside a candidate's tables."""
    return _NOTE.validate_json(_get(candidate / NOTE))


def _folder(build: Build, settings: Settings) -> Path:
    return Path(settings.work) / build.folder


def _candidate_folder(build: Build, settings: Settings) -> Path:
    return _folder(build, settings) / "candidate"


def _declared(build: Build, settings: Settings) -> _Declared:
    return _DECLARED.validate_json(_get(_folder(build, settings) / "telemetry.json"))


def _entry_of(build: Build, settings: Settings) -> Entry:
    return _ENTRY.validate_json(_get(_folder(build, settings) / "entry.json"))


def _impacts(build: Build, settings: Settings) -> tuple[tables.ImpactRow, ...]:
    return tuple(parquet.read_table(tables.IMPACTS, _candidate_folder(build, settings) / "impacts.parquet"))


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
        unread=remarks.unread,
        surplus=remarks.surplus,
    )


def _keep_as_candidate(build: Build, settings: Settings, outcome: Validation) -> None:
    """Two builds of one fingerprint make the same candidate, so that either may stay."""
    made = _candidate_folder(build, settings)
    analysed = _folder(build, settings) / "analysis.json"
    note = CandidateNote(
        _entry_of(build, settings),
        _evidence(build, settings).inputs,
        outcome,
        _facts(build, settings),
        json.loads(_get(analysed)) if analysed.is_file() else {},
        build.recipe,
    )
    _put(made / NOTE, _NOTE.dump_json(note))
    kept = candidate_folder(build.slug, build.fingerprint, settings)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # renamed, not removed: whoever looks hardly finds nothing
            kept.rename(_folder(build, settings) / f"replaced-{uuid.uuid4().hex}")
        made.rename(kept)
    except OSError as error:
        if not (kept / NOTE).is_file():
            raise SetupError(
                kept, f"the candidate cannot be kept ({error.strerror})", "check the datasets root"
            ) from error
    candidates.withdraw(build.slug, settings, but=build.fingerprint)
    candidates.forget_proposal(build.slug, build.fingerprint, settings)
    _drop(build, settings)


def _drop(build: Build, settings: Settings) -> None:
    shutil.rmtree(_folder(build, settings), ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    with reported(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(source, target)


def _put(path: Path, data: bytes) -> None:
    with reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _get(path: Path) -> bytes:
    with reported(path):
        return path.read_bytes()
