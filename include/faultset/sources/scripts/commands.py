"""Simple commands of scripts: what opens a session, starts a shell or another script, waits, or acts on something."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from faultset.errors import printable
from faultset.records.scripts import Clue, HumanOrder
from faultset.sources.scripts.clues import shape_of, successes
from faultset.sources.scripts.conditions import TESTS, Status, tested
from faultset.sources.scripts.deeds import deeds
from faultset.sources.scripts.fanout import FANOUTS, fanout
from faultset.sources.scripts.frame import Frame, LeaveError, Text
from faultset.sources.scripts.given import FIELDS, Given
from faultset.sources.scripts.harmless import harmless
from faultset.sources.scripts.later import Later, Line
from faultset.sources.scripts.ledger import worse
from faultset.sources.scripts.printing import Printing
from faultset.sources.scripts.shell_actions import (
    CONTAINER_PROCESS,
    Deed,
    NotReadError,
    arguments,
    base_name,
    leaves_behind,
    option,
    session,
    without_prefixes,
)
from faultset.sources.scripts.shell_expansion import UNKNOWN, Expander, Scope, evaluate
from faultset.sources.scripts.shell_syntax import DEEPEST
from faultset.sources.scripts.shell_tree import Assignment, Redirect, Simple, Word

if TYPE_CHECKING:
    from faultset.sources.scripts.walk import Walk

SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh", "ash"})
_REMOTE_SHELLS = frozenset({"ssh", "slogin", "rsh", "autossh"})
_LEAVING = frozenset({"exit", "return", "break", "continue", "shift"})
_DECLARING = frozenset({"export", "local", "declare", "readonly", "typeset"})
_OS_FAULTS = frozenset({"os-inject-fault", "os_inject_fault", "os-faults", "os_faults"})
_LONGEST_VALUE = 10_000
SCRIPT_NAME = re.compile(r"(?:\.{0,2}/|~/).+|.+\.(?:sh|bash|ksh)")
_SYSTEM_FOLDER = re.compile(r"/(?:usr/(?:local/)?)?s?bin/[^/]+")
_SYSRQ = {"b": "reboot", "o": "poweroff", "c": "crash"}
_ENGINE_HOST = re.compile(r"DOCKER_HOST=(.+)")
_SYSTEM_FILE = re.compile(r"/(?:proc|sys|etc|usr|s?bin|lib|lib64|boot|dev/(?!null|tty|stdout|stderr|fd/|shm/)).*")


Way = Literal["called", "run", "sourced"]


class Commands:
    """What single commands do."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._ledger = walk.ledger
        self._printing = Printing(walk)
        self._later = Later(walk, self._printing, self.line)
        self._walker_of = self._walkers()
        self._printer_of = self._printing.walkers()

    def simple(self, command: Simple, frame: Frame) -> Status:
        """Walk through a simple command."""
        frame = frame.but(echoes=bool(command.words) and command.words[0].bare in ("echo", "printf"))
        words = self._walk.words(command.words, frame)
        if not words or (command.words and command.words[0].bare in _DECLARING):
            for assignment in command.assignments:
                self._assign(assignment, frame, alone=not words and len(command.assignments) == 1)
        if not words and command.assignments and not _runs_something(command.assignments):
            return True
        if words == ["exec"]:
            inside = self.redirected(command.redirects, frame)
            frame.shell.stdout = inside.stdout if inside.stdout != frame.stdout else frame.shell.stdout
            return True
        if frame.shell.stdout is not None and frame.sink is None:
            frame = frame.but(stdout=worse(frame.stdout, frame.shell.stdout))
        frame = self._with_own_variables(command, words, frame)
        path = self._written_to(command.redirects, frame)
        entered = self._in_namespace(words, frame, command.line)
        if entered is None:
            return None
        inside = self.redirected(command.redirects, entered)
        run = Line(without_prefixes(words), command.line, words)
        if leaves_behind(words):
            status = self._later.behind(inside, 0.0, lambda child: self.line(run, child))
        else:
            status = self.line(run, inside)
        if path is not None:
            self._write(path, words, inside, command.line)
        return status

    def _with_own_variables(self, command: Simple, words: Sequence[str], frame: Frame) -> Frame:
        """``DOCKER_HOST=ssh://cmp01 docker ...``, also behind ``sudo`` and ``env``; ``IFS=, read ...``."""
        own = {
            each.name: self._walk.expander(frame).text(each.values[0])
            for each in command.assignments
            if words and each.values and each.name in ("DOCKER_HOST", "IFS")
        }
        if engine := next((found for word in words[:4] if (found := _ENGINE_HOST.fullmatch(word))), None):
            own["DOCKER_HOST"] = engine[1]
        if words[:1] == ["read"]:
            # What is read stays when the command is over.
            frame.scope.variables[FIELDS] = [own.get("IFS", "")]
            return frame
        if not own:
            return frame
        variables = {**frame.scope.variables, **{name: [value] for name, value in own.items()}}
        return frame.but(scope=Scope(variables, frame.scope.arguments))

    def _in_namespace(self, words: Sequence[str], frame: Frame, line: int) -> Frame | None:
        """``nsenter`` acts inside of a container, or of process 1, which is the node itself."""
        front = words[: len(words) - len(without_prefixes(words))]
        if not any(base_name(word) == "nsenter" for word in front):
            return frame
        process = option(front, "t", "--target") or ""
        if process.startswith(CONTAINER_PROCESS):
            return frame.but(container=process.removeprefix(CONTAINER_PROCESS))
        if process != "1":
            self._ledger.note(frame, line, "whose namespace 'nsenter' enters is not read", unread=True)
            return None
        return frame

    def _assign(self, assignment: Assignment, frame: Frame, *, alone: bool) -> None:
        walk = self._walk
        expander = walk.expander(frame)
        if alone:
            # The exit code of x=$(command) is the command's.
            expander = Expander(
                frame.scope,
                lambda text: walk.printed(frame, text, frame.clues),
                lambda line, text: self._ledger.note(frame, line, text),
            )
        before = frame.scope.variables.get(assignment.name, []) if assignment.append else []
        if assignment.array:
            values = [*before, *walk.words(assignment.values, frame)]
        else:
            values = ["".join([*before, *(expander.text(value) for value in assignment.values)])]
        length = sum(map(len, values))
        self._ledger.spend(length)
        frame.scope.variables[assignment.name] = values if length <= _LONGEST_VALUE else [UNKNOWN]

    # --- redirections ---

    def redirected(self, redirects: Sequence[Redirect], frame: Frame) -> Frame:
        """Return the frame of a command with redirections."""
        for redirect in redirects:
            operator = redirect.operator
            if operator in ("<", "<<", "<<<"):
                frame = frame.but(stdin=self._input(redirect, frame), lines=None)
            elif operator in ("2>", "2>>", "2>|"):
                frame = frame.but(stderr="gone")
            elif operator in ("&>", "&>>"):
                frame = frame.but(stdout="gone", stderr="gone", sink=[])
            elif operator in (">", ">>", ">|"):
                frame = self._out(redirect.target, frame)
            elif operator in (">&", "2>&"):
                frame = self._joined(operator, self._walk.expander(frame).text(redirect.target), frame)
        return frame

    def _out(self, target: Word, frame: Frame) -> Frame:
        if len(target.parts) == 1 and target.parts[0].kind == "command":
            heard = re.match(r"\s*(?:tee|cat|ts)\b(?!.*>)", target.parts[0].text)
            return frame if heard else frame.but(stdout="gone", sink=[])
        path = self._walk.expander(frame).text(target)
        if path in ("/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2"):
            return frame
        return frame.but(stdout="gone", sink=[])

    def _joined(self, operator: str, target: str, frame: Frame) -> Frame:
        if operator == "2>&":
            return frame.but(stderr=frame.stdout if target == "1" else "gone")
        if target == "2":
            return frame.but(stdout=frame.stderr, sink=None if frame.sink is None else [])
        return frame if target == "1" else frame.but(stdout="gone", stderr="gone", sink=[])

    def _input(self, redirect: Redirect, frame: Frame) -> tuple[Text, ...] | None:
        target = redirect.target
        text = self._walk.expander(frame).text(target)
        if redirect.operator == "<" and not (len(target.parts) == 1 and target.parts[0].kind == "command"):
            return self._printing.file(text, frame, target.line)
        self._ledger.spend(len(text))
        return (Text(frame.script, text, target.line),)

    def _written_to(self, redirects: Sequence[Redirect], frame: Frame) -> str | None:
        """Return the file that a command's output goes to; None where it goes on."""
        targets = [redirect.target for redirect in redirects if redirect.operator in (">", ">>", ">|", "&>", "&>>")]
        if not targets or any(part.kind == "command" for part in targets[-1].parts):
            return None
        return self._walk.expander(frame).text(targets[-1])

    def _write(self, path: str, words: Sequence[str], frame: Frame, line: int) -> None:
        """Keep what was written to a file, for it can be run later."""
        if frame.sink:
            self._ledger.files[base_name(path)] = tuple(frame.sink)
        self._written(path, words[-1] if words else "", frame, line)

    def _written(self, path: str, text: str, frame: Frame, line: int) -> None:
        """Keep what a text does that is written to a file of the system."""
        verb = _SYSRQ.get(text.strip()) if path == "/proc/sysrq-trigger" else None
        if verb:
            self._ledger.record(Deed(verb, None, "node"), frame, line)
        elif _SYSTEM_FILE.fullmatch(path):
            self._ledger.note(frame, line, f"what writing to {printable(path, 80)} does is not read", unread=True)

    # --- one command ---

    def line(self, line: Line, frame: Frame) -> Status:
        """Walk through a command whose words are known."""
        words = line.words
        name = base_name(words[0]) if words else ""
        if UNKNOWN in name:
            self._ledger.note(frame, line.number, "the text does not tell what command is run", unread=True)
            return None
        if not name:
            return None
        walker = self._call if name in frame.functions else self._walker_of.get(name)
        if walker:
            return walker(line, frame)
        if printer := self._printer_of.get(name):
            self._changes(name, words[1:], line.number, frame)
            return printer(words, line.number, frame)
        if words[0].startswith(("/etc/init.d/", "/etc/rc.d/init.d/")):
            name, words = "service", ["service", name, *words[1:]]
        return self._acts(name, words, line, frame)

    def _changes(self, name: str, words: list[str], line: int, frame: Frame) -> None:
        """``tee`` writes files, ``sed -i`` changes them."""
        text = "".join(item.text for item in frame.stdin or ())
        for path in arguments(words) if name == "tee" else ():
            self._written(path, text, frame, line)
        if name == "sed" and not harmless(name, words):
            self._ledger.note(frame, line, "what 'sed' changes in files of the system is not read", unread=True)

    def _acts(self, name: str, words: list[str], line: Line, frame: Frame) -> Status:
        try:
            found = deeds(name, words[1:], engine_host=(frame.scope.variables.get("DOCKER_HOST") or [""])[0])
        except NotReadError as error:
            self._ledger.note(frame, line.number, str(error), unread=True)
            return None
        if found is None:
            return self._other(line, name, frame)
        for deed in found:
            self._ledger.record(deed, frame, line.number)
        if not found:
            self._printing.look(name, words[1:], line.number, frame)
        return None

    def _walkers(self) -> dict[str, Callable[[Line, Frame], Status]]:
        return {
            **dict.fromkeys(_REMOTE_SHELLS, self._ssh),
            **dict.fromkeys(SHELLS, self._shell),
            **dict.fromkeys(_LEAVING, self._leave),
            **dict.fromkeys(_OS_FAULTS, self._os_faults),
            **dict.fromkeys(FANOUTS, self._fanout),
            **dict.fromkeys(("docker", "podman", "nerdctl"), self._engine),
            **self._later.walkers(),
            **dict.fromkeys(TESTS, lambda line, _frame: tested(line.words)),
            "su": self._su,
            "runuser": self._su,
            "source": self._source,
            ".": self._source,
            "eval": self._eval,
            "set": self._set,
            "trap": self._trap,
            **Given(self._walk, self.line).walkers(),
        }

    def _other(self, line: Line, name: str, frame: Frame) -> Status:
        words = line.words
        if name in self._walk.script_names():
            return self._script(words[0], words[1:], line.number, frame, way="run")
        if harmless(name, words[1:]):
            if name not in ("cd", "export"):
                frame_output = frame.sink
                if frame_output is not None:
                    frame_output.append(Text(frame.script, UNKNOWN, line.number))
            return None
        if SCRIPT_NAME.fullmatch(words[0]) and not _SYSTEM_FOLDER.fullmatch(words[0]):
            return self._script(words[0], words[1:], line.number, frame, way="run")
        self._ledger.note(frame, line.number, f"what '{printable(name, 80)}' does is not read", unread=True)
        return None

    def _call(self, line: Line, frame: Frame) -> Status:
        name = base_name(line.words[0])
        if len(frame.stack) >= DEEPEST or f"{name}()" in frame.stack:
            text = f"the function {printable(name, 80)} calls itself; that is not followed"
            self._ledger.note(frame, line.number, text, unread=True)
            return None
        scope = Scope(frame.scope.variables, line.words[1:])
        inside = frame.but(scope=scope, stack=(*frame.stack, f"{name}()"))
        try:
            return self._walk.body(frame.functions[name], inside)
        except LeaveError as leave:
            if leave.kind != "return":
                raise
            return None

    def _leave(self, line: Line, frame: Frame) -> Status:
        if line.words[0] == "shift":
            count = evaluate(line.words[1], frame.scope) if len(line.words) > 1 else 1
            del frame.scope.arguments[: count or 0]
            return True
        if not frame.certain:
            return None
        raise LeaveError(line.words[0])

    def _set(self, line: Line, frame: Frame) -> Status:
        words = line.words[1:]
        if "--" in words:
            frame.scope.arguments[:] = words[words.index("--") + 1 :]
            words = words[: words.index("--")]
        set_options(words, frame)
        return True

    def _trap(self, line: Line, frame: Frame) -> Status:
        text, *signals = arguments(line.words[1:]) or [""]
        if {"EXIT", "0"} & set(signals):
            # What is trapped may end the shell with another code.
            frame.shell.at_exit = [text] if text not in ("", "-") else []
            frame.shell.may_leave = True
            frame.shell.masked = "exit" in text or _may_leave(text, frame)
        if "ERR" in signals:
            # exit 1 leaves a failure what it was.
            masks = re.search(r"\bexit\b(?!\s+[1-9])", text) is not None or _may_leave(text, frame)
            frame.shell.masked = frame.shell.masked or masks
        return True

    # --- sessions, shells and scripts ---

    def _ssh(self, line: Line, frame: Frame) -> Status:
        words = line.words[1:]
        opened = session(words)
        if opened.host is None:
            return None
        if UNKNOWN in opened.host:
            text = "ssh goes to a node whose name the text does not tell"
            self._ledger.note(frame, line.number, text, unread=True)
            return None
        self._ledger.session(opened.host)
        flags = "".join(opened.flags)
        if frame.lines is not None and "n" not in flags and "f" not in flags:
            # A session reads what the loop around it would have read next.
            frame.lines.left.clear()
        remote = frame.but(host=opened.host, via=None, container=None, lines=None)
        if "f" in flags:
            remote = remote.but(clues=(), detached=True)
        remote = remote.subshell(keeps_variables=False)
        if opened.command:
            return self._walk.text(" ".join(opened.command), line.number, remote)
        return self._walk.content(remote, [])

    def _fanout(self, line: Line, frame: Frame) -> Status:
        try:
            order = fanout(base_name(line.words[0]), line.words[1:])
        except NotReadError as error:
            self._ledger.note(frame, line.number, str(error), unread=True)
            return None
        for host in order.hosts:
            if UNKNOWN in host:
                text = f"{order.tool} goes to nodes whose names the text does not tell"
                self._ledger.note(frame, line.number, text, unread=True)
                continue
            # Each node's end is the tool's: it fails where one of them did.
            clues = successes(frame.clues) if order.fails_with_nodes else ()
            if len(order.hosts) == 1 and order.fails_with_nodes:
                clues = frame.clues
            told = (*clues, Clue("node", succeeded=True), Clue("node", succeeded=False))
            remote = frame.but(host=host, via=order.tool, clues=told, container=None)
            remote = remote.subshell(keeps_variables=False)
            for deed in order.deeds:
                self._ledger.record(deed, remote, line.number)
            if order.command:
                clock = self._ledger.clock
                self._walk.text(order.command, line.number, remote)
                self._ledger.clock = clock if host != order.hosts[-1] else self._ledger.clock
            elif not order.deeds and frame.stdin:
                self._walk.content(remote, [])
        return None

    def _engine(self, line: Line, frame: Frame) -> Status:
        """``docker exec`` runs a command in a container; what else docker does is an action or a look."""
        operands = arguments(line.words[1:], "Hcl", frozenset({"--host", "--context", "--url"}), in_front=True)
        operands = operands[1:] if operands[:1] == ["container"] else operands
        if operands[:1] != ["exec"]:
            return self._acts(base_name(line.words[0]), line.words, line, frame)
        options = frozenset({"--user", "--env", "--env-file", "--workdir", "--detach-keys"})
        inside = arguments(operands[1:], "uew", options, in_front=True)
        flags = "".join(word[1:] for word in operands[1 : len(operands) - len(inside)] if word[:1] == "-")
        if len(inside) < 2:
            return None
        child = frame.but(container=inside[0], clues=() if "d" in flags else frame.clues)
        words = without_prefixes(inside[1:])
        return self.line(Line(words, line.number, words), child.subshell(keeps_variables=False))

    def _shell(self, line: Line, frame: Frame) -> Status:
        words = line.words[1:]
        operands = arguments(words, "oO", frozenset({"--rcfile", "--init-file"}), in_front=True)
        options = words[: len(words) - len(operands)]
        flags = "".join(word[1:] for word in options if re.fullmatch(r"-[a-zA-Z]+", word))
        child = frame.subshell()
        set_options(options, child)
        if "c" in flags:
            child.scope.arguments[:] = operands[2:]
            return self._walk.text(operands[0], line.number, child) if operands else None
        if "s" in flags or not operands or operands == ["-"]:
            return self._walk.content(child, operands if "s" in flags else [])
        return self._script(operands[0], operands[1:], line.number, child)

    def _su(self, line: Line, frame: Frame) -> Status:
        words = line.words
        command = option(words[1:], "c", "--command")
        if command is None and "-c" in words and words.index("-c") + 1 < len(words):
            command = words[words.index("-c") + 1]
        if command is not None:
            return self._walk.text(command, line.number, frame.subshell())
        if "--" in words:
            inside = without_prefixes(words[words.index("--") + 1 :])
            return self.line(Line(inside, line.number, inside), frame)
        return self._walk.content(frame.subshell(), [])

    def _eval(self, line: Line, frame: Frame) -> Status:
        """Read, as text, what ``eval`` would run."""
        return self._walk.text(" ".join(line.words[1:]), line.number, frame)

    def _source(self, line: Line, frame: Frame) -> Status:
        if len(line.words) < 2:
            return None
        return self._script(line.words[1], line.words[2:] or frame.scope.arguments, line.number, frame, way="sourced")

    def _script(self, path: str, given: Sequence[str], line: int, frame: Frame, *, way: Way = "called") -> Status:
        """Walk through a script that is named, on the machine at hand."""
        walk = self._walk
        name = base_name(path)
        if name not in walk.script_names() and not frame.script and walk.stand_in:
            self._ledger.note(
                frame, line,
                f"{printable(name, 80)} is not among the hook scripts; {walk.stand_in}, the only one that no other"
                " calls, is read in its place",
            )  # fmt: skip
            name = walk.stand_in
        if name not in walk.script_names():
            walk.missing.add(name)
            if frame.script:
                self._ledger.note(
                    frame, line, f"{printable(name, 80)} is not among the hook scripts", unread=True
                )  # fmt: skip
            return None
        status: Status = None
        script = walk.library.scripts.get(name)
        for item in self._printing.file(name, frame, line) or ():
            child = frame if way == "sourced" else frame.subshell(keeps_variables=False)
            if script and script.stops_at_errors and way == "run":
                child.shell.stops_at_errors = True
            status = walk.enter(item, given, child)
        return status

    def _os_faults(self, line: Line, frame: Frame) -> Status:
        words = arguments(line.words[1:], "c", frozenset({"--config"}))
        if words and not frame.fallback:
            self._ledger.human.append(HumanOrder(" ".join(words), frame.clues))
        return None


def _runs_something(assignments: Sequence[Assignment]) -> bool:
    return any(part.kind == "command" for each in assignments for value in each.values for part in value.parts)


def set_options(words: Sequence[str], frame: Frame) -> None:
    """Apply ``set -e``, ``set -euo pipefail`` and their like, also given to a shell itself."""
    for position, word in enumerate(words):
        following = words[position + 1] if position + 1 < len(words) else ""
        if not re.fullmatch(r"[-+][a-zA-Z]+", word):
            continue
        on = word[0] == "-"
        if "e" in word[1:] or (word.endswith("o") and following == "errexit"):
            frame.shell.stops_at_errors = on
        if word.endswith("o") and following == "pipefail":
            frame.shell.fails_with_pipes = on


def _may_leave(text: str, frame: Frame) -> bool:
    """Whether a trap calls a function that may end the shell; one that is not known yet may."""
    name = text.strip()
    if name in frame.functions:
        return bool(shape_of(frame.functions[name]).leaving)
    return re.fullmatch(r"[a-z_]\w*", name) is not None and not harmless(name, [])
