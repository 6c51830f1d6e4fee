"""Telemetry of runs without ``experiment.yaml``: taken where its times stand for themselves, else to be confirmed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from test_verdict_page import verdict

from faultset import catalog, simulator
from faultset.inbox import page, proposal, roles
from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.sources.telemetry.zone import times_as_written

LOG = "Hostname,log_level,Timestamp,@timestamp,Payload,programname\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made") / "run"
    simulator.simulate("glance-api-restart", made, seed=3, iterations=20, metric_seconds=60)
    target = tmp_path_factory.mktemp("dropped") / "run"
    target.mkdir()
    shutil.copy(made / "report.html", target)
    shutil.copy(made / "os-faults.yaml", target)
    for kind in ("metrics", "logs", "traces"):
        shutil.copytree(made / kind, target / kind)
    return target


def proposed(run: Path, zone: str | None = None) -> proposal.Proposal:
    return proposal.propose(run, "run", roles.recognise(run), zone)


def written(folder: Path, kind: TelemetryKind, text: str):
    path = folder / "x.csv"
    path.write_text(text)
    return times_as_written(TelemetryFile(kind, str(path), "x.csv", "UTC"))


def test_files_whose_times_stand_for_themselves_are_taken_and_the_others_named(run: Path) -> None:
    made = proposed(run)
    taken = {source["kind"]: source["time_zone"] for source in made.entry["telemetry"]}
    metrics = tuple(sorted(path.relative_to(run).as_posix() for path in (run / "metrics").iterdir()))
    assert taken == {"logs": "Etc/GMT-1", "traces": "UTC"}  # the logs' wall-clock time stands beside their UTC
    assert made.left_out == metrics
    assert all(name in made.offer for name in metrics)


def test_what_is_offered_is_an_entry_that_leaves_nothing_out(run: Path, tmp_path: Path) -> None:
    made = proposed(run)
    declared = catalog.parse_declared(made.offer.encode(), "experiment.yaml")
    kinds = {source.kind: source.time_zone for source in declared.telemetry}
    assert kinds == {"metrics": "Etc/GMT-1", "logs": "Etc/GMT-1", "traces": "UTC"}
    confirmed = shutil.copytree(run, tmp_path / "run")
    (confirmed / "experiment.yaml").write_text(made.offer)
    again = proposal.brought(confirmed, "run", "experiment.yaml")
    assert (again.left_out, again.offer) == ((), "")
    assert {source["kind"] for source in again.entry["telemetry"]} == {"metrics", "logs", "traces"}


def test_a_declared_zone_leaves_nothing_to_confirm(run: Path) -> None:
    made = proposed(run, "Europe/Berlin")
    assert (made.left_out, made.offer) == ((), "")
    assert {source["time_zone"] for source in made.entry["telemetry"] if source["kind"] == "metrics"} == {
        "Europe/Berlin"
    }


def test_wall_clock_times_alone_tell_no_zone(tmp_path: Path) -> None:
    row = "n1,INFO,2025-11-18T22:40:01.5,,hello,nova\n"
    found = written(tmp_path, "logs", LOG + row)
    assert (found.plain, found.first, found.zone) == (False, "2025-11-18 22:40:01", None)


@pytest.mark.parametrize(
    ("wall", "zone"),
    [
        ("2025-11-18T21:40:01.5", "UTC"),
        ("2025-11-18T16:40:01.5", "Etc/GMT+5"),
        ("2025-11-19T03:10:01.5", None),  # half an hour is no zone of whole hours, and the times are plain all the same
    ],
)
def test_a_wall_clock_beside_plain_times_shows_its_zone(tmp_path: Path, wall: str, zone: str | None) -> None:
    found = written(tmp_path, "logs", f"{LOG}n1,INFO,{wall},2025-11-18T21:40:01.5Z,hello,nova\n")
    assert (found.plain, found.zone) == (True, zone)


@pytest.mark.parametrize("text", ["", LOG, "a,b\n1,2\n", f"{LOG}n1,INFO,yesterday,,x,y\n"])
def test_of_what_cannot_be_read_nothing_is_known(tmp_path: Path, text: str) -> None:
    assert not written(tmp_path, "logs", text).plain


def test_the_page_shows_the_offer_as_it_is_and_lets_none_of_it_act() -> None:
    entry = yaml.safe_dump({"telemetry": [{"files": "<script>{{ x }}\u202e.csv"}]}, allow_unicode=True)
    shown = page.render(verdict(offer=f"# confirm\n{entry}"))
    assert "<pre># confirm\ntelemetry:\n- files: " in shown
    assert "<script>" not in shown
    assert "{{" not in shown
    assert "\u202e" not in shown
    assert "<pre>" not in page.render(verdict())
