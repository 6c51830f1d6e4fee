"""Control flow: lists, pipelines, loops, branches and functions of scripts, walked and never run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from faultset.errors import printable
from faultset.records.scripts import Clue, Stream
from faultset.sources.scripts import clues as rules
from faultset.sources.scripts.branches import Outcomes
from faultset.sources.scripts.clues import Clues, successes
from faultset.sources.scripts.commands import SCRIPT_NAME, Commands
from faultset.sources.scripts.conditions import Status, is_always, matches
from faultset.sources.scripts.frame import Frame, LeaveError, Lines, Shell, Text, TooMuchError, readable
from faultset.sources.scripts.ledger import MOST_ROUNDS, Ledger, worse
from faultset.sources.scripts.library import ScriptLibrary, parts_of
from faultset.sources.scripts.printing import through
from faultset.sources.scripts.rounds import LEAVING, depends_on_round
from faultset.sources.scripts.shell_actions import CHOICES, base_name
from faultset.sources.scripts.shell_expansion import UNKNOWN, Expander, Scope, assign, evaluate
from faultset.sources.scripts.shell_syntax import DEEPEST, parse
from faultset.sources.scripts.shell_tree import (
    AndOr,
    Arithmetic,
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
    Simple,
    While,
    Word,
)

_MANY_WORDS = 1_000


class Walk:
    """One walk through a hook's command and all that it leads to."""

    def __init__(self, library: ScriptLibrary, stand_in: str | None = None) -> None:
        self.library = library
        self.stand_in = stand_in
        self.ledger = Ledger()
        self.missing: set[str] = set()
        self.used_script = False
        self._same_rounds: dict[tuple[int, str], tuple[Body, bool]] = {}
        self._shapes: dict[int, tuple[Body, rules.Shape]] = {}
        self._commands = Commands(self)
        self._walkers: dict[type, Callable[..., Status]] = {
            Simple: self._commands.simple,
            For: self._for,
            CountedFor: self._counted_for,
            While: self._while,
            If: self._if,
            Case: self._case,
            Group: self._group,
            Function: self._define,
            Arithmetic: self._arithmetic,
        }

    @property
    def said_something(self) -> bool:
        """Whether any action, session or script of the library was met."""
        return self.ledger.said_something or self.used_script

    def start(self, program: Program) -> None:
        """Walk through the hook's command."""
        shell = Shell()
        frame = Frame("", None, Scope(), {}, shell)
        try:
            self.program(program, frame)
        except (TooMuchError, RecursionError):
            text = "the scripts order more than can be counted; the rest is left out"
            self.ledger.note(None, 0, text, unread=True)

    def expander(self, frame: Frame) -> Expander:
        """Return what expands words here."""
        return Expander(frame.scope, partial(self.printed, frame), partial(self.ledger.note, frame))

    def words(self, words: Sequence[Word], frame: Frame) -> list[str]:
        """Return what words become."""
        expander = self.expander(frame)
        found: list[str] = []
        for word in words:
            found += expander.words(word)
            if len(found) > _MANY_WORDS:
                self.ledger.spend(len(found))
        self.ledger.spend(sum(map(len, found)) + len(found) * 2)
        return found

    # --- programs, lists, pipelines ---

    def program(self, program: Program, frame: Frame) -> Status:
        """Walk through a whole shell; it ends with its own ``exit``."""
        for problem in program.problems:
            self.ledger.note(frame, 0, f"cannot be read from {problem}", unread=True)
        try:
            status = self.body(program.body, frame)
        except LeaveError:
            status = None
        while frame.shell.at_exit:
            text = frame.shell.at_exit.pop()
            self.text(text, 0, frame.but(clues=()))
        return status

    def text(self, text: str, line: int, frame: Frame) -> Status:
        """Walk through a command that is given as text."""
        if frame.depth >= DEEPEST:
            deep = f"shells are nested more than {DEEPEST} deep; the rest is not read"
            self.ledger.note(frame, line, deep, unread=True)
            return None
        self.ledger.spend(len(text))
        return self.program(parse(readable(text), line), frame.but(depth=frame.depth + 1))

    def printed(self, frame: Frame, text: str, clues: Clues = ()) -> str:
        """Return what a command in ``$(...)`` prints, as far as its text tells."""
        self.ledger.spend(len(text))
        if frame.depth >= DEEPEST:
            return UNKNOWN
        sink: list[Text] = []
        stdout: Stream = "filtered" if frame.echoes and frame.sink is None and frame.stdout != "gone" else "gone"
        inside = frame.but(sink=sink, stdout=stdout, clues=clues, depth=frame.depth + 1)
        self.program(parse(readable(text)), inside.subshell(keeps_functions=True))
        return "".join(item.text for item in sink) if sink else UNKNOWN

    def body(self, body: Body, frame: Frame) -> Status:
        """Walk through statements, the last of which tells how they end."""
        status: Status = True
        shape = self._shape_of(body)
        for number, item in enumerate(body):
            clues = self._tail(frame) if number == shape.deciding else ()
            child = frame.but(clues=clues, waited=frame.waited or number < shape.last_wait)
            status = self._statement(item, child, body[number + 1 : number + 2])
            frame.shell.may_leave = frame.shell.may_leave or number in shape.leaving
        return status

    def _shape_of(self, body: Body) -> rules.Shape:
        # The body is kept beside the answer, for its id names no other one while it lives.
        if id(body) not in self._shapes:
            self._shapes[id(body)] = (body, rules.shape_of(body))
        return self._shapes[id(body)][1]

    def _tail(self, frame: Frame) -> Clues:
        """A failure is the last command's only where nothing before it could end the shell."""
        if frame.shell.masked:
            return ()
        if frame.shell.may_leave or (frame.shell.stops_at_errors and not frame.guarded):
            return successes(frame.clues)
        return frame.clues

    def _statement(self, item: AndOr, frame: Frame, following: Body) -> Status:
        told = self._told_by_next(following, frame)
        if not item.background:
            return self._and_or(item, frame.but(clues=(*frame.clues, *told)))
        ledger = self.ledger
        clock = ledger.clock
        child = frame.but(clues=()).subshell(keeps_functions=True)
        self._and_or(item, child.but(detached=True, waited=frame.waited))
        ends = (ledger.clock, ledger.background)
        ledger.background = None if None in ends else max(end for end in ends if end is not None)
        ledger.clock = clock
        return True

    def _told_by_next(self, following: Body, frame: Frame) -> Clues:
        """``echo $?`` behind a command prints how it ended."""
        if not following or rules.simple_words(following[0])[:1] != ["echo"]:
            return ()
        [(_, pipeline), *_] = following[0].pipelines
        command = pipeline.commands[0]
        if not isinstance(command, Simple) or not any(
            part.kind == "variable" and part.text == "?" for word in command.words for part in word.parts
        ):
            return ()
        return tuple(
            Clue("line", code == 0, line)
            for code in (0, 1, 2, 3, 4, 5, 125, 126, 127)
            if (line := self._line(pipeline, frame, code))
        )

    def _and_or(self, item: AndOr, frame: Frame) -> Status:
        shell = frame.shell
        clues = rules.in_list(item, frame.clues, shell.clues, lambda pipeline: self._line(pipeline, frame))
        if shell.stops_at_errors and not frame.guarded and not shell.masked:
            clues[-1] = (*clues[-1], *(clue for clue in successes(shell.clues) if clue not in clues[-1]))
        status: Status = None
        last = len(item.pipelines) - 1
        for number, (operator, pipeline) in enumerate(item.pipelines):
            if (operator == "&&" and status is False) or (operator == "||" and status is True):
                continue
            child = frame.but(clues=clues[number], guarded=frame.guarded or number < last)
            if operator == "||" and status is None:
                self._shadow(pipeline, child)
                continue
            outcomes = Outcomes(frame.scope.variables) if operator == "&&" and status is None else None
            status = self._pipeline(pipeline, child)
            if outcomes is not None:
                outcomes.end()
                outcomes.settle(all_may_be_skipped=True)
                status = status and None
        return status

    def _line(self, pipeline: Pipeline, frame: Frame, code: int | None = None) -> str | None:
        """Return the one line that ``echo`` prints into the hook's output; None where it is not known or not seen."""
        command = pipeline.commands[0]
        if isinstance(command, Group):
            firsts = [item.pipelines[0][1] for item in command.body]
            return next((line for first in firsts if (line := self._line(first, frame, code))), None)
        if len(pipeline.commands) > 1 or not isinstance(command, Simple) or not command.words:
            return None
        seen = all(redirect.operator == ">&" for redirect in command.redirects) and frame.stdout == "heard"
        if command.words[0].bare not in ("echo", "printf") or not seen or frame.sink is not None:
            return None
        scope = Scope({**frame.scope.variables, **({} if code is None else {"?": [str(code)]})}, frame.scope.arguments)
        expander = Expander(scope, lambda _: UNKNOWN, lambda *_: None)
        words = [text for word in command.words[1:] for text in expander.words(word)]
        line = " ".join(words).replace("\\n", "").strip()
        return line if line and UNKNOWN not in line and not line.startswith("-") else None

    def _shadow(self, pipeline: Pipeline, frame: Frame) -> None:
        """Look at what runs only after a failure: it is kept apart, and named where it would have acted."""
        sessions, before = len(self.ledger.sessions), self.ledger.fallback_count()
        outcomes = Outcomes(frame.scope.variables)
        self._pipeline(pipeline, frame.but(fallback=True, certain=False))
        outcomes.end()
        outcomes.settle(all_may_be_skipped=True)
        if before != self.ledger.fallback_count() or sessions != len(self.ledger.sessions):
            text = "what stands behind '||' runs after a failure only and is not counted"
            self.ledger.note(frame, _line_of(pipeline), text)
        del self.ledger.sessions[sessions:]

    def _pipeline(self, pipeline: Pipeline, frame: Frame) -> Status:
        status: Status = None
        content = frame.stdin
        clues = rules.negated(frame.clues) if pipeline.negated else frame.clues
        several = len(pipeline.commands) > 1
        for index, command in enumerate(pipeline.commands):
            if index == len(pipeline.commands) - 1:
                own = successes(clues) if several and frame.shell.fails_with_pipes else clues
                status = self.command(command, frame.but(stdin=content, clues=own))
                continue
            sink: list[Text] = []
            stdout = worse(frame.stdout, through(pipeline.commands, index + 1))
            own = successes(clues) if frame.shell.fails_with_pipes else ()
            self.command(command, frame.but(stdin=content, sink=sink, stdout=stdout, clues=own))
            content = tuple(sink) if sink else None
        return (not status) if pipeline.negated and status is not None else status

    def command(self, command: Command, frame: Frame) -> Status:
        """Walk through one command."""
        self.ledger.spend()
        return self._walkers[type(command)](command, frame)

    def _group(self, group: Group, frame: Frame) -> Status:
        redirected = self._commands.redirected(group.redirects, frame)
        if not group.subshell:
            return self.body(group.body, redirected)
        try:
            return self.body(group.body, redirected.subshell(keeps_functions=True))
        except LeaveError as leave:
            if leave.kind == "exit":
                return None
            raise

    def _define(self, function: Function, frame: Frame) -> Status:
        frame.functions[function.name] = function.body
        return True

    def _arithmetic(self, command: Arithmetic, frame: Frame) -> Status:
        if assign(command.text, frame.scope):
            return None
        number = evaluate(command.text, frame.scope)
        return None if number is None else number != 0

    # --- loops ---

    def _for(self, loop: For, frame: Frame) -> Status:
        items = list(frame.scope.arguments) if loop.items is None else self.words(loop.items, frame)
        if any((UNKNOWN in item and not item.startswith(CHOICES)) or "*" in item or "?" in item for item in items):
            self.ledger.note(frame, loop.line, "the text does not tell over what a loop runs; it is counted once")
            items, frame = [UNKNOWN], frame.but(repeated=True, clues=())
        if len(items) > MOST_ROUNDS:
            text = f"a loop of more than {MOST_ROUNDS:,} rounds is counted as {MOST_ROUNDS:,}"
            self.ledger.note(frame, loop.line, text)
            items = items[:MOST_ROUNDS]
        if len(items) > 1 and self._is_same_each_round(loop, frame):
            frame.scope.variables[loop.name] = [items[-1]]
            return self._repeated(loop.body, frame, len(items))
        for number, item in enumerate(items, start=1):
            frame.scope.variables[loop.name] = [item]
            if not self._round(loop.body, frame, last=number == len(items)):
                break
        return None

    def _is_same_each_round(self, loop: For, frame: Frame) -> bool:
        key = (id(loop.body), loop.name)
        if key not in self._same_rounds:
            # The body is kept beside the answer, for its id names no other one while it lives.
            self._same_rounds[key] = (loop.body, not depends_on_round(loop.body, frame.functions, loop.name))
        return self._same_rounds[key][1]

    def _repeated(self, body: Body, frame: Frame, rounds: int) -> Status:
        """Walk once through a body whose rounds are all the same, and count it ``rounds`` times."""
        ledger = self.ledger
        times, clock = ledger.times, ledger.clock
        ledger.times = min(times * rounds, MOST_ROUNDS)
        if times * rounds > MOST_ROUNDS:
            ledger.note(frame, 0, f"loops of more than {MOST_ROUNDS:,} rounds are counted as {MOST_ROUNDS:,}")
        try:
            self.body(body, frame)
        finally:
            ledger.times = times
        if clock is not None and ledger.clock is not None:
            ledger.clock = clock + (ledger.clock - clock) * rounds
        return None

    def _round(self, body: Body, frame: Frame, *, last: bool = False) -> bool:
        """Walk through one round of a loop; whether there can be another. The last one tells how the loop ends."""
        try:
            self.body(body, frame if last else frame.but(clues=()))
        except LeaveError as leave:
            if leave.kind not in ("break", "continue"):
                raise
            return leave.kind == "continue"
        return True

    def _counted_for(self, loop: CountedFor, frame: Frame) -> Status:
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

    def _endless(self, line: int, body: Body, frame: Frame) -> Status:
        """A loop whose end the text does not tell: it is counted as far as it got, once at least."""
        told = "it is counted once" if body else f"it is counted {MOST_ROUNDS:,} times at most"
        if body:
            self._round(body, frame.but(repeated=True))
        self.ledger.note(frame, line, f"the text does not tell how often a loop runs; {told}")
        return None

    def _while(self, loop: While, frame: Frame) -> Status:
        if is_always(loop):
            if self._round(loop.body, frame.but(repeated=not _leaves(loop.body))):
                text = "the text does not tell how often a loop runs; it is counted once"
                self.ledger.note(frame, loop.line, text)
            return None
        if (lines := self._read_lines(loop, frame)) is not None:
            return self._while_reading(loop, frame.but(lines=lines, stdin=None))
        condition = frame.but(clues=(), guarded=True)
        for number in range(MOST_ROUNDS + 1):
            status = self.body(loop.condition, condition)
            if status is not None and status is loop.until:
                return None
            if status is None or number == MOST_ROUNDS:
                return self._endless(loop.line, loop.body if number == 0 else (), frame)
            if not self._round(loop.body, frame):
                return None
        return None

    def _read_lines(self, loop: While, frame: Frame) -> Lines | None:
        """Return the lines that ``while read`` gets, where they are known; None for other loops."""
        first = rules.simple_words(loop.condition[0]) if len(loop.condition) == 1 else []
        if first[:1] != ["read"] or not frame.stdin or loop.until:
            return None
        texts = [item.text for item in frame.stdin]
        known = all(UNKNOWN not in text or text.startswith(CHOICES) for text in texts)
        lines = [line for text in texts for line in text.splitlines() if line.strip()]
        return Lines(lines) if known else None

    def _while_reading(self, loop: While, frame: Frame) -> Status:
        lines = frame.lines
        for _ in range(MOST_ROUNDS):
            if lines is None or not lines.left:
                return None
            self.body(loop.condition, frame.but(clues=(), guarded=True))
            if not self._round(loop.body, frame, last=not lines.left):
                return None
        return None

    # --- branches ---

    def _if(self, branch: If, frame: Frame) -> Status:
        before, uncertain = len(self.ledger), False
        outcomes: Outcomes | None = None
        told = rules.in_condition(branch, frame.clues, frame.shell.clues, lambda pipeline: self._line(pipeline, frame))
        for number, (condition, body) in enumerate(branch.branches):
            asked = frame.but(clues=told if number == 0 else (), guarded=True)
            status = self.body(condition, asked) if condition else True
            before = len(self.ledger) if number == 0 else before
            if status is False:
                continue
            uncertain = uncertain or status is None
            outcomes = outcomes or (Outcomes(frame.scope.variables) if uncertain else None)
            self._branch(body, frame, outcomes)
            if status is True:
                break
        if outcomes is not None:
            outcomes.settle(all_may_be_skipped=status is not True)
        if uncertain and before != len(self.ledger):
            text = "the text does not tell which branch runs; all that may are counted"
            self.ledger.note(frame, branch.line, text)
        return None

    def _branch(self, body: Body, frame: Frame, outcomes: Outcomes | None) -> None:
        """Walk through a branch that runs; where that is not certain, ``outcomes`` keeps what it leaves."""
        if outcomes is None:
            self.body(body, frame)
            return
        outcomes.begin()
        self.body(body, frame.but(certain=False, clues=()))
        outcomes.end()

    def _case(self, branch: Case, frame: Frame) -> Status:
        before = len(self.ledger)
        subject = self.expander(frame).text(branch.subject)
        uncertain, status = False, None
        outcomes = Outcomes(frame.scope.variables)
        for patterns, body in branch.branches:
            status = matches(subject, [self.expander(frame).text(pattern) for pattern in patterns])
            if status is False:
                continue
            uncertain = uncertain or status is None
            self._branch(body, frame, outcomes if uncertain else None)
            if status is True:
                break
        if uncertain:
            outcomes.settle(all_may_be_skipped=True)
        if uncertain and before != len(self.ledger):
            text = "the text does not tell which branch of a case runs; all are counted"
            self.ledger.note(frame, branch.line, text)
        return None

    # --- scripts ---

    def report_missing(self, path: str, frame: Frame, line: int) -> None:
        """Note a file that is read as a script and is not there."""
        name = base_name(path)
        if SCRIPT_NAME.fullmatch(path) and not path.startswith(("/dev/", "/proc/")):
            self.missing.add(name)
            self.ledger.note(frame, line, f"{printable(name, 80)} is not among the hook scripts", unread=True)

    def script_names(self) -> set[str]:
        """Return the names of all scripts that can be followed."""
        return {*self.library.scripts, *self.ledger.files}

    def enter(self, item: Text, given: Sequence[str], frame: Frame) -> Status:
        """Walk through a text as a script with arguments."""
        if (item.program is not None and item.script in frame.stack) or frame.depth >= DEEPEST:
            text = f"{printable(item.script or 'the command', 80)} leads back to itself; that is not followed"
            self.ledger.note(frame, 0, text, unread=item.program is None)
            return None
        scope = Scope(frame.scope.variables, list(given))
        stack = (*frame.stack, item.script) if item.program is not None else frame.stack
        inside = frame.but(script=item.script, scope=scope, stack=stack, depth=frame.depth + 1)
        return self.program(item.commands(), inside)

    def content(self, frame: Frame, given: Sequence[str]) -> Status:
        """Walk through what is piped to a shell."""
        status: Status = None
        content, frame = frame.stdin or (), frame.but(stdin=None)
        for number, item in enumerate(content, start=1):
            status = self.enter(item, given, frame if number == len(content) else frame.but(clues=()))
        return status


def _leaves(body: Body) -> bool:
    return any(isinstance(part, Simple) and part.words and part.words[0].bare in LEAVING for part in parts_of(body))


def _line_of(pipeline: Pipeline) -> int:
    return getattr(pipeline.commands[0], "line", 0)
