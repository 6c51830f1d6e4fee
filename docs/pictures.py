"""Draws the documentation's pictures again from the sample that ``make demo`` publishes.

tools/run python docs/pictures.py

``overview.png`` and ``validation.png`` are the published ones, ``rows.png`` shows each row of metrics by its label.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from playwright.sync_api import sync_playwright

import faultset

SAMPLE = "nova-compute-restart"
IMAGES = Path(__file__).parents[1] / "docs/images"
COLOURS = {
    "normal": "#90a4ae",
    "recovery": "#f9a825",
    "of an injection elsewhere": "#4fc3f7",
    "anomalous": "#c62828",
    "boundary: cannot be decided": "#000000",
}


def label_of(row: object) -> str:
    """Return the one word that a row is drawn by, the strongest of its labels."""
    if row.is_boundary:
        return "boundary: cannot be decided"
    if row.is_anomalous:
        return "anomalous"
    return "of an injection elsewhere" if row.phase == "injection" else row.phase


def draw_rows(ds: faultset.dataset.opening.Dataset, target: Path) -> None:
    """Draw the rows of each node's ``mem.used`` around the first injection, a dot a row, by label."""
    rows = ds.metrics(columns=["mem.used"], during=ds.injections[0], margin="90s")
    rows["label"] = [label_of(row) for row in rows.itertuples()]
    rows["second"] = (rows.timestamp - rows.timestamp.min()).dt.total_seconds()
    nodes = sorted(rows.node.unique())
    figure, panels = plt.subplots(len(nodes), 1, figsize=(11, 6.4), sharex=True, layout="constrained")
    for panel, node in zip(panels, nodes, strict=True):
        of_node = rows[rows.node == node]
        for label, colour in COLOURS.items():
            drawn = of_node[of_node.label == label]
            if drawn.empty:
                continue
            panel.scatter(drawn.second, drawn["mem.used"] / 2**30, s=9, color=colour, label=label)
        panel.set_ylabel(f"{node}\nGiB", rotation=0, ha="right", va="center")
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("seconds")
    shown = {label: dots for panel in panels for dots, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    figure.legend(
        shown.values(), shown.keys(), loc="outside lower center", ncols=len(COLOURS), frameon=False, markerscale=2
    )
    title = "mem.used around the first injection: a dot is a row, its colour the label"
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    figure.savefig(target, dpi=110)


def main() -> int:
    """Draw all pictures; the sample must be there."""
    root = Path(sys.argv[1] if sys.argv[1:] else "datasets")
    ds = faultset.open(SAMPLE, root=root)
    draw_rows(ds, IMAGES / "rows.png")
    shutil.copy(ds.path / "figures/overview.png", IMAGES / "overview.png")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        page.goto((ds.path / "validation/data_docs/index.html").absolute().as_uri())
        page.screenshot(path=IMAGES / "validation.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
