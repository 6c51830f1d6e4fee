"""What a hook's exit code, or a line that it prints, says of one of its commands: pure rules of the shell.

A clue on a list of commands is handed down to the commands in it, as far as the shell's rules allow: ``A && B`` ended
with 0 only if both did, ``A || true`` always does. What is handed down nowhere proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from faultset.records.scripts import Clue
from faultset.sources.scripts.library import parts_of
from faultset.sources.scripts.shell_tree import AndOr, Body, Group, If, Pipeline, Simple, Word

Clues = tuple[Clue, ...]
OF_THE_HOOK: Clues = (Clue("exit 0", succeeded=True), Clue("exit not 0", succeeded=False))

_SUCCEED = frozenset({"true", ":", "echo", "printf", "sleep"})


def successes(clues: Clues) -> Clues:
    """Return the clues of a success."""
    return tuple(clue for clue in clues if clue.succeeded)


def failures(clues: Clues) -> Clues:
    """Return the clues of a failure."""
    return tuple(clue for clue in clues if not clue.succeeded)


def negated(clues: Clues) -> Clues:
    """Return the clues for what stands behind ``!``."""
    return tuple(replace(clue, succeeded=not clue.succeeded) for clue in clues)


def common(first: Clues, second: Clues) -> Clues:
    """Return what holds for two runs of one command."""
    return tuple(clue for clue in first if clue in second)


def in_list(item: AndOr, clues: Clues, shell: Clues, line_of: Callable[[Pipeline], str | None]) -> list[Clues]:
    """Return the clues for each pipeline of a list.

    Args:
        item: the list.
        clues: those for the list's own exit code.
        shell: those for the exit code of the shell that it runs in, which ``|| exit 1`` ends.
        line_of: the line that a pipeline prints into the hook's output; None where it is not known or seen.
    """
    found: list[Clues] = []
    for position in range(len(item.pipelines) - 1, 0, -1):
        operator, pipeline = item.pipelines[position]
        before, own = (_and if operator == "&&" else _or)(clues, pipeline)
        line = line_of(pipeline)
        if line:
            before = (*before, Clue("line", operator == "&&", line))
        if operator == "||" and leaves_with_failure(pipeline):
            before = _joined(before, successes(shell))
        found.append(own)
        clues = before
    return [clues, *reversed(found)]


def _and(clues: Clues, pipeline: Pipeline) -> tuple[Clues, Clues]:
    done = successes(clues)
    return (_joined(done, failures(clues)) if succeeds(pipeline) else done), done


def _or(clues: Clues, pipeline: Pipeline) -> tuple[Clues, Clues]:
    """Where both fail, the exit code is the second one's: what the first one's was is hidden."""
    return (successes(clues) if fails(pipeline) else ()), failures(clues)


def _joined(first: Clues, second: Clues) -> Clues:
    return (*first, *(clue for clue in second if clue not in first))


def in_condition(branch: If, clues: Clues, shell: Clues, line_of: Callable[[Pipeline], str | None]) -> Clues:
    """Return the clues for the first condition of an ``if``: what its branches print, and how they end."""
    found: Clues = ()
    then = branch.branches[0][1]
    other = next((body for condition, body in branch.branches if not condition), None)
    for body, succeeded in ((then, True), (other or (), False)):
        lines = (line_of(pipeline) for item in body for _, pipeline in item.pipelines[:1])
        found = _joined(found, tuple(Clue("line", succeeded, line) for line in lines if line))
    if other and _ends_badly(other):
        found = _joined(found, (*successes(clues), *successes(shell)))
    if _ends_badly(then):
        found = _joined(found, negated((*successes(clues), *successes(shell))))
    return found


def _ends_badly(body: Body) -> bool:
    return bool(body) and len(body[-1].pipelines) == 1 and fails(body[-1].pipelines[0][1])


def fails(pipeline: Pipeline) -> bool:
    """Whether a pipeline fails for certain."""
    command = _only(pipeline)
    if isinstance(command, Group):
        return _ends_badly(command.body)
    words = _words(command)
    return words[:1] == ["false"] or (words[:1] in (["exit"], ["return"]) and _is_failure(words))


def leaves_with_failure(pipeline: Pipeline, *, at_once: bool = True) -> bool:
    """Whether a pipeline that runs after a failure ends its shell with an exit code that is not 0.

    ``exit`` alone hands on the failure, where nothing stands before it (``at_once``).
    """
    command = _only(pipeline)
    if isinstance(command, Group) and not command.subshell:
        firsts = (item.pipelines[0][1] for item in command.body)
        return any(leaves_with_failure(first, at_once=at_once and number == 0) for number, first in enumerate(firsts))
    words = _words(command)
    return words[:1] == ["exit"] and (_is_failure(words) or (at_once and words[1:] in ([], [""])))


def succeeds(pipeline: Pipeline) -> bool:
    """Whether a pipeline succeeds for certain."""
    words = _words(_only(pipeline))
    return bool(words) and (words[0] in _SUCCEED or words == ["exit", "0"])


def _is_failure(words: list[str | None]) -> bool:
    code = words[1] if len(words) > 1 else None
    return bool(code) and code is not None and code.isdigit() and int(code) != 0


def _only(pipeline: Pipeline) -> object:
    return pipeline.commands[0] if len(pipeline.commands) == 1 and not pipeline.negated else None


def _words(command: object) -> list[str | None]:
    return [_plain(word) for word in command.words] if isinstance(command, Simple) else []


def _plain(word: Word) -> str | None:
    if len(word.parts) == 1 and word.parts[0].kind == "variable" and word.parts[0].text == "?":
        return ""
    texts = [part.text for part in word.parts if part.kind == "text"]
    return "".join(texts) if len(texts) == len(word.parts) else None


def deciding(body: Body) -> int | None:
    """Return which statement gives a body its exit code; None where none does.

    The last one, or the one before ``exit $?``, or the one behind which ``rc=$?`` keeps the code for ``exit $rc``.
    """
    last = len(body) - 1
    words = simple_words(body[last]) if body else []
    if not words or words[0] not in ("exit", "return"):
        return last if body else None
    if len(words) == 1 or words[1] == "":
        return last - 1 if last else None
    return _kept(body, last)


def _kept(body: Body, last: int) -> int | None:
    """The statement whose exit code a variable keeps until the ``exit`` at ``last``."""
    command = _only(body[last].pipelines[0][1])
    parts = command.words[1].parts if isinstance(command, Simple) and len(command.words) > 1 else ()
    name = parts[0].text if len(parts) == 1 and parts[0].kind == "variable" else None
    for position in range(last - 1, 0, -1):
        keeper = _only(body[position].pipelines[0][1])
        for assignment in keeper.assignments if isinstance(keeper, Simple) else ():
            if assignment.name == name:
                value = assignment.values[0].parts if assignment.values else ()
                return position - 1 if [part.text for part in value] == ["?"] else None
    return None


def simple_words(item: AndOr) -> list[str | None]:
    """Return the words of a statement that is one simple command; nothing for others. ``$?`` is an empty text."""
    return _words(_only(item.pipelines[0][1])) if len(item.pipelines) == 1 else []


@dataclass(frozen=True, slots=True)
class Shape:
    """What is to be known of statements before they are walked.

    Attributes:
        deciding: which of them gives the exit code; None where none does.
        last_wait: which of them waits last for what runs in the background; -1 where none does.
        leaving: those that may end the shell.
    """

    deciding: int | None
    last_wait: int
    leaving: frozenset[int]


def shape_of(body: Body) -> Shape:
    """Return the shape of statements."""
    waits = [number for number, item in enumerate(body) if simple_words(item)[:1] == ["wait"]]
    leaving = frozenset(number for number, item in enumerate(body) if _may_leave(item))
    return Shape(deciding(body), waits[-1] if waits else -1, leaving)


def _may_leave(item: AndOr) -> bool:
    return any(
        isinstance(part, Simple) and bool(part.words) and part.words[0].bare in ("exit", "return")
        for part in parts_of(item)
    )
