"""What tools of load write one by one, as a workload: a sample is an iteration, with start, duration and error."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from faultset.errors import InputError
from faultset.moments import EARLIEST, LATEST, from_epoch
from faultset.records.evidence import RunEvidence
from faultset.records.run import IterationError, Iterations, RunRecord, Workload
from faultset.settings import limits
from faultset.sources.kit.documents import read_lines
from faultset.sources.kit.fields import clean
from faultset.sources.kit.reading_limits import Bounds
from faultset.sources.kit.redaction import redact

_FIRST_S, _LAST_S = EARLIEST.timestamp(), LATEST.timestamp()
_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Sample:
    """One request, or what stands for some of them.

    Attributes:
        start_s: epoch seconds.
        duration_s: of the answer.
        idle_s: until the next one begins, where that belongs to it.
        error: why it failed; None where it did not.
    """

    start_s: float
    duration_s: float
    idle_s: float = 0.0
    error: IterationError | None = None


def table_rows(uri: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV with a header as column -> text; no repeated header, no row of another length."""
    lines = (line.decode("utf-8", "replace") for line in read_lines(uri))
    reader = csv.reader(lines)
    header = [name.strip() for name in next(reader, [])]
    for row in reader:
        if len(row) == len(header) and row != header:
            yield dict(zip(header, row, strict=True))


def number(text: str | None) -> float | None:
    """Return the finite number in a cell; None for N/A and the like."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def message(kind: str, text: str) -> IterationError:
    """Return why a sample failed, without secrets."""
    return IterationError(clean(redact(kind))[:80], clean(redact(text))[:_LONGEST_MESSAGE])


def load_run(uri: str, source: str, samples: Iterable[Sample], *, concurrency: int | None, remedy: str) -> RunEvidence:
    """Return the samples of a file as the one workload that it is of, in order of their starts.

    Raises:
        InputError: there is none, a time lies outside of 1970 to 2200, or there are more than the limit.
    """
    most = limits().iterations
    kept: list[Sample] = []
    for sample in samples:
        if not _FIRST_S <= sample.start_s < _LAST_S:
            raise InputError(uri, "has a time outside of 1970 to 2200", remedy)
        kept.append(sample)
        if len(kept) > most:
            raise limits().passed("iterations", uri)
    if not kept:
        raise InputError(uri, "holds no sample", remedy)
    kept.sort(key=lambda sample: sample.start_s)
    return RunEvidence(RunRecord(uri, "record", None, (Bounds(uri).add(_workload(source, kept, concurrency)),), source))


def _workload(source: str, samples: list[Sample], concurrency: int | None) -> Workload:
    start = from_epoch(samples[0].start_s)
    errors = {place: sample.error for place, sample in enumerate(samples, 1) if sample.error is not None}
    last = max(sample.start_s + sample.duration_s + sample.idle_s for sample in samples)
    return Workload(
        name=source,
        position=0,
        uuid=None,
        created_at=start,
        runner=source,
        times=None,
        concurrency=concurrency,
        iterations_count=len(samples),
        failed_count=len(errors),
        started_at=start,
        load_duration_s=last - samples[0].start_s,
        full_duration_s=None,
        sla_passed=None,
        sla=(),
        hooks=(),
        results=(),
        charted_hooks={},
        iterations=Iterations(
            number=list(range(1, len(samples) + 1)),
            started_at=[sample.start_s for sample in samples],
            duration_s=[sample.duration_s for sample in samples],
            idle_s=[sample.idle_s for sample in samples],
            errors=errors,
        ),
    )
