"""What the scripts of hooks order, print and let be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Where a command's output goes: into the hook's own, through a filter that may drop lines, or out of sight.
Stream = Literal["heard", "filtered", "gone"]


@dataclass(frozen=True, slots=True)
class Clue:
    """Something that can be seen of a hook, and what it says of one command: that it succeeded, or that it failed.

    Attributes:
        seen: the hook's exit code, a line that the hook prints only then, or what ansible and its like say of a node.
        succeeded: whether the command succeeded, where that is seen.
        text: the line, for a line.
    """

    seen: Literal["exit 0", "exit not 0", "line", "node"]
    succeeded: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command that is no action prints into the hook's output.

    Attributes:
        text: the line; None for the names of things, which ones the text does not tell.
        most: how often at most it prints one line; None where nothing tells.
        by: the command, in words.
    """

    text: str | None
    most: int | None
    by: str


@dataclass(frozen=True, slots=True)
class CommandedAction:
    """What a hook's scripts order on one node.

    Attributes:
        host: host as written behind ``ssh user@``; None for the machine that runs the hook.
        verb: ``stop``, ``start``, ``restart``, ``kill``, ``pause``, ``unpause``, ...
        name: container, service or process it acts on; None for a node action such as ``reboot``.
        kind: ``container`` (docker, podman, nerdctl), ``service`` (systemctl, service), ``process`` (kill, pkill) or
            ``node``.
        count: how often, loops unrolled.
        script: file name of the script it stands in.
        line: line in that script, from 1.
        begins_after_s: seconds from the hook's start to its first run, as far as the text's sleeps and timers tell;
            None where one of them is not known. What commands themselves take is not in it.
        last_begins_after_s: the same, of its last run.
        detached: whether it runs in the background, so that the hook may have returned before it.
        via: the tool that takes it to ``host`` where that is no host of ssh's own (``ansible``, ``pdsh``); ``host`` may
            then be a group or a pattern.
        chosen: whether ``name`` is no name but what things were chosen by (``grep ^nova``); None: chosen by what is
            not told.
        certain: whether it runs for certain, or in a branch that may not.
        at_least: whether ``count`` is the least only, for a loop whose rounds are not told.
        acknowledges: what shows its success: the name on a line of stdout, an id there, words that name it, or nothing.
        stdout: where that line goes.
        stderr: where its errors go.
        clues: what would show that it succeeded or failed. Where it runs several times, of every one of them.
        part: of what on the node or of the thing it acts on, such as one device or one rule: a path whose beginnings
            name what holds it, in digests, for its words are a text's; "" for the whole.
    """

    host: str | None
    verb: str
    name: str | None
    kind: Literal["container", "service", "process", "node"]
    count: int
    script: str
    line: int
    begins_after_s: float | None = 0.0
    last_begins_after_s: float | None = 0.0
    detached: bool = False
    via: str | None = None
    chosen: bool = False
    certain: bool = True
    at_least: bool = False
    acknowledges: Literal["name", "id", "words", "nothing"] = "name"
    stdout: Stream = "heard"
    stderr: Stream = "heard"
    clues: tuple[Clue, ...] = ()
    part: str = ""


@dataclass(frozen=True, slots=True)
class HumanOrder:
    """A human command given to os-faults' command line, in a hook's command or script.

    Attributes:
        text: the command.
        clues: what would show that os-faults succeeded or failed.
    """

    text: str
    clues: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True)
class HookScripts:
    """What the scripts of a hook say, taken together.

    Attributes:
        actions: in the order they would run.
        sessions: hosts in the order of their sessions, one entry a session.
        notes: what could not be read (an unknown loop, a missing piped file), in words.
        unread: those of ``notes`` that are about a command which may act on something.
        prints: what else of its output could be mistaken for an answer.
        fallbacks: actions that run only after a failure (behind ``||``).
        human: commands of os-faults.
    """

    actions: tuple[CommandedAction, ...] = ()
    sessions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    prints: tuple[Printed, ...] = ()
    fallbacks: tuple[CommandedAction, ...] = ()
    human: tuple[HumanOrder, ...] = ()
