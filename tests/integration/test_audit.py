"""Audits of foreign sets, held against faults that were planted by code that knows nothing of the audit.

The sets are of ``foreign_sets``: noise that is drawn, and recorded where the recording is. The audit's limits were
chosen on other seeds than those here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foreign_sets as foreign
from faultset import audit, exports
from faultset.audit.records import Audit, CaseReport, ForeignCase
from faultset.cli import main
from faultset.dataset.opening import Dataset
from faultset.errors import InputError

pytestmark = pytest.mark.integration
SEED = 4242
ROUNDS = 10  # of each fault in each layout


@dataclass(frozen=True)
class Planted:
    layout: str
    fault: str | None
    real: bool


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Planted]]:
    """A hundred planted faults, twenty of each kind, and twenty clean cases."""
    folder, truth = tmp_path_factory.mktemp("foreign"), {}
    random = np.random.default_rng(SEED)
    for round_ in range(ROUNDS):
        real = foreign.recording() is not None and round_ % 2 == 1
        for place, fault in enumerate((*foreign.FAULTS, None)):
            for layout in audit.LAYOUTS:
                case = made(random, layout, fault, real=real)
                number = round_ * 10 + place
                name = (
                    foreign.write_rcaeval(folder / layout, number, case, old=round_ % 2 == 1)
                    if layout == "rcaeval"
                    else foreign.write_tsb_ad(folder / layout, number, case)
                )
                truth[name] = Planted(layout, fault, real)
    return folder, truth


def made(random: np.random.Generator, layout: str, fault: str | None, *, real: bool) -> foreign.Series:
    if layout == "rcaeval":
        making = foreign.quiet_incident if fault == "no_effect" else foreign.incident
        case = making(random, real=real)
    else:
        case = foreign.recurring(random, real=real, effects=fault != "no_effect")
    plant = {
        "time_shift": foreign.shifted,
        "label_leak": foreign.leaking,
        "duplicate_columns": foreign.duplicated,
        "degenerate": foreign.broken,
    }
    if fault in plant:
        plant[fault](random, case)
    return case


@pytest.fixture(scope="module")
def audits(sets: tuple[Path, dict[str, Planted]]) -> dict[str, Audit]:
    """Layout -> what was found in its cases; seconds each."""
    folder, _ = sets
    return {layout: audit.audit(folder / layout, layout) for layout in audit.LAYOUTS}


@pytest.fixture(scope="module")
def reports(audits: dict[str, Audit]) -> dict[str, CaseReport]:
    return {one.case: one for found in audits.values() for one in found.cases}


def test_95_of_100_planted_faults_are_named_and_clean_cases_stay_clean(
    sets: tuple[Path, dict[str, Planted]], reports: dict[str, CaseReport]
):
    _, truth = sets
    assert {*truth} == {*reports}
    named: Counter[str] = Counter()
    false = []
    for name, planted in truth.items():
        kinds = {finding.kind for finding in reports[name].findings}
        if planted.fault is None:
            false += [name] if kinds else []
        else:
            named[planted.fault] += planted.fault in kinds
    print(f"named of 20 each: {dict(named)}; clean cases with findings: {len(false)} of {2 * ROUNDS}")
    assert sum(named.values()) >= 95
    assert len(false) <= 2, false


def test_the_floors_of_a_set_are_stated(audits: dict[str, Audit]):
    found = audits["rcaeval"]
    assert list(found.floors) == ["constant", "chance", "always", "never", "largest |z|"]
    assert found.floors["never"]["AC@1"] == 0
    assert 0 < found.floors["chance"]["AC@1"] < found.floors["largest |z|"]["AC@1"] <= 1
    series = audits["tsb-ad"]
    assert series.floors["chance"]["auroc"] == 0.5


def small(**changed: object) -> Iterator[ForeignCase]:
    random = np.random.default_rng(5)
    value = random.normal(0, 1, (600, 3))
    value[300:450, 0] += 12
    known = {
        "name": "a",
        "time": 1_700_000_000 + np.arange(600.0),
        "values": value,
        "columns": ("web_cpu", "web_mem", "db_cpu"),
        "onsets": np.array([1_700_000_300.0]),
        "ends": np.array([np.nan]),
        "unit": "s",
    }
    yield ForeignCase(**{**known, **changed})  # type: ignore[arg-type]


def test_an_effect_at_its_label_is_measured():
    (case,) = small()
    found = audit.report(case)
    assert found.findings == ()
    assert found.effect is not None
    assert found.effect.visible == 1
    assert found.effect.column == "web_cpu"
    assert found.effect.strength_sd == pytest.approx(12, rel=0.3)
    assert abs(found.effect.offset or 0) < 5
    assert 1 < (found.effect.detectable_sd or 0) < 12


def test_whole_hours_that_all_cases_are_off_are_said_once(tmp_path: Path):
    random = np.random.default_rng(3)
    for number in range(4):
        frame = foreign.drawn(random, 6000, ("web", "db", "cache"), 1.0)
        for name in ("web_cpu", "web_mem", "web_socket"):
            foreign.hit(random, frame, name, slice(4600, 5200), 30.0)
        case = foreign.Series(frame, foreign.EPOCH + np.arange(6000.0), [4600], [5200], [1000], "web")
        foreign.write_rcaeval(tmp_path, number, case, old=False)
    found = audit.audit(tmp_path, "rcaeval")
    assert found.summary["time_shift"] == 4
    assert found.shift is not None
    assert found.shift.startswith("4 of 4 cases are off by about 3")
    assert "(1.00 h)" in found.shift


def test_our_own_exports_can_be_audited(two_runs: Dataset, tmp_path: Path):
    for layout in audit.LAYOUTS:
        exports.export(two_runs, layout, tmp_path / layout)
        found = audit.audit(tmp_path / layout, layout)
        assert len(found.cases) == (len(two_runs.injections) if layout == "rcaeval" else 5)
        assert "label_leak" not in found.summary
        constant = {name for one in found.cases for finding in one.findings for name in finding.columns}
        assert any("load.cpucore" in name for name in constant)  # the number of cores, which never changes


def test_a_case_that_cannot_be_read_is_a_finding_and_the_others_are_read(tmp_path: Path):
    random = np.random.default_rng(1)
    foreign.write_rcaeval(tmp_path, 1, foreign.incident(random, real=False), old=False)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/metrics.parquet").write_bytes(b"PAR1 and then nothing")
    (tmp_path / "broken/inject_time.txt").write_text("1700000000\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/inject_time.txt").write_text("soon\n")
    found = {one.case: one for one in audit.audit(tmp_path, "rcaeval").cases}
    assert len(found) == 3
    assert [one.kind for one in found["broken"].findings] == ["degenerate"]
    assert "there is none of metrics.parquet" in found["empty"].findings[0].message


def test_the_command_answers_no_where_something_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    random = np.random.default_rng(2)
    foreign.write_rcaeval(tmp_path, 1, foreign.quiet_incident(random, real=False), old=False)
    assert main(["audit", str(tmp_path), "--from", "rcaeval", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {"no_effect": 1}
    assert "could hide" in document["cases"][0]["findings"][0]["message"]
    assert main(["audit", str(tmp_path), "--from", "rcaeval"]) == 1
    assert "nothing begins to move" in capsys.readouterr().out
    assert main(["audit", str(tmp_path / "no"), "--from", "rcaeval"]) == 2
    assert main(["audit", str(tmp_path), "--from", "rcaevl"]) == 2
    assert "did you mean rcaeval" in capsys.readouterr().err


def test_a_folder_without_cases_says_what_is_missing(tmp_path: Path):
    pd.DataFrame({"a": [1], "b": [2]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError, match=r"no CSV whose last column is Label"):
        audit.audit(tmp_path, "tsb-ad")
