"""Rally as a source of injections: task reports (HTML) and results (JSON), which may stand beside each other."""

from __future__ import annotations

from collections.abc import Iterator

from faultset.records.evidence import RunEvidence
from faultset.records.run import RunRecord
from faultset.sources.injections import Recognition, Source
from faultset.sources.kit import files
from faultset.sources.kit.documents import Head
from faultset.sources.kit.fields import decode_json
from faultset.sources.kit.reading_limits import Bounds
from faultset.sources.kit.redaction import secrets_in
from faultset.sources.rally import page
from faultset.sources.rally.report import read_run
from faultset.sources.rally.results import read_results

_OLD_RESULT_KEYS = {"key", "result", "sla", "hooks", "full_duration", "load_duration", "created_at"}
_HTML = ("<!doctype html", "<html", "<!--", "<?xml")


def recognise(head: Head) -> Recognition | None:
    """Return what tells that a file is Rally's.

    Documents of Rally's that are no task's are recognised too: their reader can say what they are.
    """
    if head.text[:1000].lower().startswith(_HTML):
        of_rally = b"Rally" in head.data or b"$scope" in head.data
        return Recognition("run", "it is a page that Rally made") if of_rally else None
    if not head.is_json:
        return None
    keys = head.keys()
    if keys & {"tasks", "verifications"} or len(keys & _OLD_RESULT_KEYS) >= 3:
        return Recognition("beside", "it has the form of Rally's result JSON")
    return None


def read(run: str, beside: str | None) -> RunEvidence:
    """Return a report with its results beside, or results alone."""
    return RunEvidence(read_run(run), read_results(beside) if beside else None)


def same_run(run: str, beside: str) -> bool:
    """Whether a report and results hold the same workloads."""
    return holds_same(read_run(run), read_results(beside))


def holds_same(report: RunRecord, results: RunRecord) -> bool:
    """Whether two files hold the same workloads: by Rally's own ids, where both have them."""
    ours = {workload.uuid for workload in report.workloads if workload.uuid}
    theirs = {workload.uuid for workload in results.workloads if workload.uuid}
    if ours and theirs:
        return bool(ours & theirs)
    names = [(workload.name, workload.iterations_count) for workload in report.workloads]
    return sorted(names) == sorted((workload.name, workload.iterations_count) for workload in results.workloads)


def secrets(uri: str) -> Iterator[str]:
    """Yield the secrets of a task: of its task file in an HTML report, of its hooks in a result JSON."""
    if page.looks_like_json(files.read_head(uri)):
        yield from _texts_with_secrets(decode_json(files.read_bytes(uri, role="results_bytes")), inside=False)
    else:
        source = page.read_page(uri, Bounds(uri)).source
        yield from secrets_in(source) if isinstance(source, str) else ()


def _texts_with_secrets(value: object, *, inside: bool) -> Iterator[str]:
    """Yield the secrets in the texts below each ``hooks`` of a decoded file."""
    waiting = [(value, inside)]
    while waiting:
        item, inside = waiting.pop()
        if isinstance(item, str):
            yield from secrets_in(item) if inside else ()
        elif isinstance(item, list):
            waiting += [(one, inside) for one in item]
        elif isinstance(item, dict):
            waiting += [(one, inside or key == "hooks") for key, one in item.items()]


SOURCE = Source(
    "rally", "a Rally report", "injections", recognise, read, secrets, names_targets=False, same_run=same_run
)
