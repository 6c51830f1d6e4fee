"""Labeled sets as other people publish them, with one planted fault each or none; knows nothing of any audit.

Noise is recorded where there is a recording (five machines at the same moments, a row every 5 s) and drawn elsewhere:
loads that breathe, memory that creeps and steps, requests that come as they like, spikes, gaps, whole numbers, common
causes. An effect begins, lasts and looks as it likes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

FIVE_NODES = Path(__file__).parents[2] / "shared/real/five_nodes/scaled.parquet"
Floats = npt.NDArray[np.float64]
FAULTS = ("no_effect", "time_shift", "label_leak", "duplicate_columns", "degenerate")
SERVICES = (
    "adservice", "cartservice", "checkout", "currency", "email", "frontend", "payment", "catalog", "shipping", "redis",
)  # fmt: skip
METRICS = ("cpu", "mem", "load", "latency-90", "error", "diskio", "socket")
EPOCH = 1_705_000_000


@dataclass
class Series:
    """A case before it is written: ``frame`` holds its columns, ``onset`` and ``end`` its effect's true rows."""

    frame: pd.DataFrame
    seconds: Floats
    onset: list[int]
    end: list[int]
    label: list[int]
    service: str = ""
    said: list[str] = field(default_factory=list)


# --- noise ------------------------------------------------------------------------------------------------------------


def drawn(random: np.random.Generator, rows: int, services: tuple[str, ...], step: float) -> pd.DataFrame:
    """Columns ``{service}_{metric}`` of a system under load."""
    demand = breathing(random, rows, step)
    found = {}
    for service in services:
        share = random.uniform(0.3, 1.0)
        found[f"{service}_cpu"] = np.abs(
            20 + 15 * share * demand + wandering(random, rows, 0.8) * random.uniform(1, 3) + bursts(random, rows, 8.0)
        )
        found[f"{service}_mem"] = 3e8 + 2e6 * np.cumsum(random.normal(0, 0.2, rows)) + sawtooth(random, rows) * 1e7
        found[f"{service}_load"] = np.round(random.poisson(np.clip(40 * share * (1 + 0.3 * demand), 1, None)), 0)
        found[f"{service}_latency-90"] = 0.05 * np.exp(0.2 * demand + 0.15 * random.standard_t(5, rows))
        found[f"{service}_error"] = (random.random(rows) < random.uniform(0.005, 0.05)).astype(float)
        found[f"{service}_diskio"] = np.where(random.random(rows) < 0.2, random.gamma(2, 4000, rows), 0.0)
        found[f"{service}_socket"] = np.round(50 + 8 * demand + wandering(random, rows, 0.95) * 2)
    return pd.DataFrame(found)


def breathing(random: np.random.Generator, rows: int, step: float) -> Floats:
    at = np.arange(rows) * step
    waves = [np.sin(2 * np.pi * at / random.uniform(60, 1800) + random.uniform(0, 6)) for _ in range(3)]
    return np.sum(waves, axis=0) / 2 + wandering(random, rows, 0.98)


def wandering(random: np.random.Generator, rows: int, memory: float) -> Floats:
    found = np.empty(rows)
    value = random.normal()
    for row, draw in enumerate(random.normal(0, np.sqrt(1 - memory**2), rows)):
        value = memory * value + draw
        found[row] = value
    return found


def bursts(random: np.random.Generator, rows: int, size: float) -> Floats:
    found = np.zeros(rows)
    for at in random.integers(0, rows, max(rows // 150, 1)):
        found[at : at + int(random.integers(1, 4))] += random.uniform(0.5, 1.5) * size
    return found


def sawtooth(random: np.random.Generator, rows: int) -> Floats:
    period = int(random.integers(40, 200))
    return (np.arange(rows) + random.integers(period)) % period / period


@functools.cache
def recording() -> pd.DataFrame | None:
    return pd.read_parquet(FIVE_NODES) if FIVE_NODES.is_file() else None


def recorded(random: np.random.Generator, rows: int) -> pd.DataFrame | None:
    """Five machines' processor and memory, of a stretch that the generator chooses; None without a recording."""
    frame = recording()
    if frame is None:
        return None
    first = int(random.integers(0, len(frame) - rows))
    part = frame.iloc[first : first + rows].reset_index(drop=True)
    names = {column: column for column in part.columns if column.endswith((".cpu.user", ".mem.used"))}
    renamed = {name: f"{name.split('.')[0]}_{'cpu' if name.endswith('cpu.user') else 'mem'}" for name in names}
    part = part[list(names)].rename(columns=renamed).astype(float)
    jitter = pd.DataFrame(random.normal(0, 1e-6, part.shape), columns=part.columns)  # the last digits of a real counter
    return part * 100 + jitter


# --- effects ----------------------------------------------------------------------------------------------------------


def shape(random: np.random.Generator, rows: int) -> tuple[Floats, bool]:
    """Return how an effect of some rows runs, 0 to about 1, and whether it makes restless rather than moves."""
    at = np.linspace(0, 1, rows)
    kind = int(random.integers(6))
    if kind == 0:
        return np.ones(rows), False
    if kind == 1:
        return np.minimum(at / random.uniform(0.05, 0.3), 1), False
    if kind == 2:
        return 1 - np.exp(-at * random.uniform(8, 30)), False
    if kind == 3:
        return np.where(np.arange(rows) % int(random.integers(6, 14)) < 4, 1.0, 0.35), False
    if kind == 4:
        return random.standard_normal(rows) * 1.2, True
    return np.exp(-at * random.uniform(0.5, 2.0)), False


def hit(random: np.random.Generator, frame: pd.DataFrame, column: str, rows: slice, strength: float) -> None:
    """Let a column feel an effect, of so many of its own deviations."""
    value = frame[column].to_numpy(copy=True)
    spread = np.subtract(*np.percentile(value, [84, 16])) / 2 or value.std() or 1.0
    run, _ = shape(random, rows.stop - rows.start)
    way = -1.0 if random.random() < 0.25 else 1.0
    value[rows] = value[rows] + way * strength * spread * run
    frame[column] = value


# --- RCAEval's form ---------------------------------------------------------------------------------------------------


def incident(random: np.random.Generator, *, real: bool) -> Series:
    """A case: some quiet, an injection, its effect on the service to blame and perhaps on others."""
    step = 5.0 if real else 1.0
    quiet = int(random.uniform(500, 900) / (step if not real else 1))
    after = int(random.uniform(400, 800) / (step if not real else 1))
    frame = recorded(random, quiet + after) if real else None
    if frame is None:
        services = tuple(random.choice(SERVICES, size=int(random.integers(4, 9)), replace=False))
        step, frame = 1.0, drawn(random, quiet + after, services, 1.0)
    services = tuple(dict.fromkeys(name.split("_")[0] for name in frame.columns))
    blamed = str(random.choice(services))
    delay = int(random.uniform(0, 40) / step)
    lasts = int(random.uniform(0.3, 1.0) * (after - delay))
    own = [name for name in frame.columns if name.startswith(f"{blamed}_") and not name.endswith("_error")]
    chosen = random.choice(own, size=min(len(own), int(random.integers(2, 5))), replace=False)
    others = [name for name in frame.columns if name not in own and not name.endswith("_error")]
    rows = slice(quiet + delay, quiet + delay + max(lasts, 60))
    for name in chosen:
        hit(random, frame, str(name), rows, random.uniform(6, 25))
    for name in random.choice(others, size=int(random.integers(0, 3)), replace=False):
        hit(random, frame, str(name), slice(rows.start + int(5 / step), rows.stop), random.uniform(2, 8))
    gaps = random.random(frame.shape) < 0.002
    frame = frame.mask(gaps)
    seconds = EPOCH + int(random.integers(0, 10**6)) + np.arange(len(frame)) * step
    return Series(frame, seconds, [rows.start], [rows.stop], [quiet], blamed)


def quiet_incident(random: np.random.Generator, *, real: bool) -> Series:
    """A case whose injection did nothing."""
    plain = incident(random, real=real)
    rows = len(plain.frame)
    frame = recorded(random, rows) if real else None
    if frame is None:
        services = tuple(dict.fromkeys(name.split("_")[0] for name in plain.frame.columns))
        frame = drawn(random, rows, services if not real else SERVICES[:5], 1.0)
    service = str(frame.columns[0]).split("_", maxsplit=1)[0]
    return Series(frame.mask(random.random(frame.shape) < 0.002), plain.seconds, [], [], plain.label, service)


def write_rcaeval(folder: Path, number: int, case: Series, *, old: bool) -> str:
    """Write a case in one of the two forms; returns the case's name as an audit of ``folder`` would say it."""
    inject = int(case.seconds[0] + (case.seconds[-1] - case.seconds[0]) * case.label[0] / (len(case.seconds) - 1))
    fault = ("cpu", "mem", "delay", "loss")[number % 4]
    name = f"{case.service}_{fault}/{number}" if old else f"re9_{case.service}_{fault}_{number}"
    place = folder / name
    place.mkdir(parents=True)
    frame = case.frame.copy()
    frame.insert(0, "time", case.seconds.astype("int64"))
    if old:
        frame.to_csv(place / "data.csv", index=False)
    else:
        frame.to_parquet(place / "metrics.parquet", index=False)
    (place / "inject_time.txt").write_text(f"{inject}\n")
    return name


# --- TSB-AD's form ----------------------------------------------------------------------------------------------------


def recurring(random: np.random.Generator, *, real: bool, effects: bool = True) -> Series:
    """A series with several labeled stretches."""
    rows = int(random.integers(3000, 6000))
    frame = recorded(random, rows) if real else None
    if frame is None:
        frame = drawn(random, rows, ("host",), 1.0).drop(columns="host_error")
    train = int(rows * random.uniform(0.25, 0.4))
    count = min(int(random.integers(3, 7)), (rows - train - 400) // 350)
    starts = train + np.sort(random.choice((rows - train - 400) // 350, size=count, replace=False)) * 350 + 50
    lengths = random.integers(25, 250, count)
    for start, length in zip(starts, lengths, strict=True):
        if effects:
            names = random.choice(frame.columns, size=min(int(random.integers(1, 4)), frame.shape[1]), replace=False)
            for name in names:
                hit(random, frame, str(name), slice(int(start), int(start + length)), random.uniform(8, 30))
    onsets, ends = [int(start) for start in starts], [int(at) for at in starts + lengths]
    return Series(frame, np.arange(rows, dtype=float), onsets, ends, list(onsets))


def write_tsb_ad(folder: Path, number: int, case: Series) -> str:
    """Write a series; returns its name."""
    label = np.zeros(len(case.frame), dtype=int)
    for start, onset, end in zip(case.label, case.onset, case.end, strict=True):
        label[max(start, 0) : max(start + end - onset, 0)] = 1
    first = int(label.argmax())
    name = f"{number:03}_OTHERS_id_{number}_Facility_tr_{min(first, len(label) // 4)}_1st_{first}"
    folder.mkdir(parents=True, exist_ok=True)
    case.frame.ffill().bfill().assign(Label=label).to_csv(folder / f"{name}.csv", index=False)
    return name


# --- faults of sets ---------------------------------------------------------------------------------------------------


def shifted(random: np.random.Generator, case: Series) -> None:
    """Put the label minutes off; of series of rows, some hundred rows, all by the same."""
    step = case.seconds[1] - case.seconds[0]
    if len(case.label) > 1:
        room = min(case.onset[0] - 300, len(case.frame) - case.end[-1] - 100)
        by = int(random.integers(80, max(min(room, 300), 90))) * (1 if random.random() < 0.5 else -1)
        case.label = [one + by for one in case.onset]
        return
    earlier = int(random.uniform(150, 400) / step)
    later = int(random.uniform(150, 300) / step)
    if random.random() < 0.5 and case.label[0] > earlier + 60:
        case.label = [case.label[0] - earlier]
    else:
        case.label = [min(case.label[0] + later, len(case.frame) - 40)]


def leaking(random: np.random.Generator, case: Series) -> str:
    """Add or change a column so that it gives the label away; returns its name."""
    rows = np.arange(len(case.frame))
    labeled = np.zeros(len(rows), dtype=bool)
    for start, onset, end in zip(case.label, case.onset, case.end, strict=True):
        labeled[start : start + end - onset if len(case.label) > 1 else len(rows)] = True
    kind = int(random.integers(4))
    name = f"{case.service or 'host'}_{random.choice(['state', 'flag', 'mode', 'quota'])}"
    if kind == 0:
        value = np.where(labeled, 1.0, 0.0)
    elif kind == 1:
        value = np.where(labeled, 7.5 + random.normal(0, 1, len(rows)), 7.5)
    elif kind == 2:
        value = np.where(labeled, random.gamma(2, 3, len(rows)), np.nan)
        if len(case.label) > 1:  # that form has no gaps
            value = np.nan_to_num(value, nan=0.0)
    else:
        name = str(random.choice(["chaos-mesh_cpu", "is_anomaly", "host_injected", "ground_truth", "fault_active"]))
        value = random.normal(5, 1, len(rows))
    case.frame.insert(int(random.integers(case.frame.shape[1])), name, value)
    return name


def duplicated(random: np.random.Generator, case: Series) -> str:
    """Add a column that says what another one says; returns its name."""
    source = str(random.choice([name for name in case.frame.columns if not name.endswith("_error")]))
    kinds: tuple[Callable[[pd.Series], pd.Series], ...] = (
        lambda one: one,
        lambda one: one / 1024,
        lambda one: 100 - one * 2.5,
        lambda one: one.astype("float32").astype(float),
    )
    name = f"{source.split('_', maxsplit=1)[0]}_copy"
    case.frame.insert(
        int(random.integers(case.frame.shape[1])), name, kinds[int(random.integers(4))](case.frame[source])
    )
    return name


def broken(random: np.random.Generator, case: Series) -> str:
    """Make some of the data say nothing; returns what was done."""
    frame, rows = case.frame, len(case.frame)
    name = str(random.choice([one for one in frame.columns if one.endswith(("_cpu", "_mem"))]))
    kind = int(random.integers(6 if len(case.label) == 1 else 2))
    if kind == 0:
        frame[name] = 3.0
        return f"{name} constant"
    if kind == 1:
        first = int(random.integers(0, rows // 2))
        frame.loc[first : first + max(int(0.2 * rows), 80), name] = frame[name].ffill().bfill().iloc[first]
        return f"{name} frozen"
    if kind == 2:
        frame[name] = np.nan
        return f"{name} empty"
    if kind == 3:
        case.label = [rows + 3600]
        return "label outside"
    if kind == 4:
        keep = np.ones(rows, dtype=bool)
        first = int(random.integers(30, rows // 3))
        keep[first : first + int(0.15 * rows)] = False
        case.frame, case.seconds = frame[keep].reset_index(drop=True), case.seconds[keep]
        case.label = [int(np.searchsorted(case.seconds, case.seconds[0] + (case.label[0] / rows) * rows))]
        return "hole"
    case.seconds = case.seconds.copy()
    at = int(random.integers(50, rows - 50))
    case.seconds[at : at + 5] = case.seconds[at]
    return "times repeat"
