"""Where a walk through scripts is: machine, shell, variables, and what becomes of output and exit code."""

from __future__ import annotations

from dataclasses import dataclass, field

from faultset.records.scripts import Stream
from faultset.sources.scripts.clues import OF_THE_HOOK, Clues
from faultset.sources.scripts.shell_expansion import Scope
from faultset.sources.scripts.shell_syntax import parse
from faultset.sources.scripts.shell_tree import Body, Program


@dataclass(frozen=True, slots=True)
class Text:
    """Text that may be read as a script, as lines, or as names.

    Attributes:
        script: the script that it stands in; "" for the hook's command itself.
        text: it, with ``UNKNOWN`` for what is not known.
        line: of the script, from 1.
        program: its commands where they are known already: it is a file of the library.
    """

    script: str
    text: str
    line: int = 1
    program: Program | None = None

    def commands(self) -> Program:
        """Return it as commands."""
        return self.program or parse(readable(self.text), self.line)


Content = tuple[Text, ...]


def readable(text: str) -> str:
    """Return a text made by expansion as one that can be parsed: what is not known becomes an unset variable."""
    return text.replace("\x00", "${_}")


@dataclass(slots=True)
class Shell:
    """One shell process.

    Attributes:
        clues: what shows with which exit code it ended.
        stops_at_errors: ``set -e``.
        fails_with_pipes: ``set -o pipefail``.
        may_leave: whether an ``exit`` stood before, so that a failure need not be the last command's.
        stdout: where ``exec >`` sent its output; None where it was not sent anywhere.
        masked: whether a trap gives it an exit code of its own.
        at_exit: commands that ``trap`` keeps for its end.
    """

    clues: Clues = OF_THE_HOOK
    stops_at_errors: bool = False
    fails_with_pipes: bool = False
    may_leave: bool = False
    stdout: Stream | None = None
    masked: bool = False
    at_exit: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Lines:
    """What a loop over ``read`` has not read yet; a session within takes it all."""

    left: list[str]


@dataclass(frozen=True)
class Frame:
    """Where the walk is.

    Attributes:
        script: the script at hand; "" for the hook's command itself.
        host: the machine; None for the one that runs the hook.
        scope: its variables.
        functions: its functions.
        shell: the shell process.
        stack: the scripts and functions that led here.
        depth: how many shells deep it is.
        stdin: what is piped to it; None where that is not known.
        lines: what ``read`` reads from, in a loop over it.
        sink: where what is printed is kept for a later reader; None where nobody reads it.
        stdout: where its output goes.
        stderr: where its errors go.
        clues: what shows with which exit code the command at hand ended.
        guarded: whether ``set -e`` does not apply, in a condition.
        certain: whether it runs for certain.
        fallback: whether it runs only after a failure.
        repeated: whether it runs at least once, and how often is not told.
        detached: whether it runs in the background.
        waited: whether the background is waited for.
        echoes: whether the command at hand prints what commands in its words print.
        via: the tool that leads to ``host`` where that is not ssh.
        container: the container that it runs in, for ``docker exec``.
    """

    script: str
    host: str | None
    scope: Scope
    functions: dict[str, Body]
    shell: Shell
    stack: tuple[str, ...] = ()
    depth: int = 0
    stdin: Content | None = None
    lines: Lines | None = None
    sink: list[Text] | None = None
    stdout: Stream = "heard"
    stderr: Stream = "heard"
    clues: Clues = OF_THE_HOOK
    guarded: bool = False
    certain: bool = True
    fallback: bool = False
    repeated: bool = False
    detached: bool = False
    waited: bool = False
    echoes: bool = False
    via: str | None = None
    container: str | None = None

    def but(self, **changes: object) -> Frame:
        """Return a copy with changes: ``dataclasses.replace``, which would be half of a walk's time."""
        copy = object.__new__(Frame)
        copy.__dict__.update(self.__dict__, **changes)
        return copy

    def subshell(self, *, keeps_variables: bool = True, keeps_functions: bool = False) -> Frame:
        """Return the frame of a shell that is started here."""
        scope = Scope(dict(self.scope.variables), list(self.scope.arguments)) if keeps_variables else Scope()
        shell = Shell(self.clues)
        if keeps_functions:
            shell = Shell(self.clues, self.shell.stops_at_errors, self.shell.fails_with_pipes)
        functions = dict(self.functions) if keeps_functions else {}
        return self.but(scope=scope, functions=functions, shell=shell, guarded=False, waited=False)  # nosec B604: a field


class LeaveError(Exception):
    """``exit``, ``return``, ``break`` or ``continue`` was reached for certain."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class TooMuchError(Exception):
    """The scripts order more than is worth counting."""
