"""Commands that wait, or that run others later, behind the hook's back: ``at``, ``systemd-run``, ``screen``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faultset.sources.scripts.conditions import Status
from faultset.sources.scripts.frame import Frame
from faultset.sources.scripts.printing import Printing
from faultset.sources.scripts.shell_actions import arguments, base_name, option, without_prefixes
from faultset.sources.scripts.timers import at_delay_s, sleep_s, timer_s

if TYPE_CHECKING:
    from faultset.sources.scripts.walk import Walk


@dataclass(frozen=True, slots=True)
class Line:
    """A simple command after its expansion, without ``sudo`` and the like; ``raw`` with them."""

    words: list[str]
    number: int
    raw: list[str]


Walker = Callable[[Line, Frame], Status]


class Later:
    """Commands about time.

    Args:
        walk: the walk they stand in.
        printing: what gives the files that they read.
        line: what walks through a command whose words are known.
    """

    def __init__(self, walk: Walk, printing: Printing, line: Walker) -> None:
        self._walk = walk
        self._ledger = walk.ledger
        self._printing = printing
        self._line = line

    def walkers(self) -> dict[str, Walker]:
        """Return what is read here, by name."""
        return {
            "sleep": self._sleep,
            "wait": self._wait,
            "at": self._at,
            "batch": self._at,
            "systemd-run": self._systemd_run,
            "screen": self._terminal,
            "tmux": self._terminal,
        }

    def _sleep(self, line: Line, _frame: Frame) -> Status:
        self._ledger.sleep(sleep_s(line.words[1:]))
        return True

    def _wait(self, _line: Line, _frame: Frame) -> Status:
        ledger = self._ledger
        ends = (ledger.clock, ledger.background)
        ledger.clock = None if None in ends else max(end for end in ends if end is not None)
        return True

    def behind(self, frame: Frame, delay_s: float | None, walk: Callable[[Frame], Status]) -> Status:
        """Walk through what runs after a while, behind the hook's back."""
        clock = self._ledger.clock
        self._ledger.sleep(delay_s)
        child = frame.but(clues=(), sink=None, lines=None, stdout="gone", stderr="gone").subshell()
        walk(child.but(detached=True))
        self._ledger.clock = clock
        return None

    def _at(self, line: Line, frame: Frame) -> Status:
        words = line.words[1:]
        if {"-l", "-r", "-d", "-c"} & set(words):
            return None
        path = option(words, "f", "--file")
        content = self._printing.file(path, frame, line.number) if path else frame.stdin
        if not content:
            self._ledger.note(frame, line.number, f"what '{line.words[0]}' does later is not told", unread=True)
            return None
        delay = 0.0 if line.words[0] == "batch" else at_delay_s(arguments(words, "qft"))
        return self.behind(
            frame.but(stdin=content), delay, lambda child: self._walk.content(child, [])
        )  # fmt: skip

    def _systemd_run(self, line: Line, frame: Frame) -> Status:
        words = line.words[1:]
        long = frozenset({
            "--unit", "--property", "--description", "--slice", "--uid", "--gid", "--on-active", "--on-boot",
            "--on-calendar", "--on-unit-active", "--machine", "--host", "--setenv", "--working-directory",
        })  # fmt: skip
        inside = without_prefixes(arguments(words, "puHME", long, in_front=True))
        stays = bool({"--wait", "--scope", "--pipe", "-t", "-P", "--pty"} & set(words))
        timers = [word for word in words if word.startswith("--on-")]
        run = Line(inside, line.number, inside)
        if stays and not timers:
            return self._line(run, frame)
        delay = timer_s(words) if timers else 0.0
        return self.behind(frame, delay, lambda child: self._line(run, child))

    def _terminal(self, line: Line, frame: Frame) -> Status:
        """``screen -dm`` and ``tmux new -d`` run a command behind the hook's back."""
        words = line.words[1:]
        if base_name(line.words[0]) == "tmux":
            given = arguments(words, "fLSc", in_front=True)
            words = given[1:] if given[:1] in (["new"], ["new-session"]) else []
            operands = arguments(words, "cefFnstxy", in_front=True)
        else:
            operands = arguments(words, "cehpsStT", in_front=True)
        if not operands:
            return None
        if len(operands) == 1:
            return self.behind(frame, 0.0, lambda child: self._walk.text(operands[0], line.number, child))
        inside = without_prefixes(operands)
        run = Line(inside, line.number, operands)
        return self.behind(frame, 0.0, lambda child: self._line(run, child))
