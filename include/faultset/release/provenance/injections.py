"""What led to an injection: its hook's result, the trigger, the workload and corrections."""

from __future__ import annotations

from collections.abc import Iterator

from faultset.moments import epoch_us, iso
from faultset.records.evidence import InputFile
from faultset.release.provenance.chain import Content, Fact, Found, Step, facts_of, mapping_of
from faultset.tables import InjectionRow, WorkloadRow
from faultset.truth import corrections


def at_injection(content: Content, address: str) -> Found | None:
    """Return what is known of the injection of this id; None where it is none's."""
    row = next((row for row in content.injections if row.injection_id == address), None)
    if row is None:
        return None
    targets = [target for target in content.targets if target.injection_id == address]
    impacts = [impact for impact in content.impacts if impact.injection_id == address]
    steps = [
        *steps_of_injection(content, row),
        Step("Targets", (("targets", [mapping_of(target, _TARGET_SHORT) for target in targets]),)),
        Step("Impacts", (("impacts", [mapping_of(impact, _IMPACT_SHORT) for impact in impacts]),)),
        *_asked_of(content, address),
    ]
    return "injection", steps, inputs_of(content, row)


_TARGET_SHORT = ("node", "component", "container", "declared", "commanded", "effective", "resolution", "evidence")
_IMPACT_SHORT = (
    "node", "kpi", "source_kind", "started_at", "ended_at", "direction", "source", "method", "score", "p_value",
)  # fmt: skip


def _asked_of(content: Content, injection_id: str) -> Iterator[Step]:
    """Yield what was tested of an injection, kind by kind, and how large a move could have hidden."""
    mine = [test for test in content.impact_tests if test.injection_id == injection_id]
    said = [
        {
            "source_kind": kind,
            "tested": sum(test.tested for test in some),
            "not_tested": sum(not test.tested for test in some),
            "found": sum(test.found for test in some),
            "largest_detectable_sd": max(
                (test.detectable_sd for test in some if test.detectable_sd is not None), default=None
            ),
        }
        for kind in dict.fromkeys(test.source_kind for test in mine)
        for some in ([test for test in mine if test.source_kind == kind],)
    ]
    if said:
        yield Step("Impact tests", (("tests", said),))


def steps_of_injection(content: Content, row: InjectionRow) -> list[Step]:
    """Return the chain from an injection to its workload."""
    trigger = next((one for one in content.triggers if one.trigger_id == row.trigger_id), None)
    workload = next((one for one in content.workloads if one.workload_id == row.workload_id), None)
    decided = ("started_at", "ended_at", "start_uncertainty_s", "end_uncertainty_s", "time_source", "action")
    lasted = ("fault_ended_at", "fault_end_uncertainty_s", "fault_end_source", "fault_end_reason", "fault_open_until")
    why = ("effect", "effect_reason", "outcome", "outcome_reason")
    result: list[Fact] = [
        ("hook", trigger.hook if trigger else None),
        ("description", trigger.description if trigger else None),
        ("hook_index", trigger.hook_index if trigger else None),
        ("result_index", row.result_index),
        ("triggered_by", f"{row.unit}: {row.value:g}"),
        *_as_written(row),
        ("status", row.hook_status),
        ("return_code", row.return_code),
    ]
    steps = [
        Step("Injection", (("injection_id", row.injection_id), *facts_of(row, decided + lasted), *facts_of(row, why))),
        *_corrected(content, row, workload),
        Step("Hook result", tuple(result)),
    ]
    if trigger:
        shown = ("trigger_id", "action", "kind", "unit", "value", "outcome", "evidence")
        steps.append(Step("Hook", facts_of(trigger, ("commands_read", "commands_unread"))))
        steps.append(Step("Trigger", facts_of(trigger, shown)))
    if workload:
        shown = ("workload_id", "name", "position", "runner", "iterations", "rally_version", "report")
        steps.append(Step("Workload", facts_of(workload, shown)))
    return steps


def _as_written(row: InjectionRow) -> Iterator[Fact]:
    """Yield the times as the input writes them; what a correction replaced stands in its sentence."""
    for name, moment, doubt in (
        ("started_at", row.started_at, row.start_uncertainty_s),
        ("finished_at", row.ended_at, row.end_uncertainty_s),
    ):
        if row.time_source == "results":
            yield f"{name}_as_written", f"{epoch_us(moment) / 1e6:.6f}"
        elif row.time_source == "report" and doubt == 0:
            yield f"{name}_as_written", iso(moment)
        elif row.time_source == "report":
            yield f"{name}_as_written", f"{moment:%Y-%m-%d %H:%M:%S} (UTC, known to {doubt:g} s)"
        else:
            yield f"{name}_as_written", None


def _corrected(content: Content, row: InjectionRow, workload: WorkloadRow | None) -> Iterator[Step]:
    scenario = workload.name if workload else ""
    said = [
        {"declared": corrections.sentence(one), "applied": _applied(content, row.injection_id)}
        for one in content.corrections
        if corrections.fits_injection(one, row, scenario)
    ]
    if said:
        yield Step("Corrections", (("corrections", said),))


def _applied(content: Content, injection_id: str) -> str | None:
    start = f"{corrections.CORRECTED}injection {injection_id}: "
    said = (str(one) for finding in content.manifest.validation["findings"] for one in finding["where"])
    return next((one for one in said if one.startswith(start)), None)


def inputs_of(content: Content, row: InjectionRow) -> list[InputFile]:
    """Return report, results and scripts of the injection's run, and the cluster file."""
    workload = next((one for one in content.workloads if one.workload_id == row.workload_id), None)
    named = {("cluster", content.manifest.experiment.get("cluster"))}
    for run in content.manifest.experiment.get("runs", ()):
        if workload is not None and workload.report in (run.get("report"), run.get("results")):
            named |= {("report", run.get("report")), ("results", run.get("results"))}
            named |= {("hook_script", script) for script in run.get("hook_scripts", ())}
    return [file for file in content.manifest.inputs if (file.role, file.uri) in named]
