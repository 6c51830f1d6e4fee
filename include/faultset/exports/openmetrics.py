"""OpenMetrics text, as ``promtool tsdb create-blocks-from openmetrics`` reads it: KPIs, labels, injections."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd

from faultset.exports.layout import Layout, Tell, changed, distinct

if TYPE_CHECKING:
    from faultset.dataset.opening import Dataset

FILE = "metrics.openmetrics"
PREFIX = "faultset_"
ANOMALOUS, BOUNDARY, INJECTION = (f"{PREFIX}{name}" for name in ("anomalous", "boundary", "injection"))
_LABELS = {ANOMALOUS: "is_anomalous", BOUNDARY: "is_boundary"}
_OWN = (ANOMALOUS, BOUNDARY, INJECTION)


def names_of(kpis: Iterable[str]) -> dict[str, str]:
    """Return KPI -> the name of its series; none is one of ours."""
    spelled = distinct(
        [*_OWN, *kpis], lambda name: name if name in _OWN else PREFIX + re.sub(r"[^a-zA-Z0-9_]", "_", name)
    )
    return {kpi: spelled[kpi] for kpi in kpis if kpi in spelled}


def write(dataset: Dataset, folder: Path, tell: Tell) -> list[str]:
    """Write ``metrics.openmetrics``: a gauge a KPI, whether rows are anomalous and decided, and injections.

    A node is read once; its series wait in a file each, since all series of a name have to stand together.
    """
    nodes = dataset.metrics.nodes if dataset.metrics.parts else ()
    names = names_of(dataset.metrics.values) if nodes else {}
    parts = folder / ".parts"
    parts.mkdir()
    files = {column: parts / f"{place}.txt" for place, column in enumerate([*names, *_LABELS.values()])}
    merged = 0
    for place, node in enumerate(nodes):
        tell(place, len(nodes), node)
        merged += _write_node(dataset, node, names, files)
    with (folder / FILE).open("w", encoding="utf-8", newline="\n") as file:
        for kpi, name in names.items():
            _append(file, name, f"The KPI {kpi} of a node, in the source's unit", files[kpi])
        for name, column in _LABELS.items():
            what = "a fault concerns the node" if name == ANOMALOUS else "a row of the node cannot be decided"
            _append(file, name, f"1 where {what}, else 0", files[column])
        file.writelines(_injections(dataset))
        file.write("# EOF\n")
    shutil.rmtree(parts)
    left_out = [f"{merged} rows that are of one millisecond of a node with another one"] if merged else []
    left_out += [] if nodes else ["metrics: this dataset has none, only injections are written"]
    return left_out + changed("KPIs", {kpi: name.removeprefix(PREFIX) for kpi, name in names.items()})


def _write_node(dataset: Dataset, node: str, names: Mapping[str, str], files: Mapping[str, Path]) -> int:
    """Append a node's series to their files; returns how many rows shared a millisecond with another one."""
    columns = ["timestamp", *names, *_LABELS.values()]
    rows = dataset.metrics.arrow(nodes=node, columns=list(names)).select(columns).to_pandas()
    rows = rows[rows["timestamp"].notna()].sort_values("timestamp", kind="stable")
    milliseconds = pd.DatetimeIndex(rows["timestamp"]).as_unit("ms").astype("int64").to_numpy()
    last = np.append(milliseconds[1:] != milliseconds[:-1], True) if len(rows) else np.zeros(0, dtype=bool)
    kept, seconds = rows[last], milliseconds[last] / 1000
    for column, name in (*names.items(), *((column, name) for name, column in _LABELS.items())):
        values = kept[column].astype("float64").to_numpy()
        head = f'{name}{{node="{escaped(node)}"}}'
        with files[column].open("a", encoding="utf-8", newline="\n") as file:
            file.writelines(
                f"{head} {_number(value)} {at:.3f}\n"
                for value, at in zip(values.tolist(), seconds.tolist(), strict=True)
                if not math.isnan(value)
            )
    return len(rows) - len(kept)


def _append(file: IO[str], name: str, what: str, part: Path) -> None:
    file.write(f"# TYPE {name} gauge\n# HELP {name} {escaped(what)}\n")
    if part.exists():
        with part.open(encoding="utf-8", newline="\n") as source:
            shutil.copyfileobj(source, file)


def _injections(dataset: Dataset) -> Iterator[str]:
    yield f"# TYPE {INJECTION} gauge\n"
    yield f"# HELP {INJECTION} 1 from an injection's start until nothing is felt of it, then 0\n"
    for injection, window in dataset.windows(margin="0s"):
        labels = f'injection_id="{escaped(injection.injection_id)}",action="{escaped(injection.action or "")}"'
        start = math.floor(window.start.timestamp() * 1000)
        end = max(math.ceil(window.end.timestamp() * 1000), start + 1)
        yield f"{INJECTION}{{{labels}}} 1 {start / 1000:.3f}\n"
        yield f"{INJECTION}{{{labels}}} 0 {end / 1000:.3f}\n"


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "+Inf" if value > 0 else "-Inf"


def escaped(text: str) -> str:
    """Return text as it stands between quotes of OpenMetrics."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


LAYOUT = Layout(
    "openmetrics",
    "promtool, and any parser of OpenMetrics",
    write,
    (
        "logs and traces",
        "phases; whose labels they are: faultset_anomalous says of a node that a fault concerns it, not which",
        "targets, impacts and their evidence; columns of metrics that are no numbers",
        "microseconds: times are milliseconds",
        "units of KPIs, which the sources do not state",
    ),
    f"promtool tsdb create-blocks-from openmetrics DIR/{FILE} DATA",
)
