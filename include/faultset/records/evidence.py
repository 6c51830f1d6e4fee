"""All that is known of one experiment, put together from what its files say."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from faultset.records.cluster import Cluster
from faultset.records.run import RunRecord


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a dataset was made from.

    Attributes:
        role: ``experiment``, ``cluster``, ``report``, ``results``, ``hook_script``, ``telemetry``, ...
        uri: as the catalog names it (relative to the experiment's folder where it is), never a machine's own path.
        bytes: size.
        sha256: hex digest.
    """

    role: str
    uri: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """All that is known of one Rally run.

    Attributes:
        report: the HTML report, or the result JSON where there is no HTML.
        results: the result JSON beside an HTML report; None where there is none.
    """

    report: RunRecord
    results: RunRecord | None = None


@dataclass(frozen=True, slots=True)
class TimeCorrection:
    """The true time of an injection, as the experimenter declares it.

    Attributes:
        injection: id of the injection; None where the following tell.
        workload: id or scenario of its workload; None for any.
        hook: index of its hook in the workload's configuration; None for any.
        value: at which iteration or second it fired.
        started_at: true start; None where the sources are right.
        ended_at: true end; None where the sources are right.
        uncertainty_s: a corrected end lies in [it, it + this).
        reason: why the sources are wrong, in words.
        where: file and line of the declaration.
        fault_ended_at: true end of the fault itself; None where what was decided is right.
    """

    injection: str | None
    workload: str | None
    hook: int | None
    value: float | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    uncertainty_s: float
    reason: str
    where: str
    fault_ended_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one experiment, without secrets.

    Attributes:
        runs: the Rally runs in the catalog's order.
        cluster: where components live; None where no os-faults file was given.
        services: component or container -> service, beside the built-in table.
        inputs: the files that were read.
        corrections: of injections' times, as declared.
        corrected: what was corrected of telemetry, a sentence each.
    """

    runs: tuple[RunEvidence, ...]
    cluster: Cluster | None = None
    services: dict[str, str] = field(default_factory=dict)
    inputs: tuple[InputFile, ...] = ()
    corrections: tuple[TimeCorrection, ...] = ()
    corrected: tuple[str, ...] = ()
