"""What a benchmark measured, held against bounds and written down for the report; every benchmark uses it.

given = options(parser).parse_args()
bounds = Bounds(__file__, given, about="a report of 50 MB", peers=versions("orjson"))
bounds.at_most("time", ratio, 1.6, unit="x", peer="orjson")
sys.exit(bounds.close())
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).with_name("results")
SIZES = ("full", "smoke")


@dataclass(frozen=True)
class Held:
    """A number that was held against a bound.

    Attributes:
        what: what was measured, in a few words.
        value: what came out, in ``unit``.
        bound: the worst that passes, in ``unit``.
        unit: "x" where it is a ratio to ``peer``, else MB, kB, ms, "%" (then as a share: 0.01 is 1 %), or "".
        is_least: the value must be at least the bound, not at most.
        peer: what it was measured beside, a key of ``Measured.peers``; "" where the bound is of the number itself.
    """

    what: str
    value: float
    bound: float
    unit: str = ""
    is_least: bool = False
    peer: str = ""

    @property
    def holds(self) -> bool:
        """Whether the bound holds; it does not where nothing could be measured (NaN)."""
        return self.value >= self.bound if self.is_least else self.value <= self.bound

    @property
    def sign(self) -> str:
        """How the bound is read."""
        return "≥" if self.is_least else "≤"

    def of_bound(self) -> float:
        """Return which share of the bound is used; more than 1 where it is passed."""
        above, below = (self.bound, self.value) if self.is_least else (self.value, self.bound)
        if below <= 0 or above < 0:  # a difference below zero, or nothing at all that may be
            return 0.0 if self.holds else 2.0
        return above / below

    def text(self, number: float) -> str:
        """Return a value or bound of this kind as it is written."""
        if self.unit == "%":
            return f"{number:.2%}".replace("%", " %")
        digits = f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
        return f"{digits} {self.unit}".strip()


@dataclass
class Measured:
    """What one benchmark wrote down.

    Attributes:
        benchmark: the file's name without ``.py``.
        size: "full", or "smoke": ends soon, says whether the benchmark runs and little about how fast things are.
        about: what was measured on.
        peers: name -> version of what it was measured beside.
        date: when, as an ISO date.
        machine: the class of machine; never its name.
        load: one-minute load average at the beginning, which other work on the machine raises.
        seconds: how long the benchmark took.
        held: the numbers.
        notes: what was left out, in sentences.
    """

    benchmark: str
    size: str
    about: str
    peers: dict[str, str]
    date: str
    machine: str
    load: float
    seconds: float = 0.0
    held: list[Held] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Measured:
        """Return what was written into a file."""
        told = json.loads(path.read_text())
        return cls(**{**told, "held": [Held(**one) for one in told["held"]]})


def options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the options that every benchmark has."""
    parser.add_argument("--size", choices=SIZES, default="full", help="smoke: ends within seconds, with wider bounds")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder that the numbers are written into")
    return parser


def versions(*names: str) -> dict[str, str]:
    """Return the installed versions of packages, without those that are not installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Return the class of this machine: cores, architecture, memory, and the Python that runs."""
    cores = len(os.sched_getaffinity(0))
    memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    return f"{cores} cores ({platform.machine()}), {memory} GB, {platform.system()}, Python {platform.python_version()}"


class Bounds:
    """Collects the numbers of one benchmark, and writes them down at the end."""

    def __init__(
        self, file: str, given: argparse.Namespace, *, about: str, peers: Mapping[str, str] | None = None
    ) -> None:
        """Begin: ``file`` is the benchmark's, ``given`` its options, ``about`` what is measured on."""
        today = dt.datetime.now(dt.UTC).date().isoformat()
        load = round(os.getloadavg()[0], 1)
        self.measured = Measured(Path(file).stem, given.size, about, dict(peers or {}), today, machine(), load)
        self._target = given.results / f"{self.measured.benchmark}.json"
        self._begun = time.perf_counter()

    def at_most(
        self, what: str, value: float, bound: float, *, unit: str = "", peer: str = "", smoke: float | None = None
    ) -> None:
        """Note a number that may be at most so large; ``smoke``: the bound at that size, where it is another."""
        self._hold(Held(what, value, self._bound(bound, smoke), unit, False, peer))

    def at_least(
        self, what: str, value: float, bound: float, *, unit: str = "", peer: str = "", smoke: float | None = None
    ) -> None:
        """Note a number that must be at least so large; ``smoke``: the bound at that size, where it is another."""
        self._hold(Held(what, value, self._bound(bound, smoke), unit, True, peer))

    def note(self, said: str) -> None:
        """Note, and print, what the reader of the report should know beside the numbers."""
        print(said, flush=True)
        self.measured.notes.append(said)

    def close(self) -> int:
        """Write the numbers down; return the exit code: 1, having said which, where a bound is passed."""
        self.measured.seconds = round(time.perf_counter() - self._begun, 1)
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._target.write_text(json.dumps(asdict(self.measured), indent=1, ensure_ascii=False) + "\n")
        passed = [one for one in self.measured.held if not one.holds]
        for one in passed:
            wanted = f"{one.text(one.value)}, wanted {one.sign} {one.text(one.bound)}"
            print(f"{self.measured.benchmark}: {one.what}: {wanted}", file=sys.stderr)
        return int(bool(passed))

    def _bound(self, bound: float, smoke: float | None) -> float:
        return smoke if smoke is not None and self.measured.size == "smoke" else bound

    def _hold(self, one: Held) -> None:
        if one.peer and one.peer not in self.measured.peers:
            raise ValueError(f"{one.what}: {one.peer} is none of the peers {', '.join(self.measured.peers)}")
        self.measured.held.append(one)
