"""Figures: what they show is decided before anything is drawn, and the same data gives the same bytes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import struct
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import matplotlib.text
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truth_rows
from faultset.figures import InjectionData, OverviewData, Series, injection_figure, overview
from faultset.figures.injection import around
from faultset.figures.style import injection_names, thinned, unit_of
from faultset.moments import UTC, epoch_us
from faultset.tables import ImpactRow, InjectionRow, IterationRow, TargetRow

BEGIN = dt.datetime(2025, 11, 18, 21, 45, tzinfo=UTC)
SECOND = 1_000_000


def at(seconds: float) -> dt.datetime:
    return BEGIN + dt.timedelta(seconds=seconds)


def injection(start: float, end: float, name: str = "i1") -> InjectionRow:
    return truth_rows.injection(name, at(start), at(end), outcome="local")


def target(node: str = "cmp01", container: str = "nova_compute", of: str = "i1") -> TargetRow:
    return truth_rows.target(of, node, component=container, container=container)


def iteration(number: int, start: float | None, lasts: float = 20.0, *, failed: bool = False) -> IterationRow:
    started = None if start is None else at(start)
    ended = None if start is None else at(start + lasts)
    return IterationRow("w", number, started, ended, lasts, 0.0, failed, None, None, [], False)


def impact(start: float, end: float, kpi: str = "mem.used", source: str = "detected") -> ImpactRow:
    return ImpactRow("i1", "cmp01", kpi, at(start), at(end), "down", source, "test", 8.0, 0.001)


def series(node: str = "cmp01", kpi: str = "mem.used", seconds: int = 900) -> Series:
    times = epoch_us(BEGIN) + np.arange(seconds, dtype=np.int64) * SECOND
    found = Series.of_rows(node, kpi, times, 2.0**33 + 2.0**20 * np.sin(np.arange(seconds) / 30.0))
    return replace(found, is_smoothed=kpi.startswith("load."), is_usual=kpi in ("cpu.user", "mem.used"))


EVERYTHING = OverviewData(
    title="Restart of nova_compute",
    injections=[injection(300, 340), injection(320, 380, "i2")],
    targets=[target()],
    iterations=[iteration(number, number * 8.0, failed=number % 40 == 0) for number in range(1, 101)],
    impacts=[impact(300, 400), impact(310, 390, "cpu.user", "reviewed")],
    series=[series(node, kpi) for node in ("cmp01", "ctl01") for kpi in ("mem.used", "cpu.user", "load.min1")],
)
CLOSE_UP = InjectionData(
    injection=EVERYTHING.injections[0],
    injections=EVERYTHING.injections,
    targets=EVERYTHING.targets,
    iterations=EVERYTHING.iterations,
    impacts=EVERYTHING.impacts,
    series=EVERYTHING.series,
)


def width_of_png(path: Path) -> int:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n")
    return int(struct.unpack(">I", content[16:20])[0])


def texts_of(figure: mpl.figure.Figure) -> list[str]:
    return [one.get_text() for one in figure.findobj(matplotlib.text.Text) if one.get_text()]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[mpl.figure.Figure]:
    """Every figure that was saved, to look at what stands in it."""
    figures: list[mpl.figure.Figure] = []
    save = mpl.figure.Figure.savefig

    def remember(self: mpl.figure.Figure, *args: object, **kwargs: object) -> None:
        figures.append(self)
        save(self, *args, **kwargs)

    monkeypatch.setattr(mpl.figure.Figure, "savefig", remember)
    return figures


# --- bytes ----------------------------------------------------------------------------------------------------------


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    first = overview(EVERYTHING, tmp_path / "a.png").read_bytes()
    assert overview(EVERYTHING, tmp_path / "b.png").read_bytes() == first
    close = injection_figure(CLOSE_UP, tmp_path / "c.png").read_bytes()
    assert injection_figure(CLOSE_UP, tmp_path / "d.png").read_bytes() == close


def test_the_machines_own_settings_change_nothing(tmp_path: Path) -> None:
    first = overview(EVERYTHING, tmp_path / "a.png").read_bytes()
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "timezone": "Asia/Tokyo", "savefig.dpi": 10}):
        assert overview(EVERYTHING, tmp_path / "b.png").read_bytes() == first


def test_a_figure_says_nothing_about_who_drew_it_or_when(tmp_path: Path) -> None:
    content = overview(EVERYTHING, tmp_path / "a.png").read_bytes()
    assert b"tEXt" not in content
    assert b"tIME" not in content


def test_figures_are_1200_pixels_wide(tmp_path: Path) -> None:
    assert width_of_png(overview(EVERYTHING, tmp_path / "a.png")) == 1200
    assert width_of_png(injection_figure(CLOSE_UP, tmp_path / "b.png")) == 1200


# --- what stands in them --------------------------------------------------------------------------------------------


def test_the_time_axis_names_its_zone_and_day(tmp_path: Path, drawn: list[mpl.figure.Figure]) -> None:
    overview(EVERYTHING, tmp_path / "a.png")
    injection_figure(CLOSE_UP, tmp_path / "b.png")
    assert ["time (UTC), 2025-11-18" in texts_of(figure) for figure in drawn] == [True, True]


def test_kpis_stand_with_their_units(tmp_path: Path, drawn: list[mpl.figure.Figure]) -> None:
    overview(EVERYTHING, tmp_path / "a.png")
    assert {"mem.used (GiB)", "cpu.user (%)"} <= set(texts_of(drawn[0]))


def test_the_size_of_an_impact_stands_in_the_close_up(tmp_path: Path, drawn: list[mpl.figure.Figure]) -> None:
    injection_figure(CLOSE_UP, tmp_path / "a.png")
    assert "▼ 8.0 sd" in texts_of(drawn[0])


def test_text_of_a_report_is_neither_mathematics_nor_a_control_sequence(
    tmp_path: Path, drawn: list[mpl.figure.Figure]
) -> None:
    hostile = "$\\frac{1}{\x1b[31m\u202e$"
    row = injection(300, 340, hostile)
    hit = target(node=hostile, container=hostile, of=hostile)
    overview(
        OverviewData(hostile, injections=[row], targets=[hit], series=[series(hostile, hostile)]), tmp_path / "a.png"
    )
    injection_figure(InjectionData(row, [row], [hit], series=[series(hostile, hostile)]), tmp_path / "b.png")
    for figure in drawn:
        shown = texts_of(figure)
        assert any("$\\frac{1}{" in text for text in shown)
        assert not any(sign in text for text in shown for sign in ("\x1b", "\u202e"))


def test_of_fifty_nodes_those_that_were_hit_are_shown_and_the_figure_says_so(
    tmp_path: Path, drawn: list[mpl.figure.Figure]
) -> None:
    many = [series(f"node{number:02}", kpi) for number in range(50) for kpi in ("mem.used", "cpu.user")]
    hit = [target("node47"), target("node48")]
    overview(OverviewData("Many", injections=[injection(300, 340)], targets=hit, series=many), tmp_path / "a.png")
    shown = texts_of(drawn[0])
    assert "Shown are 12 of 50 nodes: those with impacts first, then those hit, then by name." in shown
    assert {"node47", "node48", "node00"} <= set(shown)
    assert "node46" not in shown


def test_where_something_moved_what_did_not_is_named_and_not_drawn(
    tmp_path: Path, drawn: list[mpl.figure.Figure]
) -> None:
    overview(replace(EVERYTHING, impacts=[impact(300, 400)]), tmp_path / "a.png")
    shown = texts_of(drawn[0])
    assert "mem.used (GiB)" in shown
    assert "cpu.user (%)" not in shown
    assert "Not shown, did not move: cpu.user, load.min1." in shown


def test_what_has_nothing_to_show_is_said_in_a_line_and_is_no_panel(
    tmp_path: Path, drawn: list[mpl.figure.Figure]
) -> None:
    overview(replace(EVERYTHING, iterations=[], series=[]), tmp_path / "a.png")
    assert {"No iterations are at hand.", "No metrics are at hand."} <= set(texts_of(drawn[0]))
    assert len(drawn[0].axes) == 1


def test_a_close_up_names_what_was_hit_and_explains_the_grey_band(
    tmp_path: Path, drawn: list[mpl.figure.Figure]
) -> None:
    missed = replace(target("cmp02"), effective=False)
    injection_figure(replace(CLOSE_UP, targets=[target(), missed]), tmp_path / "a.png")
    injection_figure(replace(CLOSE_UP, injections=[CLOSE_UP.injection]), tmp_path / "b.png")
    facts = next(text for text in texts_of(drawn[0]) if "hit: cmp01" in text)
    assert "cmp02" not in facts
    assert ["another injection" in texts_of(figure) for figure in drawn] == [True, False]


def test_a_level_that_never_moves_is_no_row(tmp_path: Path, drawn: list[mpl.figure.Figure]) -> None:
    times = epoch_us(BEGIN) + np.arange(100, dtype=np.int64) * SECOND
    cores = Series.of_rows("cmp01", "load.cpucore", times, np.full(100, 8.0))
    overview(OverviewData("Cores", series=[cores, series()]), tmp_path / "a.png")
    assert not any("load.cpucore" in text for text in texts_of(drawn[0]))


@pytest.mark.parametrize(
    "data",
    [
        OverviewData("Nothing at all"),
        OverviewData("No injections", iterations=EVERYTHING.iterations, series=EVERYTHING.series),
        OverviewData("No metrics", injections=EVERYTHING.injections, iterations=EVERYTHING.iterations),
        OverviewData("No times", injections=[injection(300, 340)], iterations=[iteration(1, None), iteration(2, None)]),
        OverviewData("Not a number", series=[Series.of_rows("a", "mem.used", np.arange(9), np.full(9, np.nan))]),
        OverviewData("No rows", series=[Series.of_rows("a", "mem.used", np.zeros(0, np.int64), np.zeros(0))]),
        OverviewData(
            "One moment", injections=[injection(300, 300)], impacts=[impact(300, 300)], series=[series(seconds=1)]
        ),
    ],
    ids=lambda data: data.title,
)
@pytest.mark.filterwarnings("error")
def test_what_is_missing_leaves_a_figure_that_says_so(tmp_path: Path, data: OverviewData) -> None:
    assert width_of_png(overview(data, tmp_path / "a.png")) == 1200


@pytest.mark.filterwarnings("error")
def test_a_close_up_needs_nothing_but_the_injection(tmp_path: Path, drawn: list[mpl.figure.Figure]) -> None:
    injection_figure(InjectionData(injection(300, 300)), tmp_path / "a.png")
    shown = texts_of(drawn[0])
    assert "no metrics of its targets are at hand" in shown
    assert any(text.startswith("no iterations are at hand") for text in shown)


def test_a_close_up_reaches_beyond_the_last_impact() -> None:
    start, end = around(injection(300, 340), [impact(300, 900)])
    assert start < epoch_us(at(300))
    assert end > epoch_us(at(900))


def test_a_close_up_reaches_beyond_the_end_of_the_fault_and_says_how_long_it_lasted(
    tmp_path: Path, drawn: list[mpl.figure.Figure]
) -> None:
    frozen = dataclasses.replace(
        injection(300, 302), fault_ended_at=at(450), fault_end_uncertainty_s=2.0, fault_end_source="script"
    )
    assert around(frozen, [])[1] > epoch_us(at(452))
    injection_figure(InjectionData(frozen, targets=[target()], series=[series()]), tmp_path / "a.png")
    assert any("the fault lasted 150.0 s" in text for text in texts_of(drawn[0]))


def test_a_close_up_says_that_the_end_of_a_fault_is_unknown(tmp_path: Path, drawn: list[mpl.figure.Figure]) -> None:
    left = dataclasses.replace(injection(300, 302), fault_end_source="unknown", fault_open_until=at(800))
    injection_figure(InjectionData(left, targets=[target()], series=[series()]), tmp_path / "a.png")
    assert any("the fault's end is unknown" in text for text in texts_of(drawn[0]))


def test_injections_are_numbered_by_their_start() -> None:
    rows = [injection(320, 380, "later"), injection(300, 340, "earlier")]
    targets = [
        target(of="earlier"),
        target(container="nova_api", of="later"),
        target(container="nova_conductor", of="later"),
    ]
    assert injection_names(rows, targets) == {
        "earlier": "1 restart nova_compute",
        "later": "2 restart nova_api and 1 more",
    }


@pytest.mark.parametrize(
    ("kpi", "highest", "label"),
    [
        ("mem.used", 2.0**33, "GiB"),
        ("mem.used", 2.0**25, "MiB"),
        ("cpu.user", 99.0, "%"),
        ("mem.percent", 50.0, "%"),
        ("x", 1.0, ""),
    ],
)
def test_units_follow_from_the_names_that_glances_gives(kpi: str, highest: float, label: str) -> None:
    assert unit_of(kpi, highest).label == label


# --- thinning -------------------------------------------------------------------------------------------------------


def test_a_single_spike_in_a_long_run_stays_visible() -> None:
    values = np.zeros(1_000_000)
    values[654_321] = 99.0
    seen = thinned(Series.of_rows("a", "x", np.arange(1_000_000) * SECOND, values), 0, 1_000_000 * SECOND)
    assert len(seen.times_us) <= 1000
    assert seen.high.max() == 99.0
    assert seen.low.max() == 0.0


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(-1e9, 1e9)), min_size=1, max_size=200), st.integers(1, 50))
def test_thinning_keeps_the_lowest_and_the_highest_value(rows: list[tuple[int, float]], columns: int) -> None:
    times, values = np.asarray([row[0] for row in rows]), np.asarray([row[1] for row in rows])
    seen = thinned(Series.of_rows("a", "x", times, values), 0, 10_001, columns)
    assert (seen.low.min(), seen.high.max()) == (values.min(), values.max())
    assert len(seen.times_us) <= columns
    assert bool((np.diff(seen.times_us) > 0).all()) or len(rows) <= columns
