"""OpenLineage events of builds, verdicts and publishing: a run for each experiment, below the run of the DAG it is in.

A task works on hundreds of experiments, so that its own event could only say that all its inputs led to all its
outputs. Each experiment has a job of its own instead: ``faultset.build.SLUG`` reads the files that the catalog declares
and writes the candidate, ``faultset.publish.SLUG`` reads the candidate and writes the dataset, ``faultset.judge`` has a
run for each run that was dropped. Needs ``openlineage-python``, which is imported when there is something to tell.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from faultset import catalog, tables, version
from faultset.errors import printable
from faultset.inbox import filing
from faultset.inbox.verdicts import Verdict
from faultset.moments import UTC
from faultset.pipeline import candidates, telemetry
from faultset.pipeline.build_folder import CandidateNote, read_note
from faultset.pipeline.observing import Begun, Ended, Happening
from faultset.pipeline.published import read_manifest
from faultset.records.evidence import InputFile
from faultset.release.manifest import Manifest
from faultset.settings import Settings
from faultset.severity import Severity
from faultset.storage import CANDIDATES, unless_gone

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent

Kind = Literal["build", "judge", "publish"]
_KINDS: Mapping[str, Kind] = {
    "build": "build",
    "decide": "build",
    "validate": "build",
    "judge": "judge",
    "publish": "publish",
}
_OPENS = frozenset({"build", "decide", "judge", "publish"})
_CLOSES = frozenset({"build", "validate", "judge", "publish"})
_FAILED = frozenset({"failed", "trouble"})
_LONGEST_MESSAGE = 1000
_PRODUCER = f"https://pypi.org/project/faultset/{version.__version__}"


@dataclass(frozen=True, slots=True)
class Parent:
    """The run that a run of ours is a part of.

    Attributes:
        run: its id, a UUID.
        namespace: of its job.
        job: name of its job.
    """

    run: str
    namespace: str
    job: str


@dataclass(frozen=True, slots=True)
class LineageObserver:
    """Makes events of what happens and hands them on.

    Attributes:
        emit: sends an event; what it raises is logged and goes no further.
        settings: where things are.
        namespace: of the jobs.
        parent: of the runs; None where there is none.
    """

    emit: Callable[[RunEvent], Any]
    settings: Settings
    namespace: str
    parent: Parent | None = None

    def __call__(self, happening: Happening) -> None:
        """Send an event where a run begins or ends."""
        if isinstance(happening, Begun) and happening.stage in _OPENS:
            self._send(happening, "START", {}, [], [])
        elif isinstance(happening, Ended) and self._closes(happening):
            self._end(happening)

    def _closes(self, ended: Ended) -> bool:
        # What fails, or is found unchanged, while it is decided is not validated any more.
        return ended.begun.stage in _CLOSES or (ended.begun.stage == "decide" and ended.outcome != "done")

    def _end(self, ended: Ended) -> None:
        facets, begun = {}, ended.begun
        state = "FAIL" if ended.outcome in _FAILED else "COMPLETE"
        if state == "FAIL":
            facets["errorMessage"] = _error(ended.reason)
        inputs: list[InputDataset] = []
        outputs: list[OutputDataset] = []
        if ended.outcome == "candidate":
            inputs, outputs = self._of_build(begun.name)
        elif ended.version:
            inputs, outputs = self._of_version(begun.name, ended.version)
        elif begun.stage == "judge":
            verdict = filing.recorded_of(self.settings.inbox_folder, begun.name)
            inputs = [_dropped(self.settings, verdict)] if verdict else []
        elif _KINDS[begun.stage] == "build" and state == "FAIL":
            inputs = list(self._declared(begun.name, {}))
        self._send(begun, state, facets, inputs, outputs)

    def _send(
        self,
        begun: Begun,
        state: str,
        facets: dict[str, Any],
        inputs: list[InputDataset],
        outputs: list[OutputDataset],
    ) -> None:
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState  # noqa: PLC0415 (only where lineage is on)
        from openlineage.client.facet_v2 import job_type_job, parent_run  # noqa: PLC0415

        kind = _KINDS[begun.stage]
        if self.parent:
            facets["parent"] = parent_run.ParentRunFacet(
                run=parent_run.Run(runId=self.parent.run),
                job=parent_run.Job(namespace=self.parent.namespace, name=self.parent.job),
            )
        job = Job(
            namespace=self.namespace,
            name="faultset.judge" if kind == "judge" else f"faultset.{kind}.{begun.name}",
            facets={"jobType": job_type_job.JobTypeJobFacet("BATCH", "FAULTSET", "JOB", producer=_PRODUCER)},
        )
        self.emit(
            RunEvent(
                eventType=RunState[state],
                eventTime=dt.datetime.now(UTC).isoformat(),
                run=Run(runId=_run_id(begun, kind), facets=facets),
                job=job,
                producer=_PRODUCER,
                inputs=inputs,
                outputs=outputs,
            )
        )

    # --- what was read and written ------------------------------------------------------------------------------------

    def _of_build(self, slug: str) -> tuple[list[InputDataset], list[OutputDataset]]:
        newest = candidates.newest(slug, self.settings)
        if newest is None:
            return [], []
        fingerprint = newest[0]
        folder = candidates.candidate_folder(slug, fingerprint, self.settings)
        made: tuple[list[InputDataset], list[OutputDataset]] = ([], [])
        with unless_gone(folder):
            note = read_note(folder)
            known = {(file.role, file.uri): file for file in note.inputs}
            made = list(self._declared(slug, known)), [_candidate(self.settings, slug, fingerprint, note)]
        return made  # noqa: RET504 (what goes meanwhile ends the block early)

    def _declared(self, slug: str, known: Mapping[tuple[str, str], InputFile]) -> Iterator[InputDataset]:
        """Yield the files that the catalog declares, with size and version of those that were read."""
        from openlineage.client.event_v2 import InputDataset  # noqa: PLC0415
        from openlineage.client.facet_v2 import (  # noqa: PLC0415
            data_quality_metrics_input_dataset,
            dataset_version_dataset,
        )

        experiment = catalog.read_experiment(self.settings.catalog, slug)
        for role, public, uri in _files(experiment):
            dataset = InputDataset(*name_of(uri))
            read = known.get((role, public))
            if read:
                dataset.facets = {
                    "version": dataset_version_dataset.DatasetVersionDatasetFacet(f"sha256:{read.sha256}")
                }
                dataset.inputFacets = {
                    "dataQualityMetrics": data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
                        columnMetrics={}, bytes=read.bytes, fileCount=1
                    )
                }
            yield dataset

    def _of_version(self, slug: str, number: str) -> tuple[list[InputDataset], list[OutputDataset]]:
        manifest = read_manifest(slug, number, self.settings)
        return [_published_candidate(self.settings, manifest)], [_version(self.settings, manifest)]


# --- datasets ---------------------------------------------------------------------------------------------------------


def name_of(uri: str) -> tuple[str, str]:
    """Return namespace and name of a dataset as OpenLineage's naming says; never with who may read it.

    ``file`` and the absolute path; ``s3://bucket`` and the key; scheme and host of another address, and its path.
    """
    if "://" not in uri:
        return "file", os.path.normpath(uri)
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return "file", unquote(parts.path)
    host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return host, parts.path.strip("/") if parts.scheme == "s3" else parts.path


def _files(experiment: catalog.Experiment) -> Iterator[tuple[str, str, str]]:
    """Yield role, public name and place of each file that an experiment declares."""
    declared = [("cluster", experiment.cluster), ("reviewed_impacts", experiment.reviewed_impacts)]
    for run in experiment.runs:
        declared += [("report", run.report), ("results", run.results)]
        declared += [("hook_script", script) for script in run.hook_scripts]
    for role, reference in declared:
        if reference:
            yield role, catalog.public_name(reference), catalog.resolve(experiment, reference)
    for file in telemetry.declared_files(experiment):
        yield file.kind, file.name, file.uri


def _candidate_name(settings: Settings, slug: str) -> tuple[str, str]:
    return name_of(f"{settings.work}/{CANDIDATES}/{slug}")


def _candidate(settings: Settings, slug: str, fingerprint: str, note: CandidateNote) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset  # noqa: PLC0415

    severities = [(finding.severity, finding.expectation, finding.column) for finding in note.validation.findings]
    facets = {**_described(note.metadata.title, fingerprint), **_quality(severities, note.validation.passed)}
    return OutputDataset(*_candidate_name(settings, slug), facets=facets)


def _published_candidate(settings: Settings, manifest: Manifest) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset  # noqa: PLC0415

    found = [(one["severity"], one["expectation"], one["column"]) for one in manifest.validation["findings"]]
    return InputDataset(
        *_candidate_name(settings, manifest.slug),
        facets=_described(manifest.title, manifest.fingerprint),
        inputFacets=_quality(found, passed=bool(manifest.validation["passed"])),
    )


def _version(settings: Settings, manifest: Manifest) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset  # noqa: PLC0415
    from openlineage.client.facet_v2 import output_statistics_output_dataset, schema_dataset  # noqa: PLC0415

    found = {_table_of(file.path): file.schema for file in manifest.files if file.schema is not None}
    schemas = [_table(one, found[one.name]) for one in (*tables.EVERY_TABLE, *tables.TELEMETRY) if one.name in found]
    facets = {
        **_described(manifest.title, manifest.version),
        "schema": schema_dataset.SchemaDatasetFacet(schemas),
    }
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=sum(file.rows or 0 for file in manifest.files),
        size=sum(file.bytes for file in manifest.files),
        fileCount=len(manifest.files),
    )
    root = settings.datasets.rstrip("/")
    return OutputDataset(
        *name_of(f"{root}/{manifest.slug}"), facets=facets, outputFacets={"outputStatistics": statistics}
    )


def _table_of(path: str) -> str:
    """Return the table that a file of a version belongs to; all files of a kind have one schema."""
    return path.partition("/")[0].removesuffix(".parquet")


def _table(table: tables.Table, schema: tuple[dict[str, Any], ...]) -> Any:
    from openlineage.client.facet_v2 import schema_dataset  # noqa: PLC0415

    known = {spec.name: spec.column.description for spec in tables.columns(table)}
    columns = [
        schema_dataset.SchemaDatasetFacetFields(
            column["name"], column["type"], known.get(column["name"]), ordinal_position=place
        )
        for place, column in enumerate(schema, start=1)
    ]
    return schema_dataset.SchemaDatasetFacetFields(table.name, "table", table.description, fields=columns)


def _dropped(settings: Settings, verdict: Verdict) -> InputDataset:
    """A run that was dropped: whatever its files are named, they go by its own name in the inbox."""
    from openlineage.client.event_v2 import InputDataset  # noqa: PLC0415

    place = f"{settings.inbox.rstrip('/')}/{printable(verdict.name, 200)}"
    found = [(remark.severity, remark.expectation or "readable", None) for remark in verdict.remarks]
    return InputDataset(
        *name_of(place),
        facets=_described(verdict.name, f"sha256:{verdict.content_sha256}"),
        inputFacets=_quality(found, passed=verdict.accepted),
    )


def _described(title: str, number: str) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset, documentation_dataset  # noqa: PLC0415

    return {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(number),
        "documentation": documentation_dataset.DocumentationDatasetFacet(printable(title, 200)),
    }


def _quality(found: Sequence[tuple[Severity, str, str | None]], passed: bool) -> dict[str, Any]:
    """Assertions that did not hold, and one that says whether the whole passed; no text of an input is in them."""
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality  # noqa: PLC0415

    failed = [
        quality.Assertion(expectation, success=False, column=column, severity=_SEVERITIES[severity])
        for severity, expectation, column in found
    ]
    return {
        "dataQualityAssertions": quality.DataQualityAssertionsDatasetFacet(
            [quality.Assertion("validation.passed", success=passed, severity="error"), *failed]
        )
    }


_SEVERITIES: Mapping[Severity, str] = {"critical": "error", "warning": "warn", "info": "info"}


def _error(reason: str) -> Any:
    from openlineage.client.facet_v2 import error_message_run  # noqa: PLC0415

    return error_message_run.ErrorMessageRunFacet(printable(reason, _LONGEST_MESSAGE), "python")


def _run_id(begun: Begun, kind: Kind) -> str:
    """Return the same id for the beginning and the end, which may be told by different processes."""
    return str(uuid.UUID(bytes=hashlib.sha256(f"{begun.run}\0{kind}\0{begun.name}".encode()).digest()[:16], version=4))
