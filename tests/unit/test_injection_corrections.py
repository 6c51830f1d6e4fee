"""Corrections of injections' times: one each, said with what it was before, refused where it fits none."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

import releases
from faultset.errors import InputError
from faultset.records.evidence import TimeCorrection
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry import node_of
from faultset.truth.corrections import correct, fits, renamed, sentence, shifted

WORKLOADS = {"boot.0": "NovaServers.boot_and_delete_server"}
WHERE = "experiments/nova/experiment.yaml:12"


def correction(**changed: Any) -> TimeCorrection:
    plain = TimeCorrection(
        injection=None,
        workload=None,
        hook=None,
        value=None,
        started_at=releases.START,
        ended_at=None,
        uncertainty_s=0.5,
        reason="the clock of the controller was set by hand",
        where=WHERE,
    )
    return dataclasses.replace(plain, **changed)


def injections() -> list[Any]:
    return [releases.injection(250, trigger_id="boot.0.hook0.iteration250"), releases.injection(500)]


def test_the_declared_end_is_corrected_and_the_other_stays() -> None:
    (fixed, other), said = correct(injections(), WORKLOADS, [correction(injection="boot.0.250")])
    assert (fixed.started_at, fixed.start_uncertainty_s) == (releases.START, 0.5)
    assert (fixed.ended_at, fixed.end_uncertainty_s) == (injections()[0].ended_at, 1.0)
    assert fixed.time_source == "corrected"
    assert other == injections()[1]
    assert said == (
        "corrected: injection boot.0.250: start was 2019-11-19T22:55:53.166326Z (+ 0 s) by the results and is "
        "2019-11-19T22:51:43.166326Z (+ 0.5 s); because: the clock of the controller was set by hand",
    )


@pytest.mark.parametrize(
    "address",
    [
        {"value": 250.0},
        {"value": 250.0, "hook": 0},
        {"value": 250.0, "workload": "boot.0"},
        {"value": 250.0, "workload": "NovaServers.boot_and_delete_server"},
    ],
)
def test_an_injection_is_also_named_by_what_triggered_it(address: dict[str, Any]) -> None:
    (fixed, _), _ = correct(injections(), WORKLOADS, [correction(**address)])
    assert fixed.time_source == "corrected"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ({"injection": "boot.0.251"}, "about no injection of the runs; there are boot.0.250, boot.0.500"),
        ({"value": 250.0, "hook": 1}, "about no injection"),
        ({"value": 250.0, "workload": "other"}, "about no injection"),
    ],
)
def test_one_that_fits_no_injection_is_an_error_with_its_line(address: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError) as error:
        correct(injections(), WORKLOADS, [correction(**address)])
    assert str(error.value).startswith(f"{WHERE}: this correction is {problem}")


def test_one_that_fits_several_is_an_error() -> None:
    two = [releases.injection(250), releases.injection(250, injection_id="glance.0.250", workload_id="glance.0")]
    with pytest.raises(InputError, match=r"about 2 injections; say which with injection: one of boot\.0\.250, glance"):
        correct(two, WORKLOADS, [correction(value=250.0)])


def test_an_injection_is_corrected_once() -> None:
    with pytest.raises(InputError, match=r"injection boot\.0\.250 is corrected already"):
        correct(injections(), WORKLOADS, [correction(injection="boot.0.250"), correction(value=250.0)])


def test_an_injection_cannot_end_before_it_starts() -> None:
    late = correction(injection="boot.0.250", started_at=releases.START + dt.timedelta(hours=1))
    with pytest.raises(InputError, match="before it starts"):
        correct(injections(), WORKLOADS, [late])


def test_corrections_of_telemetry_are_laid_on_the_file() -> None:
    file = TelemetryFile("metrics", "metrics/node01_a.csv", "metrics/node01_a.csv", "UTC")
    assert node_of(renamed(file, "node01", "node10")) == "node10"
    assert node_of(renamed(file, "node02", "node10")) == "node01"
    assert shifted(shifted(file, 3600), -0.5).shift_us == 3_599_500_000
    declared = {"what": "telemetry_clock", "kind": "metrics", "files": "metrics/node01_*", "shift": -3600.0}
    assert fits(declared, "metrics", file.name)
    assert not fits(declared, "logs", file.name)
    assert sentence({**declared, "reason": "see the lab's book"}) == (
        "clock of metrics metrics/node01_*: -3600 s added to each time; because: see the lab's book"
    )
