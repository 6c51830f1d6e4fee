"""What is decided about simulated experiments, against what the simulator knows: right, or unknown, never wrong."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from faultset import simulator
from faultset.moments import epoch_us
from faultset.pipeline.gathering import gather
from faultset.tables import InjectionRow
from faultset.truth import Truth
from faultset.truth.decide import decide

pytestmark = pytest.mark.integration

SCENARIOS = sorted(set(simulator.SCENARIOS) - {"large"})
SEEDS = range(4)
CASES = [
    pytest.param(
        scenario, seed, evidence, scripted, id=f"{scenario}-{seed}-{evidence}-{'scripts' if scripted else 'bare'}"
    )
    for scenario in SCENARIOS
    for seed in SEEDS
    for evidence in ("report", "results", "results-old")
    for scripted in (True, False)
]


@dataclass(frozen=True)
class Simulated:
    folder: tempfile.TemporaryDirectory[str]
    truth: simulator.Truth


@functools.cache
def simulated(scenario: str, seed: int) -> Simulated:
    folder = tempfile.TemporaryDirectory()
    return Simulated(folder, simulator.simulate(scenario, Path(folder.name), seed=seed, results=True, results_old=True))


def decided(made: Simulated, evidence: str, scripted: bool) -> Truth:
    root = Path(made.folder.name)
    runs = []
    for run in made.truth.runs:
        other = {"report": None, "results": run.results, "results-old": run.results_old}[evidence]
        scripts = [str(root / script) for script in run.hook_scripts] if scripted else []
        runs.append((str(root / run.report), str(root / other) if other else None, scripts))
    return decide(gather(runs, str(root / made.truth.cluster.path)))


def pairs(truth: Truth, made: Simulated) -> list[tuple[InjectionRow, simulator.InjectionTruth]]:
    """Each decided injection with the simulated one of the same workload, hook, unit and value."""
    names = {row.workload_id: (row.name, row.position) for row in truth.workloads}
    hooks = {row.trigger_id: row.hook_index for row in truth.triggers}
    known = {
        (workload.name, workload.position, injection.hook_index, injection.unit, float(injection.value)): injection
        for workload in made.truth.workloads
        for injection in workload.injections
    }
    return [
        (row, known[*names[row.workload_id], hooks[row.trigger_id], row.unit, row.value]) for row in truth.injections
    ]


@pytest.mark.parametrize(("scenario", "seed", "evidence", "scripted"), CASES)
def test_decisions_are_right_or_unknown(scenario: str, seed: int, evidence: str, scripted: bool):
    made = simulated(scenario, seed)
    truth = decided(made, evidence, scripted)
    matched = pairs(truth, made)
    assert_all_injections(matched, made, evidence)
    assert_windows(matched, exact=evidence != "report")
    assert_triggers(truth, made, evidence)
    assert_targets(truth, matched)
    assert_fault_ends(matched)
    if evidence != "report":
        assert_iterations(truth, made, matched)


def assert_all_injections(matched, made: Simulated, evidence: str) -> None:
    wanted = {id(injection) for injection in made.truth.injections if evidence != "report" or injection.shown_in_html}
    assert {id(injection) for _, injection in matched} == wanted
    assert len(matched) == len(wanted)


def assert_windows(matched, *, exact: bool) -> None:
    for row, injection in matched:
        for at, uncertainty_s, true_us in (
            (row.started_at, row.start_uncertainty_s, injection.started_at_us),
            (row.ended_at, row.end_uncertainty_s, injection.ended_at_us),
        ):
            late = true_us - epoch_us(at)
            assert uncertainty_s == (0.0 if exact else 1.0)
            assert abs(late) <= 1 if exact else 0 <= late < 1_000_000
        assert row.hook_status == injection.status
        assert row.return_code == injection.return_code


def assert_fault_ends(matched) -> None:
    """The true end lies where it was decided to; where nobody can know it, that is said and leaves room for it."""
    for row, injection in matched:
        if row.fault_ended_at is None:
            assert row.fault_end_source == "unknown", row
            assert row.fault_open_until is not None, row
            continue
        late = injection.lasts_until_us - epoch_us(row.fault_ended_at)
        assert -1 <= late <= round((row.fault_end_uncertainty_s or 0) * 1_000_000) + 1, (row, injection)


def assert_triggers(truth: Truth, made: Simulated, evidence: str) -> None:
    workloads = {(row.name, row.position): row.workload_id for row in truth.workloads}
    rows = {(row.workload_id, row.hook_index, row.unit, row.value): row.outcome for row in truth.triggers}
    seen = 0
    for workload in made.truth.workloads:
        if not workload.ran:
            continue
        for hook in workload.hooks:
            for trigger in hook.triggers:
                outcome = rows[
                    workloads[workload.name, workload.position], hook.index, trigger.unit, float(trigger.value)
                ]
                shown = evidence != "report" or trigger.shown_in_html
                allowed = {"fired"} if trigger.outcome == "fired" and shown else {trigger.outcome, "not_observable"}
                assert outcome in allowed - ({"fired"} if not shown else set()), (trigger, outcome)
                seen += 1
    assert seen == len(truth.triggers)


def assert_targets(truth: Truth, matched) -> None:
    by_injection = {row.injection_id: injection for row, injection in matched}
    known = {
        (row.injection_id, target.node, target.container): target
        for row, injection in matched
        for target in injection.targets
    }
    for row in truth.targets:
        target = known.get((row.injection_id, row.node, row.container))
        if target is None:
            assert row.resolution == "ambiguous", row
            continue
        assert row.declared == target.declared
        assert row.commanded in (None, target.commanded)
        assert row.effective in (None, target.effective), (row, target)
        if row.effective:
            assert row.resolution in ("exact", "inferred")
    for row, injection in matched:
        allowed = {injection.effect, "unknown"}
        # One of several candidates was hit: that it took hold is known, on which is not.
        assert row.effect in allowed or (row.effect == "full" and injection.effect != "none"), (row, injection)
        assert by_injection[row.injection_id] is injection


def assert_iterations(truth: Truth, made: Simulated, matched) -> None:
    ids = {injection.injection_id: row.injection_id for row, injection in matched}
    workloads = {(row.name, row.position): row.workload_id for row in truth.workloads}
    rows = {(row.workload_id, row.iteration): row for row in truth.iterations}
    doubtful = {row.injection_id for row, _ in matched if row.fault_end_uncertainty_s != 0}
    for workload in made.truth.workloads:
        for number, failed in enumerate(workload.iteration.failed, start=1):
            row = rows[workloads[workload.name, workload.position], number]
            wanted = {ids[name] for name in workload.iteration.injections.get(number, ())}
            open_to_doubt = doubtful if row.is_boundary else set()
            assert set(row.injection_ids or ()) - open_to_doubt == wanted - open_to_doubt
            assert row.failed == failed
            assert not row.is_boundary or doubtful & set(row.injection_ids or ())


def test_with_scripts_and_results_the_end_of_a_lasting_fault_is_known_where_anything_tells_it():
    for seed in SEEDS:
        made = simulated("lasting-faults", seed)
        sources = [row.fault_end_source for row, _ in pairs(decided(made, "results", scripted=True), made)]
        assert sources == ["script", "reversed_by", "command", "unknown"]


def test_with_scripts_and_results_the_three_experiments_are_known_completely():
    for scenario in ("nova-compute-restart", "glance-api-restart", "neutron-agents-restart"):
        made = simulated(scenario, 0)
        truth = decided(made, "results", scripted=True)
        for row, injection in pairs(truth, made):
            assert row.effect == injection.effect
            rows = {(t.node, t.container): t for t in truth.targets if t.injection_id == row.injection_id}
            assert rows.keys() == {(target.node, target.container) for target in injection.targets}
            for target in injection.targets:
                decision = rows[target.node, target.container]
                assert (decision.commanded, decision.effective) == (target.commanded, target.effective)
                assert decision.action_count == len(target.actions)
