"""From a catalog entry to a candidate: extract, decide, validate. Steps share a folder and hand on references."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from faultset import catalog, recipe, tables
from faultset.catalog import Experiment
from faultset.errors import AnswerIsNo, InputError, SetupError
from faultset.labels import one_table, ranges
from faultset.labels.windows import Policy
from faultset.pipeline import analysis, candidates, correcting, exposure, labeled_files, telemetry
from faultset.pipeline.build_folder import Build, BuildFolder, Declared, read_note
from faultset.pipeline.candidates import Standing, candidate_folder
from faultset.pipeline.gathering import gather
from faultset.pipeline.progress import Progress, silent
from faultset.records.evidence import Evidence, InputFile
from faultset.records.metadata import Metadata
from faultset.records.telemetry import Exposure, TelemetryFacts, TelemetryFile
from faultset.records.validation import Validation
from faultset.release import fingerprint, parquet
from faultset.settings import Settings, in_force
from faultset.severity import SEVERITIES
from faultset.sources import injections
from faultset.sources.kit import files
from faultset.storage import explain_os_errors, unless_gone
from faultset.storage.folders import move
from faultset.truth.decide import decide as decide_truth

LABELED = ".labeled"
ANALYSED = ".analysed"


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
    named = [("cluster", experiment.cluster)] if experiment.cluster else []
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
    with in_force(settings):
        return _extracted(slug, settings, force=force, progress=progress)


def _extracted(slug: str, settings: Settings, *, force: bool, progress: Progress) -> Build:
    experiment = catalog.read_experiment(settings.catalog, slug)
    _require_known_expectations(experiment)
    _require_cluster(experiment)
    inputs = inputs_of(experiment)
    made_from = fingerprint.fingerprint(inputs, experiment.canonical_json())
    if not force:
        standing = candidates.standing(slug, made_from, settings)
        if standing != "new":
            candidates.withdraw(slug, settings, but=made_from)
            return Build(slug, made_from, "", unchanged=True, standing=standing)
    evidence = gather(
        [
            (
                catalog.resolve(experiment, run.report),
                catalog.resolve(experiment, run.results) if run.results else None,
                [catalog.resolve(experiment, script) for script in run.hook_scripts],
            )
            for run in experiment.runs
        ],
        catalog.resolve(experiment, experiment.cluster) if experiment.cluster else None,
        services=experiment.components,
        inputs=inputs,
        full_commands=experiment.publish_commands == "full",
        progress=progress,
    )
    evidence = dataclasses.replace(
        evidence, corrections=correcting.times(experiment), corrected=correcting.of_telemetry(experiment)
    )
    correcting.require_nodes(experiment, telemetry.declared_files(experiment))
    if different := {*inputs} ^ {*inputs_of(experiment)}:
        raise files.changed(f"{slug}: {min(file.uri for file in different)}")
    reviewed = catalog.resolve(experiment, experiment.reviewed_impacts) if experiment.reviewed_impacts else None
    declared = Declared(telemetry.declared_files(experiment), reviewed)
    build = Build(slug, made_from, BuildFolder.new(slug), unchanged=False, recipe=recipe.digest())
    BuildFolder(build, settings).put_inputs(_with_public_names(evidence, experiment), _metadata(experiment), declared)
    return build


def _require_known_expectations(experiment: Experiment) -> None:
    if experiment.expectations:
        from faultset.expectations import relaxing  # noqa: PLC0415 (seconds of import, for those who relax)

        relaxing.require_known(experiment)


def _require_cluster(experiment: Experiment) -> None:
    """Refuse an experiment without a cluster file whose runs do not say what they acted on."""
    for run in experiment.runs if experiment.cluster is None else ():
        source = injections.source_of(catalog.resolve(experiment, run.report))
        if not source.names_targets:
            raise InputError(
                experiment.slug,
                f"{run.report} is {source.title}, which does not say what runs where, and there is no cluster file",
                "add cluster: with the os-faults YAML of the cluster, or a cluster.yaml",
            )


def _metadata(experiment: Experiment) -> Metadata:
    return Metadata(
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
    public_cluster = catalog.public_name(experiment.cluster or "")
    cluster = evidence.cluster and dataclasses.replace(evidence.cluster, uri=public_cluster)
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
    with in_force(settings):
        return _decided(build, settings, draw)


def _decided(build: Build, settings: Settings, draw: analysis.Draw) -> Build:
    if build.unchanged:
        return build
    _require_same_tool(build)
    folder = BuildFolder(build, settings)
    folder.make_candidate()
    evidence, declared = folder.evidence(), folder.declared()
    impacts: tuple[tables.ImpactRow, ...] = ()
    tests: tuple[tables.ImpactTestRow, ...] = ()
    try:
        truth = decide_truth(evidence)
        if declared.files or declared.reviewed:
            cache = Path(settings.work) / ANALYSED / build.slug
            found = analysis.analyse(truth, evidence.cluster, declared.files, declared.reviewed, cache=cache)
            truth = dataclasses.replace(truth, injections=found.injections, notes=(*truth.notes, *found.notes))
            impacts, tests = found.impacts, found.tests
            folder.put_analysis(found.summary)
            draw(folder.metadata().title, truth, found, folder.candidate / "figures")
    except InputError:
        folder.drop()
        raise
    folder.put_truth(truth, impacts, tests)
    return build


def _require_same_tool(build: Build) -> None:
    """A fingerprint names one tool: where that is replaced between two steps, none of them may go on."""
    if build.recipe != recipe.digest():
        raise SetupError(build.slug, "the tool was replaced while it built this", "build it again")


@dataclass(frozen=True, slots=True)
class Labeling:
    """A reference to one file of telemetry of a build, or to a range of it, to be labeled by whoever is free.

    Attributes:
        build: whose file it is.
        index: its place in the declaration.
        name: its name in the dataset.
        part: which of its ranges, from 0; None: all of it.
    """

    build: Build
    index: int
    name: str
    part: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the reference that ``as_dict`` described."""
        return cls(Build.from_dict(values["build"]), values["index"], values["name"], values.get("part"))


def labelings(build: Build, settings: Settings) -> list[Labeling]:
    """Return a reference for each file of telemetry of a decided build."""
    if build.unchanged:
        return []
    declared = BuildFolder(build, settings).declared()
    return [Labeling(build, index, file.name) for index, file in enumerate(declared.files)]


def parts(labeling: Labeling, settings: Settings) -> list[tuple[Labeling, int]]:
    """Return the ranges of a large file, with their bytes; none where one task labels all of it.

    What is wrong with a file is told by whoever labels it.

    Raises:
        SetupError: the datasets root cannot be read.
    """
    file = BuildFolder(labeling.build, settings).declared().files[labeling.index]
    try:
        with in_force(settings):
            found = ranges.ranges_of(file)
    except InputError:
        return []
    return [(dataclasses.replace(labeling, part=which.number), which.bytes) for which in found]


def join_parts(build: Build, settings: Settings, *, progress: Progress = silent) -> None:
    """Make one labeled file of the ranges of each large one; what of them is missing is labeled.

    What is wrong with a file is told by ``validate``.

    Raises:
        SetupError: the datasets root cannot be written; or another tool began the build.
    """
    folder = BuildFolder(build, settings)
    if build.unchanged or folder.is_kept():
        return
    for labeling in labelings(build, settings):
        if parts(labeling, settings):
            with contextlib.suppress(InputError):
                label(labeling, settings, progress=progress)


def label(labeling: Labeling, settings: Settings, *, progress: Progress = silent) -> Labeling:
    """Label one file of telemetry, or a range of it. What was labeled the same way before is not labeled again.

    Raises:
        InputError: the file is wrong; names file and row. The build will not pass its validation then.
        SetupError: the datasets root cannot be written; or another tool began the build.
    """
    with in_force(settings):
        return _labeled(labeling, settings, progress)


def _labeled(labeling: Labeling, settings: Settings, progress: Progress) -> Labeling:
    build = labeling.build
    _require_same_tool(build)
    folder = BuildFolder(build, settings)
    declared = folder.declared().files
    cache = Path(settings.work) / LABELED / build.slug
    file = declared[labeling.index]
    content = _content(folder.evidence().inputs, file)
    if labeling.part is not None:
        for which in ranges.ranges_of(file):  # none of that number is there where the file became smaller since
            if which.number == labeling.part:
                labeled_files.keep_range(_labeler(folder), file, which, content=content, cache=cache, progress=progress)
        return labeling
    try:
        kept = labeled_files.cached(
            _labeler(folder),
            file,
            telemetry.labeled_paths(declared)[labeling.index],
            folder=folder.candidate,
            cache=cache,
            content=content,
            progress=progress,
        )
    except InputError as error:
        folder.put_label_error(labeling.index, error)
        raise
    folder.put_labeled(labeling.index, kept)
    return labeling


def _content(inputs: Sequence[InputFile], file: TelemetryFile) -> tuple[int, str] | None:
    """Return size and SHA-256 of a file as they were when the build began; None where its name does not tell."""
    found = {(one.bytes, one.sha256) for one in inputs if (one.role, one.uri) == (file.kind, file.name)}
    return found.pop() if len(found) == 1 else None


def adopt(made: Settings, slug: str, settings: Settings) -> None:
    """Take over what was labeled and analysed elsewhere, under other settings, as if that had been done here.

    Raises:
        SetupError: the work folder cannot be written.
    """
    for cache in (LABELED, ANALYSED):
        target = Path(settings.work) / cache / slug
        with explain_os_errors(target):
            target.mkdir(parents=True, exist_ok=True)
            for kept in (Path(made.work) / cache).glob("*/*"):
                if not kept.name.startswith(".") and not (target / kept.name).exists():
                    move(kept, target / kept.name)


def _labeler(folder: BuildFolder) -> telemetry.Labeler:
    truth = folder.truth()
    return telemetry.Labeler.of(
        folder.build.slug,
        folder.evidence().cluster,
        workloads=truth.workloads,
        triggers=truth.triggers,
        injections=truth.injections,
        targets=truth.targets,
        iterations=truth.iterations,
        impacts=folder.impacts(),
        policy=Policy(**folder.metadata().experiment.get("labels", {})),
    )


def validate(build: Build, settings: Settings) -> Build:
    """Run the expectations; a build that passes becomes the candidate of its fingerprint.

    Raises:
        AnswerIsNo: there is a critical finding; the message names the first ones.
    """
    folder = BuildFolder(build, settings)
    if build.unchanged or folder.is_kept():
        return build
    try:
        facts = _facts(folder)
        outcome = _checked(folder, facts)
    except InputError:
        folder.drop()
        raise
    if not outcome.passed:
        folder.drop()
        raise AnswerIsNo(build.slug, *_refusal(outcome))
    folder.keep_as_candidate(outcome, facts)
    return build


def check(build: Build, settings: Settings) -> Validation:
    """Run the expectations over a decided build; results and Data Docs go into its folder."""
    folder = BuildFolder(build, settings)
    return _checked(folder, _facts(folder))


def _facts(folder: BuildFolder) -> tuple[TelemetryFacts, ...]:
    """Return what is known of every labeled file, the clocks of a kind decided together."""
    return _labeler(folder).with_shifts_of_kinds(list(folder.labeled()))


def _checked(folder: BuildFolder, facts: tuple[TelemetryFacts, ...]) -> Validation:
    with in_force(folder.settings):
        return _validation(folder, facts)


def _validation(folder: BuildFolder, facts: tuple[TelemetryFacts, ...]) -> Validation:
    from faultset import expectations  # noqa: PLC0415 (seconds of import, for those who validate)

    for kind in tables.TELEMETRY:
        one_table.align(folder.candidate / kind.name)
    return expectations.check(
        folder.truth(),
        folder.evidence(),
        folder.candidate,
        facts,
        folder.impacts(),
        tests=folder.impact_tests(),
        exposed=_exposed(folder),
        declared=folder.metadata().experiment.get("expectations", {}),
    )


def _exposed(folder: BuildFolder) -> tuple[Exposure, ...]:
    """Look for the inputs' secrets in all that the build has made."""
    secrets = exposure.known_secrets(catalog.read_experiment(folder.settings.catalog, folder.build.slug))
    with explain_os_errors(folder.path):
        return exposure.exposures(secrets, folder.candidate, folder.notes)


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
        BuildFolder(extracted, settings).drop()
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
