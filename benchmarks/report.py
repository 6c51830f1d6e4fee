"""Writes what the benchmarks measured as one page with its pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bounds import Held, Measured

HEAD = """\
# Benchmarks

`make bench` runs every file of `benchmarks/`, holds what comes out against bounds and writes this page; it fails where
a bound is passed, after all have run. `make bench SIZE=smoke` runs all of them within minutes on small inputs, with
wider bounds where a fixed cost then weighs more, and writes its page into `benchmarks/results/smoke/`.

A ratio (x) is to the peer's figure in the same run, on the same input, so that it says little of the machine; what
else ran there still blurs it. *≤* is a bound from above, *≥* one from below. Recordings of real machines that some
benchmarks use are not published with the code: without them those parts are left out, and the notes say so.
"""
CAPTIONS = {
    "benchmarks-ratios.svg": "Ratios to peers, and the bound of each",
    "benchmarks-bounds.svg": "How much of each bound is used",
}
HOLDS, PASSED, BOUND = "#00796b", "#c62828", "#37474f"


def write(
    measured: Sequence[Measured], failed: Sequence[str], page: Path, images: Path, *, absent: Sequence[str] = ()
) -> None:
    """Write the page and its pictures.

    Args:
        measured: of each benchmark that wrote its numbers down, in the order of the page.
        failed: names of those that did not run to their end.
        page: the Markdown file.
        images: folder of the pictures; it is made, as the page's is.
        absent: names of those that were not run.
    """
    page.parent.mkdir(parents=True, exist_ok=True)
    images.mkdir(parents=True, exist_ok=True)
    drawn = draw(measured, images)
    shown = [f"![{CAPTIONS[path.name]}]({os.path.relpath(path, page.parent)})\n" for path in drawn]
    parts = [HEAD, _summary(measured, failed, absent), *shown, *(_section(one) for one in measured)]
    page.write_text("\n".join(parts))


# --- text -------------------------------------------------------------------------------------------------------------


def _summary(measured: Sequence[Measured], failed: Sequence[str], absent: Sequence[str]) -> str:
    machines = sorted({one.machine for one in measured})
    numbers = [held for one in measured for held in one.held]
    holding = sum(held.holds for held in numbers)
    lines = [f"Measured on {'; '.join(machines)}. {holding} of {len(numbers)} bounds hold.", ""]
    if failed:
        lines += [f"Did not run to their end: {', '.join(failed)}.", ""]
    if absent:
        lines += [f"Not run yet at this size: {', '.join(absent)}.", ""]
    lines += ["| benchmark | bounds that hold | size | took | load before | date |", "|---|---|---|---|---|---|"]
    for one in measured:
        holding = sum(held.holds for held in one.held)
        name = f"[{one.benchmark}](#{one.benchmark})"
        took = f"{one.seconds:.0f} s" if one.seconds < 120 else f"{one.seconds / 60:.0f} min"
        lines.append(f"| {name} | {holding} of {len(one.held)} | {one.size} | {took} | {one.load} | {one.date} |")
    return "\n".join(lines) + "\n"


def _section(one: Measured) -> str:
    lines = [f"## {one.benchmark}", "", f"{one.about[:1].upper()}{one.about[1:]}.", ""]
    if one.held:
        lines += ["| measured | value | bound | beside |", "|---|---|---|---|"]
        lines += [_row(held, one) for held in one.held] + [""]
    if one.peers:
        lines += [f"Beside: {', '.join(f'{name} {version}' for name, version in one.peers.items())}.", ""]
    for note in one.notes:
        lines += [f"{note[:1].upper()}{note[1:]}.", ""]
    return "\n".join(lines)


def _row(held: Held, one: Measured) -> str:
    beside = f"{held.peer} {one.peers[held.peer]}" if held.peer else ""
    value = held.text(held.value) if held.holds else f"**{held.text(held.value)}, passed**"
    return f"| {held.what} | {value} | {held.sign} {held.text(held.bound)} | {beside} |"


# --- pictures ---------------------------------------------------------------------------------------------------------


def draw(measured: Sequence[Measured], images: Path) -> list[Path]:
    """Draw what there is to draw; return the pictures."""
    # The same numbers give the same bytes; text stays text, which searches find and screens enlarge.
    mpl.rcParams.update({"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9})
    numbers = [(one, held) for one in measured for held in one.held]
    ratios = [(f"{one.benchmark}: {held.what} / {held.peer}", held) for one, held in numbers if held.peer]
    shares = [(f"{one.benchmark}: {held.what}", held) for one, held in numbers]
    drawn = []
    for name, rows, draw_on in (
        ("benchmarks-ratios.svg", [row for row in ratios if row[1].unit == "x"], _ratios),
        ("benchmarks-bounds.svg", shares, _shares),
    ):
        if not rows:
            continue
        figure, panel = _panel([label for label, _ in rows])
        draw_on(panel, [held for _, held in rows])
        figure.savefig(images / name, metadata={"Date": None})
        plt.close(figure)
        drawn.append(images / name)
    return drawn


def _panel(labels: list[str]) -> tuple[Figure, Axes]:
    figure, panel = plt.subplots(figsize=(10, 0.8 + 0.24 * len(labels)), layout="constrained", facecolor="white")
    panel.set_yticks(range(len(labels)), labels)
    panel.set_ylim(len(labels) - 0.4, -0.6)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
    return figure, panel


def _bars(panel: Axes, widths: list[float], rows: list[Held]) -> None:
    panel.barh(range(len(rows)), widths, height=0.6, color=[HOLDS if held.holds else PASSED for held in rows])


def _ratios(panel: Axes, rows: list[Held]) -> None:
    _bars(panel, [held.value for held in rows], rows)
    for place, held in enumerate(rows):
        panel.plot([held.bound, held.bound], [place - 0.4, place + 0.4], color=BOUND, linewidth=2)
        edge = max(held.value, held.bound)
        panel.annotate(f"{held.value:.2f}, bound {held.sign} {held.bound:.2f}", (edge, place), (4, 0),
                       textcoords="offset points", va="center")  # fmt: skip
    panel.set_xlim(0, 1.35 * max(max(held.value, held.bound) for held in rows))
    panel.axvline(1, color="#90a4ae", linestyle=":", zorder=0)
    panel.set_xlabel("times the peer's figure (dotted: as much as the peer; dark bar: the bound)")


def _shares(panel: Axes, rows: list[Held]) -> None:
    most = 1.6
    _bars(panel, [min(held.of_bound(), most) for held in rows], rows)
    panel.axvline(1, color=BOUND, linewidth=2)
    for place, held in enumerate(rows):
        panel.annotate(f"{held.text(held.value)}, {held.sign} {held.text(held.bound)}",
                       (max(min(held.of_bound(), most), 1), place), (6, 0),
                       textcoords="offset points", va="center")  # fmt: skip
    panel.set_xlim(0, most + 0.5)
    panel.set_xlabel("share of the bound that is used (dark line: all of it; red: passed)")
