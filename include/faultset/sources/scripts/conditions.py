"""What ``[ ... ]`` and a loop's condition give, where the text alone tells."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence

from faultset.sources.scripts.shell_expansion import UNKNOWN
from faultset.sources.scripts.shell_tree import Simple, While

Status = bool | None

TESTS = frozenset({"[", "[[", "test", "true", "false", ":"})

_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b,
    "-ne": lambda a, b: a != b,
    "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b,
}


def tested(words: Sequence[str]) -> Status:
    """Return what ``[ ... ]`` gives; None where the text does not tell."""
    if words[0] in ("true", ":", "false"):
        return words[0] != "false"
    operands = [word for word in words[1:] if word not in ("]", "]]")]
    if operands[:1] == ["!"]:
        status = tested([words[0], *operands[1:]])
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


def matches(subject: str, patterns: Sequence[str]) -> Status:
    """Whether a branch of a ``case`` is for ``subject``."""
    if UNKNOWN in subject or any(UNKNOWN in pattern for pattern in patterns):
        return None
    return any(fnmatch.fnmatchcase(subject, pattern) for pattern in patterns)


def is_always(loop: While) -> bool:
    """Whether a loop's condition never changes: ``while true``, ``while :``, ``until false``."""
    always = {"false"} if loop.until else {"true", ":"}
    commands = [c for item in loop.condition for _, pipeline in item.pipelines for c in pipeline.commands]
    return (
        len(commands) == 1
        and isinstance(commands[0], Simple)
        and [w.bare in always for w in commands[0].words] == [True]
    )
