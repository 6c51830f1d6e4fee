"""Parts of a running cluster that die, freeze, or answer wrongly, one fault after another, from a seed."""

from __future__ import annotations

import json
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from cluster import Cluster
from s3 import Link

# What a moment's trouble of each kind is; a storage's data outlive it, so that moto, which keeps them in its memory, is
# frozen and cut off, never killed.
_KILLED = (
    "worker-1",
    "worker-2",
    "scheduler-1",
    "scheduler-2",
    "triggerer",
    "api-server",
    "dag-processor",
    "redis",
    "postgres",
)
_FROZEN = (*_KILLED, "s3")
_OF_STORAGE = ("slow", "500", "503", "cut", "lost answers", "gone")
# Most freezes are short; some are longer than the time after which a part counts as dead.
_SHORT_S, _LONG_S = (2.0, 12.0), (35.0, 45.0)


@dataclass(frozen=True)
class Fault:
    """One fault: of which part, which, after how many seconds of its round, for how many."""

    part: str
    kind: str
    after_s: float
    lasts_s: float

    def __str__(self) -> str:
        """In words."""
        lasts = f" for {self.lasts_s:.0f} s" if self.lasts_s else ""
        return f"{self.part} {self.kind}{lasts}"


def faults(seed: int, rounds: int) -> Iterator[list[Fault]]:
    """Yield the faults of each round; every part is hit about as often as any other."""
    chosen = random.Random(seed)
    for _ in range(rounds):
        yield sorted((_one(chosen) for _ in range(chosen.choice((1, 1, 2, 3)))), key=lambda one: one.after_s)


def _one(chosen: random.Random) -> Fault:
    after = chosen.uniform(0.0, 7.0)
    kind = chosen.choice(("killed", "killed", "frozen", "storage"))
    if kind == "killed":
        return Fault(chosen.choice(_KILLED), "killed", after, 0.0)
    if kind == "frozen":
        span = _LONG_S if chosen.random() < 0.15 else _SHORT_S
        return Fault(chosen.choice(_FROZEN), "frozen", after, chosen.uniform(*span))
    return Fault("storage", chosen.choice(_OF_STORAGE), after, chosen.uniform(*_SHORT_S))


@dataclass
class Chaos:
    """Brings faults over a cluster, which end by themselves; a supervisor starts again what was killed.

    Attributes:
        link: what lies between the parts and the storage.
        done: how many of each kind there were.
    """

    cluster: Cluster
    link: Link
    done: Counter[str] = field(default_factory=Counter)
    _ends: list[threading.Timer] = field(default_factory=list)

    def bring(self, fault: Fault) -> None:
        """Let a fault begin."""
        self.done[f"{fault.part} {fault.kind}"] += 1
        if fault.part == "storage":
            self._trouble(fault.kind)
            end = self._heal
        elif fault.kind == "killed":
            self.cluster.parts[fault.part].kill()
            return
        else:
            part = self.cluster.parts[fault.part]
            part.send(signal.SIGSTOP)
            end = lambda: part.send(signal.SIGCONT)  # noqa: E731
        # By a clock of its own: whoever asks a part that is frozen waits for its end.
        timer = threading.Timer(fault.lasts_s, end)
        timer.start()
        self._ends.append(timer)

    def end(self) -> None:
        """Wait until every fault is over."""
        for timer in self._ends:
            timer.join()

    def _trouble(self, kind: str) -> None:
        dice = random.Random(len(self._ends))
        if kind == "slow":
            self.link.slow = lambda _method: 3.0 * dice.random()
        elif kind in ("500", "503"):
            self.link.refuse = lambda _method: int(kind) if dice.random() < 0.7 else 0
        elif kind == "lost answers":
            self.link.lose = lambda _method: dice.random() < 0.5
        elif kind == "cut":
            self.link.lose = lambda _method: True
        else:
            self.link.gone = True

    def _heal(self) -> None:
        self.link.slow, self.link.refuse, self.link.lose = lambda _: 0.0, lambda _: 0, lambda _: False
        self.link.gone = False

    def told(self) -> str:
        """Return how many faults there were of which kind, as JSON."""
        return json.dumps(dict(sorted(self.done.items())))
