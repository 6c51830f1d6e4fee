"""What is kept on a walk through scripts: actions, sessions, notes, files, time, and how much was spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from faultset.errors import printable
from faultset.records.scripts import CommandedAction, HookScripts, HumanOrder, Printed, Stream
from faultset.sources.scripts.clues import common
from faultset.sources.scripts.frame import Content, Frame, TooMuchError
from faultset.sources.scripts.shell_actions import CHOICES, CONTAINER_PROCESS, PROCESS_ID, Deed
from faultset.sources.scripts.shell_expansion import UNKNOWN

MOST_ROUNDS = 10_000
# Commands looked at, long texts counted as several; far more than any hook has, and done within seconds.
_MOST_STEPS = 25_000
_CHARACTERS_A_STEP = 50
_RECORDS_A_STEP = 5
_MOST_NOTES = 50
_WORST: dict[Stream, int] = {"heard": 0, "filtered": 1, "gone": 2}
_Key = tuple[str | None, str, str | None, str, str, int, str]


def worse(first: Stream, second: Stream) -> Stream:
    """Return which of two streams shows less."""
    return max(first, second, key=_WORST.__getitem__)


@dataclass(frozen=True, slots=True)
class Aim:
    """What a deed acts on, once its marks are read."""

    name: str | None
    chosen: bool


class Ledger:
    """The findings of one walk."""

    def __init__(self) -> None:
        self.files: dict[str, Content] = {}
        self.sessions: list[str] = []
        self.human: list[HumanOrder] = []
        self.times = 1
        # Seconds since the hook's start, as far as sleeps tell; and when what runs in the background is done.
        self.clock: float | None = 0.0
        self.background: float | None = 0.0
        self._actions: dict[_Key, CommandedAction] = {}
        self._fallbacks: dict[_Key, CommandedAction] = {}
        self._prints: dict[tuple[str | None, str], int | None] = {}
        self._notes: dict[str, bool] = {}
        self._steps = 0
        self._records = 0

    def __len__(self) -> int:
        """Actions and sessions so far."""
        return sum(action.count for action in self._actions.values()) + len(self.sessions)

    def fallback_count(self) -> int:
        """Actions so far that run only after a failure."""
        return len(self._fallbacks)

    def spend(self, characters: int = 0) -> None:
        """Count a step, and characters as steps; too many end the walk."""
        self._steps += 1 + characters // _CHARACTERS_A_STEP
        if self._steps > _MOST_STEPS:
            raise TooMuchError

    def note(self, frame: Frame | None, line: int, text: str, *, unread: bool = False) -> None:
        """Say what could not be read; ``unread`` where it may act on something."""
        if len(self._notes) > _MOST_NOTES:
            return
        if frame is not None:
            place = (f"{frame.script}:{line}" if line else frame.script) if frame.script else "the hook's command"
            text = f"{place}: {text}"
        text = printable(text)
        self._notes[text] = self._notes.get(text, False) or unread

    def prints(self, frame: Frame, text: str | None, most: int | None, by: str) -> None:
        """Keep what a command prints that is no action, where it reaches the hook's output."""
        if frame.stdout == "gone":
            return
        before = self._prints.get((text, by), 0)
        self._prints[text, by] = None if before is None or most is None else before + most * self.times

    def session(self, host: str) -> None:
        """Count a session."""
        self.sessions += [host] * min(self.times, MOST_ROUNDS - len(self.sessions))

    def sleep(self, seconds: float | None) -> None:
        """Let time pass; None where it is not told how much."""
        self.clock = None if self.clock is None or seconds is None else self.clock + seconds

    def record(self, deed: Deed, frame: Frame, line: int) -> None:
        """Keep an action."""
        self._records += 1
        if self._records % _RECORDS_A_STEP == 0:
            self.spend()
        if deed.verb == "signal":
            # A signal that is no fault: docker prints the name all the same.
            if deed.acknowledges == "name":
                self.prints(frame, deed.name, 1, "a signal that is no fault")
            return
        host = deed.host if deed.host is not None else frame.host
        if UNKNOWN in (host or ""):
            self.note(frame, line, f"'{deed.verb}' acts on a node whose name the script does not tell", unread=True)
            return
        deed = _in_container(deed, frame)
        aim = self._aim(deed, frame, line)
        if aim is None:
            return
        key = (host or None, deed.verb, aim.name, deed.kind, frame.script, line, deed.part)
        self._keep(key, self._action(key, deed, aim, frame), frame)

    def _aim(self, deed: Deed, frame: Frame, line: int) -> Aim | None:
        name = deed.name or ""
        for mark in CHOICES:
            if name.startswith(mark):
                return Aim(name.removeprefix(mark).split(UNKNOWN)[0] or None, chosen=True)
        for mark in (PROCESS_ID, CONTAINER_PROCESS):
            name = name.removeprefix(mark)
        if UNKNOWN not in name:
            return Aim(name or None, chosen=deed.chosen)
        told = f"'{deed.verb}' acts on a {deed.kind} whose name the script does not tell"
        self.note(frame, line, told, unread=deed.kind != "container")
        return Aim(None, chosen=True) if deed.kind == "container" else None

    def _action(self, key: _Key, deed: Deed, aim: Aim, frame: Frame) -> CommandedAction:
        host, verb, name, _, script, line, part = key
        begins = None if self.clock is None or deed.delay_s is None else self.clock + deed.delay_s
        return CommandedAction(
            host=host,
            verb=verb,
            name=name,
            kind=deed.kind,
            count=self.times,
            script=script,
            line=line,
            begins_after_s=begins,
            last_begins_after_s=begins,
            detached=(frame.detached and not frame.waited) or deed.detached,
            via=deed.via or frame.via,
            chosen=aim.chosen,
            certain=frame.certain,
            at_least=frame.repeated,
            acknowledges=deed.acknowledges,
            stdout=frame.stdout,
            stderr=frame.stderr,
            clues=() if deed.detached or self.times > 1 else frame.clues,
            part=part,
        )

    def _keep(self, key: _Key, action: CommandedAction, frame: Frame) -> None:
        kept = self._fallbacks if frame.fallback else self._actions
        before = kept.get(key)
        kept[key] = action if before is None else _together(before, action)

    def result(self, missing: Iterable[str]) -> HookScripts:
        """Return all that was found."""
        for name in sorted(missing):
            self.note(None, 0, f"{printable(name, 80)} is not among the hook scripts", unread=True)
        notes = tuple(self._notes)[:_MOST_NOTES]
        return HookScripts(
            actions=tuple(self._actions.values()),
            sessions=tuple(self.sessions),
            notes=notes,
            unread=tuple(note for note in notes if self._notes[note]),
            prints=tuple(Printed(text, most, by) for (text, by), most in self._prints.items()),
            fallbacks=tuple(self._fallbacks.values()),
            human=tuple(self.human),
        )

    @property
    def said_something(self) -> bool:
        """Whether any action, session or human command was met."""
        return bool(self._actions or self._fallbacks or self.sessions or self.human)


def _in_container(deed: Deed, frame: Frame) -> Deed:
    """Whatever stops something inside a container is done to the container."""
    if frame.container is None or (deed.kind == "container" and deed.name == frame.container):
        return deed
    verb = "kill" if deed.verb in ("reboot", "poweroff", "shutdown") else deed.verb
    return replace(deed, verb=verb, name=frame.container, kind="container", acknowledges="nothing", chosen=False)


def _together(before: CommandedAction, action: CommandedAction) -> CommandedAction:
    """Join two runs of one command."""
    return replace(
        before,
        count=before.count + action.count,
        last_begins_after_s=action.last_begins_after_s,
        detached=before.detached or action.detached,
        certain=before.certain and action.certain,
        at_least=before.at_least or action.at_least,
        stdout=worse(before.stdout, action.stdout),
        stderr=worse(before.stderr, action.stderr),
        clues=common(before.clues, action.clues),
    )
