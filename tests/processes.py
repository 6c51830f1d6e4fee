"""Processor time of processes with all that they started, from ``/proc``."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_S = 0.2


@dataclass(frozen=True)
class Process:
    """One process at one moment.

    Attributes:
        parent: its number.
        seconds: of processor, its own and those of children that ended and were waited for.
        title: its command line.
    """

    number: int
    parent: int
    seconds: float
    title: str


def family(roots: Sequence[int]) -> Iterator[Process]:
    """Yield processes with all that descends from them; those that ended without being waited for are lost."""
    found: dict[int, list[Process]] = defaultdict(list)
    known: dict[int, Process] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (one := _process(entry)):
            found[one.parent].append(one)
            known[one.number] = one
    pending = [known[root] for root in roots if root in known]
    while pending:
        one = pending.pop()
        yield one
        pending += found[one.number]


def _process(entry: Path) -> Process | None:
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:  # it has ended
        return None
    return Process(int(entry.name), int(fields[1]), sum(map(int, fields[11:15])) / _TICKS, title)


def seconds(roots: Sequence[int]) -> float:
    """Processor time of processes and all their descendants so far; only grows while the roots live."""
    return sum(one.seconds for one in family(roots))


@dataclass
class Sampler:
    """Looks at processes again and again while it is entered.

    Attributes:
        roots: their numbers.
        titled: title -> processor time of the processes of this title, as they were seen last.
    """

    roots: Sequence[int]
    titled: dict[str, float] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Sampler:
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_S):
            for one in family(self.roots):
                self.titled[one.title] = max(self.titled.get(one.title, 0.0), one.seconds)
