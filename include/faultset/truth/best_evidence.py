"""A report and the results of the same run, side by side: the results have the times, the report is the check.

Where both speak they must agree, a report's times within their second. What they do not agree on is a finding.
"""

from __future__ import annotations

import dataclasses
import datetime as dt

from faultset.errors import InputError
from faultset.moments import Instant, iso
from faultset.records.run import HookResult, RunRecord, Workload

_ROUNDING = dt.timedelta(microseconds=1)


def disagreements(report: RunRecord, results: RunRecord) -> tuple[str, ...]:
    """Return what the HTML ``report`` and the JSON ``results`` say differently, a sentence each."""
    pairs, only_report, only_results = _pair(report, results)
    if not pairs:
        return (f"No workload of the report is in the results {results.uri}: the two files are of different runs.",)
    found = [f"{_name(workload)} is in the report and not in the results." for workload in only_report]
    found += [f"{_name(workload)} is in the results and not in the report." for workload in only_results]
    for shown, recorded in pairs:
        found += _compare(shown, recorded)
    return tuple(found)


def same_run(report: RunRecord, results: RunRecord) -> bool:
    """Return whether any workload is in both files."""
    return bool(_pair(report, results)[0])


def merge(report: RunRecord, results: RunRecord) -> RunRecord:
    """Return the best evidence of both: the results' workloads, with the positions that the report counts.

    Workloads that only one of the files has are kept as that file has them, in the report's order first.

    Raises:
        InputError: no workload is in both: the files are of different runs.
    """
    pairs, only_report, only_results = _pair(report, results)
    if not pairs:
        raise InputError(results.uri, "is of another run than the report", "give the results of the same task")
    recorded = {id(shown): found for shown, found in pairs}
    lone = {id(workload) for workload in only_report}
    workloads = [shown if id(shown) in lone else _named_as(shown, recorded[id(shown)]) for shown in report.workloads]
    version = report.rally_version or results.rally_version
    return RunRecord(report.uri, results.form, version, (*workloads, *only_results))


def _named_as(shown: Workload, recorded: Workload) -> Workload:
    """Return ``recorded`` under the report's position and id: old results lack the id, and all positions can be 0."""
    return dataclasses.replace(
        recorded,
        position=shown.position,
        uuid=recorded.uuid or shown.uuid,
        created_at=recorded.created_at or shown.created_at,
    )


def _pair(
    report: RunRecord, results: RunRecord
) -> tuple[list[tuple[Workload, Workload]], list[Workload], list[Workload]]:
    """Return the workloads that are in both, those only in the report and those only in the results."""
    left = list(results.workloads)
    found: dict[int, Workload] = {}
    # The surest sign first for all, so that a weaker one takes nothing away.
    for same in (_same_uuid, _same_place, _same_creation):
        for index, shown in enumerate(report.workloads):
            match = next((other for other in left if same(shown, other)), None) if index not in found else None
            if match is not None:
                found[index] = match
                left = [other for other in left if other is not match]
    pairs = [(shown, found[index]) for index, shown in enumerate(report.workloads) if index in found]
    alone = [shown for index, shown in enumerate(report.workloads) if index not in found]
    return pairs, alone, left


def _same_uuid(one: Workload, other: Workload) -> bool:
    return one.uuid is not None and one.uuid == other.uuid


def _same_place(one: Workload, other: Workload) -> bool:
    """Without two ids to compare: name, position and, where both know it, creation."""
    unknown = one.created_at is None or other.created_at is None
    return (
        (one.uuid is None or other.uuid is None)
        and (one.name, one.position) == (other.name, other.position)
        and (unknown or one.created_at == other.created_at)
    )


def _same_creation(one: Workload, other: Workload) -> bool:
    """Positions in old results can all be 0: the creation's second tells repeats of a scenario apart."""
    return (
        (one.uuid is None or other.uuid is None)
        and one.name == other.name
        and one.created_at is not None
        and one.created_at == other.created_at
    )


def _compare(shown: Workload, recorded: Workload) -> list[str]:
    name = _name(shown)
    facts = (
        ("iterations", shown.iterations_count, recorded.iterations_count),
        ("failed iterations", shown.failed_count, recorded.failed_count),
        ("iterations asked for", shown.times, recorded.times),
        ("concurrency", shown.concurrency, recorded.concurrency),
        ("hooks configured", len(shown.hooks), len(recorded.hooks)),
        ("SLA passed", shown.sla_passed, recorded.sla_passed),
    )
    found = [
        f"{name}: {what}: the report says {one}, the results say {other}."
        for what, one, other in facts
        if one != other and one is not None and other is not None
    ]
    return found + _compare_sla(name, shown, recorded) + _compare_hooks(name, shown, recorded)


def _compare_sla(name: str, shown: Workload, recorded: Workload) -> list[str]:
    one = sorted((criterion.criterion, criterion.passed) for criterion in shown.sla)
    other = sorted((criterion.criterion, criterion.passed) for criterion in recorded.sla)
    if one == other:
        return []
    return [f"{name}: SLA: the report says {_criteria(one)}, the results say {_criteria(other)}."]


def _criteria(criteria: list[tuple[str, bool]]) -> str:
    return ", ".join(f"{criterion} {'passed' if passed else 'failed'}" for criterion, passed in criteria) or "nothing"


def _compare_hooks(name: str, shown: Workload, recorded: Workload) -> list[str]:
    left = list(recorded.results)
    found = []
    for firing in shown.results:
        where = f"{name}: {_trigger(firing)}"
        candidates = [other for other in left if _same_trigger(firing, other)]
        if not candidates:
            found.append(f"{where}: the report shows a firing that the results lack.")
            continue
        other = min(candidates, key=lambda candidate: _distance(firing, candidate))
        left = [candidate for candidate in left if candidate is not other]
        found += [f"{where}: {difference}." for difference in _differences(firing, other)]
    # A report hides hooks without output, and shows charts without a time.
    found += [
        f"{name}: {_trigger(firing)}: the results hold a firing with output that the report does not show."
        for firing in left
        if firing.has_output and firing.hook_index not in shown.charted_hooks
    ]
    return found


def _same_trigger(shown: HookResult, recorded: HookResult) -> bool:
    return (shown.name, shown.unit, shown.value) == (recorded.name, recorded.unit, recorded.value) and (
        shown.hook_index is None or shown.hook_index == recorded.hook_index
    )


def _distance(shown: HookResult, recorded: HookResult) -> dt.timedelta:
    return abs(shown.started_at.at - recorded.started_at.at) + abs(shown.ended_at.at - recorded.ended_at.at)


def _differences(shown: HookResult, recorded: HookResult) -> list[str]:
    found = []
    for what, one, other in (
        ("start", shown.started_at, recorded.started_at),
        ("end", shown.ended_at, recorded.ended_at),
    ):
        if not _holds(one, other):
            found.append(
                f"{what}: the report says {iso(one.at)} (within {one.uncertainty_s:g} s), "
                f"the results say {iso(other.at)}"
            )
    for what, before, after in (
        ("status", shown.status, recorded.status),
        ("return code", shown.return_code, recorded.return_code),
    ):
        if before != after and before is not None and after is not None:
            found.append(f"{what}: the report says {before}, the results say {after}")
    return found


def _holds(one: Instant, other: Instant) -> bool:
    """Whether the exact ``other`` lies where ``one`` allows."""
    return one.at <= other.at < one.latest or abs(other.at - one.at) <= _ROUNDING


def _name(workload: Workload) -> str:
    return f"Workload {workload.name} [{workload.position}]"


def _trigger(firing: HookResult) -> str:
    hook = "an unmatched hook" if firing.hook_index is None else f"hook {firing.hook_index}"
    return f"{hook} ({firing.name}) at {firing.unit} {firing.value:g}"
