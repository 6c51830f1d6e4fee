"""What a hook's scripts order: which nodes, which containers and services, which actions, how often.

The scripts are read, never executed. A tree of commands is walked with the variables that the text itself sets; loops
are unrolled, ``ssh`` moves to another node, and a script that is piped, redirected or named is followed. Whatever the
text does not tell (a branch, an endless loop, a name that comes from elsewhere) is counted once or left out, and a
note says so.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from faultset.errors import InputError, printable
from faultset.records import CommandedAction, HookScripts
from faultset.sources.files import read_bytes
from faultset.sources.redaction import redact
from faultset.sources.shell_actions import (
    PROCESS_ID,
    Deed,
    Kind,
    arguments,
    base_name,
    deeds,
    session,
    without_prefixes,
)
from faultset.sources.shell_expansion import MOST_WORDS, UNKNOWN, Expander, Scope, assign, evaluate, sequence
from faultset.sources.shell_syntax import (
    DEEPEST,
    AndOr,
    Arithmetic,
    Assignment,
    Body,
    Case,
    Command,
    CountedFor,
    For,
    Function,
    Group,
    If,
    Pipeline,
    Program,
    Redirect,
    Simple,
    While,
    Word,
    parse,
)
from faultset.sources.yaml_tree import decode

LARGEST_SCRIPT = 1024 * 1024
MOST_ROUNDS = 10_000
# Commands looked at, long texts counted as several; far more than any hook has, and done within seconds.
_MOST_STEPS = 50_000
_CHARACTERS_A_STEP = 50
_LONGEST_VALUE = 10_000
_MOST_NOTES = 50

_SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh", "ash"})
_REMOTE_SHELLS = frozenset({"ssh", "slogin", "rsh"})
_FILTERS = frozenset({"sed", "envsubst", "tr", "grep", "egrep", "awk", "head", "tail"})
_UNCHANGED = frozenset({"tee", "dos2unix", "sort"})
# Tools that act on machines in ways that are not read here; leaving them out silently would be a lie.
_NOT_READ = frozenset({
    "ansible", "ansible-playbook", "kubectl", "crictl", "oc", "pcs", "crm", "virsh", "ipmitool", "salt", "salt-call",
    "pssh", "parallel-ssh", "pdsh", "clush", "parallel", "xargs", "docker-compose", "tc", "iptables", "stress",
    "stress-ng", "openstack", "nova", "kolla-ansible", "python", "python3", "expect", "fab", "chaosd", "blade",
})  # fmt: skip
_SCRIPT_NAME = re.compile(r"(?:\.{0,2}/|~/).+|.+\.(?:sh|bash|ksh)")
_SYSTEM_FOLDER = re.compile(r"/(?:usr/(?:local/)?)?s?bin/[^/]+")
_SYSRQ = {"b": "reboot", "o": "poweroff", "c": "crash"}

Content = tuple[tuple[str, Program], ...]
Status = bool | None


@dataclass(frozen=True, slots=True)
class ScriptLibrary:
    """The hook scripts of a run, by file name, as trees of commands without secrets."""

    scripts: Mapping[str, Program] = field(default_factory=lambda: MappingProxyType({}))

    def entries(self) -> tuple[str, ...]:
        """Return the scripts that no other one names."""
        named = {
            base_name(text)
            for script, program in self.scripts.items()
            for text in _texts(program)
            if base_name(text) in self.scripts and base_name(text) != script
        }
        return tuple(script for script in self.scripts if script not in named)


def read_library(uris: Sequence[str]) -> ScriptLibrary:
    """Read the hook scripts at ``uris``.

    Raises:
        InputError: a script cannot be read, is no text or too long, or two different ones have the same file name.
    """
    scripts: dict[str, Program] = {}
    for uri in uris:
        text = decode(read_bytes(uri, role="script_bytes"), uri)
        if "\x00" in text:
            raise InputError(uri, "is a binary file, not a shell script", "give the script that the hook runs")
        name = base_name(uri.rstrip("/"))
        program = _read_script(text)
        if scripts.setdefault(name, program) != program:
            raise InputError(uri, f"a second script is called '{name}'", "give scripts of one run different file names")
    return ScriptLibrary(MappingProxyType(scripts))


def orders(command: str, library: ScriptLibrary) -> HookScripts | None:
    """Return what the hook's ``command`` orders, by itself and by the scripts it names.

    A script that the command names and the library lacks is taken to be the library's entry script, where it has
    exactly one that no other script names; a note says so.

    Returns:
        None where nothing can be said: the command does nothing that is known, and names no script that is there.
    """
    if len(command) > LARGEST_SCRIPT:
        return None
    program = parse(redact(command.replace("\x00", " ")))
    reading = _Reading(library)
    reading.start(program)
    if not reading.said_something and reading.missing:
        entries = library.entries()
        if len(entries) == 1:
            reading = _Reading(library, stand_in=entries[0])
            reading.start(program)
    return reading.result(program)


def _read_script(text: str) -> Program:
    shebang = text.split("\n", 1)[0]
    if shebang.startswith("#!") and "sh" not in shebang:
        return Program((), ("line 1: it is no shell script",))
    return parse(redact(text))


# --- looking into a tree ----------------------------------------------------------------------------------------------


def _parts_of(tree: object) -> Iterator[object]:
    """Yield a tree's dataclasses, itself included, each before what it holds."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            waiting += item
        elif dataclasses.is_dataclass(item) and not isinstance(item, type):
            yield item
            waiting += [getattr(item, each.name) for each in dataclasses.fields(item)]


def _texts(tree: object) -> Iterator[str]:
    """Yield the words of a tree that are plain text, and the words within quoted ones."""
    for item in _parts_of(tree):
        if isinstance(item, Word):
            text = "".join(part.text for part in item.parts)
            yield text
            if len(text) < LARGEST_SCRIPT:
                yield from text.split()


def _depends_on_round(body: Body, functions: Mapping[str, Body], name: str) -> bool:
    """Whether rounds of a loop can differ: the body uses the variable, sets one, or can leave the loop."""
    mention = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    for item in _parts_of((body, tuple(functions.values()))):
        if isinstance(item, Simple):
            if item.assignments or (item.words and item.words[0].bare in _LEAVING):
                return True
            if any(mention.search(part.text) for word in item.words for part in word.parts if part.kind != "text"):
                return True
            if any(mention.search(part.text) for each in item.redirects for part in each.target.parts):
                return True
        elif isinstance(item, Arithmetic | CountedFor) or (
            isinstance(item, For)
            and any(
                mention.search(part.text) for word in item.items or () for part in word.parts if part.kind != "text"
            )
        ):
            return True
    return False


# --- walking ----------------------------------------------------------------------------------------------------------

_LEAVING = frozenset({"exit", "return", "break", "continue", "shift"})


class _LeaveError(Exception):
    """``exit``, ``return``, ``break`` or ``continue`` was reached for certain."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class _TooMuchError(Exception):
    """The scripts order more than is worth counting."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the walk is.

    Attributes:
        script: the script at hand; "" for the hook's command itself.
        host: the machine; None for the one that runs the hook.
        scope: its variables.
        functions: its functions.
        stack: the scripts and functions that led here.
        depth: how many shells deep it is.
        stdin: what is piped to it, as scripts; None where that is not known.
    """

    script: str
    host: str | None
    scope: Scope
    functions: dict[str, Body]
    stack: tuple[str, ...] = ()
    depth: int = 0
    stdin: Content | None = None


@dataclass(slots=True)
class _Line:
    """A simple command after its expansion."""

    words: list[str]
    number: int


class _Reading:
    """One walk through a hook's command and all that it leads to."""

    def __init__(self, library: ScriptLibrary, stand_in: str | None = None) -> None:
        self._library = library
        self._stand_in = stand_in
        self._counts: dict[tuple[str | None, str, str | None, Kind, str, int], int] = {}
        self._sessions: list[str] = []
        self._notes: dict[str, None] = {}
        self._files: dict[str, Content] = {}
        self._steps = 0
        self._same_rounds: dict[tuple[int, str], tuple[Body, bool]] = {}
        self._times = 1
        self._uncertain = 0
        self._output: list[tuple[str, Program]] | None = None
        self._used = False
        self.missing: set[str] = set()

    @property
    def said_something(self) -> bool:
        """Whether any action, session or script of the library was met."""
        return bool(self._counts or self._sessions or self._used)

    def start(self, program: Program) -> None:
        """Walk through the hook's command."""
        frame = _Frame("", None, Scope(), {})
        try:
            self._program(program, frame)
        except (_TooMuchError, RecursionError):
            self._notes.setdefault("the scripts order more than can be counted; the rest is left out")

    def result(self, program: Program) -> HookScripts | None:
        """Return what was found; None where nothing was."""
        if not self.said_something:
            if self._library.scripts and self.missing:
                for name in sorted(self.missing):
                    self._notes.setdefault(f"{printable(name, 80)} is not among the hook scripts")
            if not self._notes or (program.problems and not program.body):
                return None
        actions = tuple(
            CommandedAction(host=host, verb=verb, name=name, kind=kind, count=count, script=script, line=line)
            for (host, verb, name, kind, script, line), count in self._counts.items()
        )
        return HookScripts(actions, tuple(self._sessions), tuple(self._notes)[:_MOST_NOTES])

    # --- bookkeeping ---

    def _note(self, frame: _Frame, line: int, text: str) -> None:
        if len(self._notes) <= _MOST_NOTES:
            place = (f"{frame.script}:{line}" if line else frame.script) if frame.script else "the hook's command"
            self._notes.setdefault(printable(f"{place}: {text}"))

    def _spend(self, characters: int = 0) -> None:
        self._steps += 1 + characters // _CHARACTERS_A_STEP
        if self._steps > _MOST_STEPS:
            raise _TooMuchError

    def _record(self, deed: Deed, frame: _Frame, line: int) -> None:
        if UNKNOWN in (deed.name or ""):
            self._note(frame, line, f"'{deed.verb}' acts on a {deed.kind} whose name the script does not tell")
            return
        host = deed.host or frame.host
        if UNKNOWN in (host or ""):
            self._note(frame, line, f"'{deed.verb}' acts on a node whose name the script does not tell")
            return
        key = (host, deed.verb, deed.name, deed.kind, frame.script, line)
        self._counts[key] = self._counts.get(key, 0) + self._times

    def _expander(self, frame: _Frame) -> Expander:
        return Expander(frame.scope, partial(self._printed, frame), partial(self._note, frame))

    def _words(self, words: Sequence[Word], frame: _Frame) -> list[str]:
        expander = self._expander(frame)
        found: list[str] = []
        for word in words:
            expanded = expander.words(word)
            self._spend(sum(map(len, expanded)) + len(expanded) * 10)
            found += expanded
        return found

    # --- programs, lists, pipelines ---

    def _program(self, program: Program, frame: _Frame) -> Status:
        """Walk through a whole shell; it ends with its own ``exit``."""
        for problem in program.problems:
            self._note(frame, 0, f"cannot be read from {problem}")
        try:
            return self._body(program.body, frame)
        except _LeaveError:
            return None

    def _body(self, body: Body, frame: _Frame) -> Status:
        status: Status = True
        for item in body:
            status = self._and_or(item, frame)
        return status

    def _and_or(self, item: AndOr, frame: _Frame) -> Status:
        status: Status = None
        for operator, pipeline in item.pipelines:
            if operator == "&&" and status is False:
                continue
            if operator == "||" and status is True:
                continue
            if operator == "||" and status is None:
                self._shadow(pipeline, frame)
                continue
            status = self._pipeline(pipeline, frame)
        return status

    def _shadow(self, pipeline: Pipeline, frame: _Frame) -> None:
        """Look at what runs only after a failure: it is not counted, and named where it would have acted."""
        counts, sessions = dict(self._counts), len(self._sessions)
        self._uncertain += 1
        self._pipeline(pipeline, frame)
        self._uncertain -= 1
        if counts != self._counts or sessions != len(self._sessions):
            self._note(
                frame, _line_of(pipeline), "what stands behind '||' runs after a failure only and is not counted"
            )
        self._counts = counts
        del self._sessions[sessions:]

    def _pipeline(self, pipeline: Pipeline, frame: _Frame) -> Status:
        status: Status = None
        content = frame.stdin
        outer = self._output
        for index, command in enumerate(pipeline.commands):
            last = index == len(pipeline.commands) - 1
            self._output = outer if last else []
            status = self._command(command, replace(frame, stdin=content))
            if not last:
                content = tuple(self._output) if self._output else None
        self._output = outer
        return (not status) if pipeline.negated and status is not None else status

    def _command(self, command: Command, frame: _Frame) -> Status:
        self._spend()
        walkers: dict[type, Callable[..., Status]] = {
            Simple: self._simple,
            For: self._for,
            CountedFor: self._counted_for,
            While: self._while,
            If: self._if,
            Case: self._case,
            Group: self._group,
            Function: self._define,
            Arithmetic: self._arithmetic,
        }
        return walkers[type(command)](command, frame)

    def _group(self, group: Group, frame: _Frame) -> Status:
        return self._body(group.body, replace(frame, stdin=self._stdin(group.redirects, frame)))

    def _define(self, function: Function, frame: _Frame) -> Status:
        frame.functions[function.name] = function.body
        return True

    def _arithmetic(self, command: Arithmetic, frame: _Frame) -> Status:
        if assign(command.text, frame.scope):
            return None
        number = evaluate(command.text, frame.scope)
        return None if number is None else number != 0

    # --- loops and branches ---

    def _for(self, loop: For, frame: _Frame) -> Status:
        items = list(frame.scope.arguments) if loop.items is None else self._words(loop.items, frame)
        if any(UNKNOWN in item or "*" in item or "?" in item for item in items):
            self._note(frame, loop.line, "the text does not tell over what a loop runs; it is counted once")
            items = [UNKNOWN]
        if len(items) > MOST_ROUNDS:
            self._note(frame, loop.line, f"a loop of more than {MOST_ROUNDS:,} rounds is counted as {MOST_ROUNDS:,}")
            items = items[:MOST_ROUNDS]
        if items and self._is_same_each_round(loop, frame):
            frame.scope.variables[loop.name] = [items[-1]]
            return self._repeated(loop.body, frame, len(items))
        for item in items:
            frame.scope.variables[loop.name] = [item]
            if not self._round(loop.body, frame):
                break
        return None

    def _is_same_each_round(self, loop: For, frame: _Frame) -> bool:
        key = (id(loop.body), loop.name)
        if key not in self._same_rounds:
            # The body is kept beside the answer, for its id names no other one while it lives.
            self._same_rounds[key] = (loop.body, not _depends_on_round(loop.body, frame.functions, loop.name))
        return self._same_rounds[key][1]

    def _repeated(self, body: Body, frame: _Frame, rounds: int) -> Status:
        """Walk once through a body whose rounds are all the same, and count it ``rounds`` times."""
        times = self._times
        self._times = min(times * rounds, MOST_ROUNDS)
        if times * rounds > MOST_ROUNDS:
            self._note(frame, 0, f"loops of more than {MOST_ROUNDS:,} rounds are counted as {MOST_ROUNDS:,}")
        try:
            self._body(body, frame)
        finally:
            self._times = times
        return None

    def _round(self, body: Body, frame: _Frame) -> bool:
        """Walk through one round of a loop; whether there can be another."""
        try:
            self._body(body, frame)
        except _LeaveError as leave:
            if leave.kind not in ("break", "continue"):
                raise
            return leave.kind == "continue"
        return True

    def _counted_for(self, loop: CountedFor, frame: _Frame) -> Status:
        for piece in loop.first.split(","):
            assign(piece, frame.scope)
        for number in range(MOST_ROUNDS + 1):
            condition = evaluate(loop.condition, frame.scope)
            if condition == 0:
                return None
            if condition is None or number == MOST_ROUNDS:
                return self._endless(loop.line, loop.body if number == 0 else (), frame)
            if not self._round(loop.body, frame):
                return None
            for piece in loop.step.split(","):
                assign(piece, frame.scope)
        return None

    def _endless(self, line: int, body: Body, frame: _Frame) -> Status:
        """A loop whose end the text does not tell: it is counted as far as it got, once at least."""
        told = "it is counted once" if body else f"it is counted {MOST_ROUNDS:,} times at most"
        if body:
            self._round(body, frame)
        self._note(frame, line, f"the text does not tell how often a loop runs; {told}")
        return None

    def _while(self, loop: While, frame: _Frame) -> Status:
        if _is_always(loop):
            leaves = not self._round(loop.body, frame)
            if not leaves:
                self._note(frame, loop.line, "the text does not tell how often a loop runs; it is counted once")
            return None
        for number in range(MOST_ROUNDS + 1):
            status = self._body(loop.condition, frame)
            if status is not None and status is loop.until:
                return None
            if status is None or number == MOST_ROUNDS:
                return self._endless(loop.line, loop.body if number == 0 else (), frame)
            if not self._round(loop.body, frame):
                return None
        return None

    def _if(self, branch: If, frame: _Frame) -> Status:
        before = (sum(self._counts.values()), len(self._sessions))
        uncertain = False
        for condition, body in branch.branches:
            status = self._body(condition, frame) if condition else True
            if status is False:
                continue
            uncertain = uncertain or status is None
            self._uncertain += uncertain
            try:
                self._body(body, frame)
            finally:
                self._uncertain -= uncertain
            if status is True:
                break
        if uncertain and before != (sum(self._counts.values()), len(self._sessions)):
            self._note(frame, branch.line, "the text does not tell which branch runs; all that may are counted")
        return None

    def _case(self, branch: Case, frame: _Frame) -> Status:
        before = (sum(self._counts.values()), len(self._sessions))
        self._uncertain += 1
        for body in branch.branches:
            self._body(body, frame)
        self._uncertain -= 1
        if before != (sum(self._counts.values()), len(self._sessions)):
            self._note(frame, branch.line, "the text does not tell which branch of a case runs; all are counted")
        return None

    # --- simple commands ---

    def _simple(self, command: Simple, frame: _Frame) -> Status:
        words = self._words(command.words, frame)
        if not words or (command.words and command.words[0].bare in _DECLARING):
            for assignment in command.assignments:
                self._assign(assignment, frame)
        frame = replace(frame, stdin=self._stdin(command.redirects, frame))
        output = self._output
        target = _written_to(command.redirects, self._expander(frame))
        if target is not None:
            self._output = []
        status = self._line(_Line(without_prefixes(words), command.line), frame)
        if target is not None:
            self._write(target, words, frame, command.line)
            self._output = output
        return status

    def _assign(self, assignment: Assignment, frame: _Frame) -> None:
        expander = self._expander(frame)
        before = frame.scope.variables.get(assignment.name, []) if assignment.append else []
        if assignment.array:
            values = [*before, *self._words(assignment.values, frame)]
        else:
            values = ["".join([*before, *(expander.text(value) for value in assignment.values)])]
        length = sum(map(len, values))
        self._spend(length)
        frame.scope.variables[assignment.name] = values if length <= _LONGEST_VALUE else [UNKNOWN]

    def _stdin(self, redirects: Sequence[Redirect], frame: _Frame) -> Content | None:
        """Return what the redirections feed to a command, else what is piped to it."""
        content = frame.stdin
        for redirect in redirects:
            if redirect.operator == "<":
                content = self._file(self._expander(frame).text(redirect.target), frame, redirect.target.line)
            elif redirect.operator in ("<<", "<<<"):
                text = self._expander(frame).text(redirect.target)
                self._spend(len(text))
                content = ((frame.script, parse(_readable(text), redirect.target.line)),)
        return content

    def _file(self, path: str, frame: _Frame, line: int) -> Content | None:
        """Return a file that is read as a script somewhere: one of the library, or one that was written before."""
        name = base_name(path)
        if name in self._files:
            return self._files[name]
        program = self._library.scripts.get(name)
        if program is None:
            if _SCRIPT_NAME.fullmatch(path) and not path.startswith(("/dev/", "/proc/")):
                self.missing.add(name)
                self._note(frame, line, f"{printable(name, 80)} is not among the hook scripts")
            return None
        self._used = True
        return ((name, program),)

    def _write(self, path: str, words: Sequence[str], frame: _Frame, line: int) -> None:
        """Keep what was written to a file, for it can be run later."""
        if path == "/proc/sysrq-trigger":
            verb = _SYSRQ.get(words[-1] if words else "")
            if verb:
                self._record(Deed(verb, None, "node"), frame, line)
        elif self._output:
            self._files[base_name(path)] = tuple(self._output)

    def _line(self, line: _Line, frame: _Frame) -> Status:
        name = base_name(line.words[0]) if line.words else ""
        if UNKNOWN in name:
            self._note(frame, line.number, "the text does not tell what command is run")
            return None
        if name in _TESTS:
            return _tested(line.words)
        walker = self._call if name in frame.functions else self._walkers().get(name)
        if walker:
            return walker(line, frame)
        found = deeds(name, line.words[1:])
        for deed in found or ():
            self._record(deed, frame, line.number)
        return self._other(line, name, frame) if found is None and name else None

    def _walkers(self) -> dict[str, Callable[[_Line, _Frame], Status]]:
        return {
            **dict.fromkeys(_REMOTE_SHELLS, self._ssh),
            **dict.fromkeys(_SHELLS, self._shell),
            **dict.fromkeys(_LEAVING, self._leave),
            **dict.fromkeys(_FILTERS | _UNCHANGED, self._filter),
            "su": self._su,
            "source": self._source,
            ".": self._source,
            "eval": self._eval,
            "cat": self._cat,
            "echo": self._echo,
            "printf": self._echo,
            "set": self._set,
        }

    def _other(self, line: _Line, name: str, frame: _Frame) -> Status:
        if name in self._library.scripts or name in self._files:
            return self._script(line.words[0], line.words[1:], line.number, frame)
        if name in _NOT_READ:
            self._note(frame, line.number, f"what '{name}' does is not read")
        elif _SCRIPT_NAME.fullmatch(line.words[0]) and not _SYSTEM_FOLDER.fullmatch(line.words[0]):
            return self._script(line.words[0], line.words[1:], line.number, frame)
        return None

    def _call(self, line: _Line, frame: _Frame) -> Status:
        name = base_name(line.words[0])
        if len(frame.stack) >= DEEPEST or f"{name}()" in frame.stack:
            self._note(frame, line.number, f"the function {printable(name, 80)} calls itself; that is not followed")
            return None
        scope = Scope(frame.scope.variables, line.words[1:])
        try:
            return self._body(frame.functions[name], replace(frame, scope=scope, stack=(*frame.stack, f"{name}()")))
        except _LeaveError as leave:
            if leave.kind != "return":
                raise
            return None

    def _leave(self, line: _Line, frame: _Frame) -> Status:
        if line.words[0] == "shift":
            count = evaluate(line.words[1], frame.scope) if len(line.words) > 1 else 1
            del frame.scope.arguments[: count or 0]
            return True
        if self._uncertain:
            return None
        raise _LeaveError(line.words[0])

    def _set(self, line: _Line, frame: _Frame) -> Status:
        if "--" in line.words:
            frame.scope.arguments[:] = line.words[line.words.index("--") + 1 :]
        return None

    # --- shells and scripts ---

    def _ssh(self, line: _Line, frame: _Frame) -> Status:
        opened = session(line.words[1:])
        if opened.host is None:
            return None
        if UNKNOWN in opened.host:
            self._note(frame, line.number, "ssh goes to a node whose name the text does not tell")
            return None
        room = MOST_ROUNDS - len(self._sessions)
        self._sessions += [opened.host] * min(self._times, room)
        remote = replace(frame, host=opened.host, scope=Scope(), functions={})
        if opened.command:
            return self._text(" ".join(opened.command), line.number, remote)
        return self._content(remote, [])

    def _shell(self, line: _Line, frame: _Frame) -> Status:
        words = line.words[1:]
        operands = arguments(words, "oO", frozenset({"--rcfile", "--init-file"}), in_front=True)
        flags = "".join(word[1:] for word in words[: len(words) - len(operands)] if re.fullmatch(r"-[a-zA-Z]+", word))
        child = replace(frame, scope=Scope(dict(frame.scope.variables)), functions={})
        if "c" in flags:
            child.scope.arguments[:] = operands[2:]
            return self._text(operands[0], line.number, child) if operands else None
        if "s" in flags or not operands or operands == ["-"]:
            return self._content(child, operands if "s" in flags else [])
        return self._script(operands[0], operands[1:], line.number, frame)

    def _su(self, line: _Line, frame: _Frame) -> Status:
        words = line.words
        if "-c" in words and words.index("-c") + 1 < len(words):
            return self._text(words[words.index("-c") + 1], line.number, frame)
        return self._content(frame, [])

    def _eval(self, line: _Line, frame: _Frame) -> Status:
        """Read, as text, what ``eval`` would run."""
        return self._text(" ".join(line.words[1:]), line.number, frame)

    def _source(self, line: _Line, frame: _Frame) -> Status:
        if len(line.words) < 2:
            return None
        return self._script(line.words[1], line.words[2:] or frame.scope.arguments, line.number, frame, sourced=True)

    def _text(self, text: str, line: int, frame: _Frame) -> Status:
        """Walk through a command that is given as text."""
        if frame.depth >= DEEPEST:
            self._note(frame, line, f"shells are nested more than {DEEPEST} deep; the rest is not read")
            return None
        self._spend(len(text))
        return self._program(parse(_readable(text), line), replace(frame, depth=frame.depth + 1))

    def _content(self, frame: _Frame, given: Sequence[str]) -> Status:
        """Walk through what is piped to a shell."""
        status: Status = None
        content, frame = frame.stdin or (), replace(frame, stdin=None)
        for script, program in content:
            status = self._enter(script, program, given, frame)
        return status

    def _script(self, path: str, given: Sequence[str], line: int, frame: _Frame, *, sourced: bool = False) -> Status:
        """Walk through a script that is named, on the machine at hand."""
        name = base_name(path)
        if name not in self._library.scripts and name not in self._files and not frame.script and self._stand_in:
            self._note(
                frame, line,
                f"{printable(name, 80)} is not among the hook scripts; {self._stand_in}, the only one that no other"
                " calls, is read in its place",
            )  # fmt: skip
            name = self._stand_in
        if name not in self._scripts():
            self.missing.add(name)
            if frame.script:
                self._note(frame, line, f"{printable(name, 80)} is not among the hook scripts")
            return None
        status: Status = None
        for script, program in self._file(name, frame, line) or ():
            child = frame if sourced else replace(frame, scope=Scope(), functions={})
            status = self._enter(script, program, given, child)
        return status

    def _scripts(self) -> set[str]:
        return {*self._library.scripts, *self._files}

    def _enter(self, script: str, program: Program, given: Sequence[str], frame: _Frame) -> Status:
        if (script in frame.stack and script in self._library.scripts) or frame.depth >= DEEPEST:
            self._note(frame, 0, f"{printable(script or 'the command', 80)} leads back to itself; that is not followed")
            return None
        scope = Scope(frame.scope.variables, list(given))
        inside = replace(frame, script=script, scope=scope, stack=(*frame.stack, script), depth=frame.depth + 1)
        return self._program(program, inside)

    # --- what commands print ---

    def _cat(self, line: _Line, frame: _Frame) -> Status:
        paths = arguments(line.words[1:])
        if self._output is None:
            return None
        if not paths or paths == ["-"]:
            self._output += frame.stdin or ()
        for path in paths:
            self._output += self._file(path, frame, line.number) or ()
        return None

    def _echo(self, line: _Line, frame: _Frame) -> Status:
        if self._output is not None:
            text = " ".join(arguments(line.words[1:])).replace("\\n", "\n")
            self._spend(len(text))
            self._output.append((frame.script, parse(_readable(text), line.number)))
        return True

    def _filter(self, line: _Line, frame: _Frame) -> Status:
        content = frame.stdin
        if content is None and line.words[0] == "sed":
            names = [word for word in line.words[1:] if base_name(word) in self._scripts()]
            content = tuple(item for name in names for item in self._file(name, frame, line.number) or ())
        if content and self._output is not None:
            self._output += content
            if base_name(line.words[0]) in _FILTERS:
                self._note(frame, line.number, f"a script is piped through '{line.words[0]}' and read as it was before")
        return None

    def _printed(self, frame: _Frame, text: str) -> str:
        """Return what a command in ``$(...)`` prints, as far as its text tells."""
        self._spend(len(text))
        if frame.depth >= DEEPEST:
            return UNKNOWN
        if match := _CONTAINER_IDS.search(text):
            return match["name"]
        program = parse(_readable(text))
        commands = [command for item in program.body for _, pipeline in item.pipelines for command in pipeline.commands]
        if len(commands) != 1 or not isinstance(commands[0], Simple) or program.problems:
            return UNKNOWN
        words = without_prefixes(self._words(commands[0].words, replace(frame, depth=frame.depth + 1)))
        return _printed_by(words)


_DECLARING = frozenset({"export", "local", "declare", "readonly", "typeset"})
_TESTS = frozenset({"[", "[[", "test", "true", "false", ":"})
# docker ps --filter name=X, docker ps | grep X: the ids of the containers of that name.
_CONTAINER_IDS = re.compile(
    r"\b(?:docker|podman|nerdctl)\s+(?:container\s+)?(?:ps|ls)\b[^;&]{0,200}?(?:name=[\"'^/]{0,3}|grep\s+(?:-\w+\s+)?[\"'^]?)"
    r"(?P<name>[A-Za-z0-9][\w.-]{0,120})"
)


def _readable(text: str) -> str:
    """Return a text made by expansion as one that can be parsed: what is not known becomes an unset variable."""
    return text.replace(UNKNOWN, "${_}")


def _printed_by(words: Sequence[str]) -> str:
    name = base_name(words[0]) if words else ""
    if name == "seq":
        numbers = sequence(list(words[1:]))
        return UNKNOWN if numbers is None else "\n".join(numbers[: MOST_WORDS + 1])
    if name in ("echo", "printf"):
        return " ".join(arguments(words[1:]))
    if name in ("pidof", "pgrep"):
        patterns = arguments(words[1:], "uUgGPst")
        return PROCESS_ID + patterns[-1] if patterns else UNKNOWN
    return UNKNOWN


def _written_to(redirects: Sequence[Redirect], expander: Expander) -> str | None:
    """Return the file that a command's output goes to; None where it goes on."""
    targets = [redirect.target for redirect in redirects if redirect.operator in (">", ">>", ">|", "&>", "&>>")]
    return expander.text(targets[-1]) if targets else None


def _line_of(pipeline: Pipeline) -> int:
    return getattr(pipeline.commands[0], "line", 0)


def _is_always(loop: While) -> bool:
    """Whether a loop's condition never changes: ``while true``, ``while :``, ``until false``."""
    always = {"false"} if loop.until else {"true", ":"}
    commands = [c for item in loop.condition for _, pipeline in item.pipelines for c in pipeline.commands]
    return (
        len(commands) == 1
        and isinstance(commands[0], Simple)
        and [w.bare in always for w in commands[0].words] == [True]
    )


_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b,
    "-ne": lambda a, b: a != b,
    "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b,
}


def _tested(words: Sequence[str]) -> Status:
    """Return what ``[ ... ]`` gives, where the text alone tells."""
    if words[0] in ("true", ":", "false"):
        return words[0] != "false"
    operands = [word for word in words[1:] if word not in ("]", "]]")]
    if operands[:1] == ["!"]:
        status = _tested([words[0], *operands[1:]])
        return None if status is None else not status
    if any(UNKNOWN in operand for operand in operands):
        return None
    if len(operands) == 2 and operands[0] in ("-z", "-n"):
        return (operands[1] == "") is (operands[0] == "-z")
    return _compared(*operands) if len(operands) == 3 else None


def _compared(left: str, operator: str, right: str) -> Status:
    if operator in ("=", "==", "!="):
        return (left == right) is (operator != "!=")
    compare = _COMPARISONS.get(operator)
    if compare is None or not all(re.fullmatch(r"-?\d{1,12}", operand) for operand in (left, right)):
        return None
    return compare(int(left), int(right))
