"""What commands take from their input or their arguments: ``read``, ``xargs``, ``getopts``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from faultset.sources.scripts.clues import successes
from faultset.sources.scripts.conditions import Status
from faultset.sources.scripts.frame import Frame
from faultset.sources.scripts.later import Line, Walker
from faultset.sources.scripts.shell_actions import arguments, option, without_prefixes
from faultset.sources.scripts.shell_expansion import UNKNOWN
from faultset.sources.scripts.timers import seconds

if TYPE_CHECKING:
    from faultset.sources.scripts.walk import Walk

# Where the characters are kept that part the fields of one ``read``; no variable of a script is called so.
FIELDS = "IFS of read"
_PLACE = "place of getopts"


class Given:
    """Commands about input.

    Args:
        walk: the walk they stand in.
        line: what walks through a command whose words are known.
    """

    def __init__(self, walk: Walk, line: Walker) -> None:
        self._ledger = walk.ledger
        self._line = line

    def walkers(self) -> dict[str, Callable[[Line, Frame], Status]]:
        """Return what is read here, by name."""
        return {"read": self._read, "xargs": self._xargs, "getopts": self._getopts}

    def _read(self, line: Line, frame: Frame) -> Status:
        variables = frame.scope.variables
        names = arguments(line.words[1:], "dinNptu") or ["REPLY"]
        lines = frame.lines.left if frame.lines is not None else []
        text = lines.pop(0) if lines else UNKNOWN
        marks = variables.pop(FIELDS, [""])[0] or (variables.get("IFS") or [""])[0]
        parted = text.split(None, len(names) - 1)
        if marks.strip() and UNKNOWN not in marks:
            parted = re.split(f"[{re.escape(marks)}]", text, maxsplit=len(names) - 1)
        fields = [text] if len(names) == 1 else parted
        for number, name in enumerate(names):
            variables[name] = [fields[number] if number < len(fields) else ""]
        return None if text == UNKNOWN else True

    def _getopts(self, line: Line, frame: Frame) -> Status:
        """Take the next option of a script's or a function's arguments."""
        if len(line.words) < 3:
            return None
        letters, name = line.words[1:3]
        variables, given = frame.scope.variables, line.words[3:] or frame.scope.arguments
        place, inside = (int(number) for number in (variables.get(_PLACE) or ["0 1"])[0].split())
        word = given[place] if place < len(given) else ""
        if UNKNOWN in word:
            return None
        if len(word) <= inside or not word.startswith("-") or word == "--":
            variables["OPTIND"] = [str(place + 1 + (word == "--"))]
            variables[_PLACE] = ["0 1"]
            return False
        letter, rest = word[inside], word[inside + 1 :]
        takes = f"{letter}:" in letters
        value = rest or (given[place + 1] if place + 1 < len(given) else UNKNOWN)
        variables[name] = [letter if letter in letters else "?"]
        variables["OPTARG"] = [value if takes else ""]
        after = f"{place} {inside + 1}" if rest and not takes else f"{place + 1 + (takes and not rest)} 1"
        variables[_PLACE] = [after]
        return True

    def _xargs(self, line: Line, frame: Frame) -> Status:
        words = line.words[1:]
        long = frozenset({"--max-args", "--max-lines", "--max-procs", "--delimiter", "--arg-file"})
        command = arguments(words, "nLPdaIEs", long, in_front=True)
        given = [item.text for item in frame.stdin or ()] or [UNKNOWN]
        place = option(words, "I", "--replace")
        child = frame.but(stdin=None, lines=None)
        if place:
            items = [text for each in given for text in each.splitlines()]
            calls = [[word.replace(place, item) for word in command] for item in items]
        else:
            items = [text for each in given for text in each.split()]
            size = seconds(option(words, "n", "--max-args") or option(words, "L", "--max-lines") or "")
            step = int(size) if size else max(len(items), 1)
            calls = [[*command, *items[start : start + step]] for start in range(0, len(items), step)]
        self._ledger.spend(sum(len(word) for call in calls for word in call))
        clues = frame.clues if len(calls) == 1 else successes(frame.clues)
        for call in calls:
            inside = without_prefixes(call)
            self._line(Line(inside, line.number, call), child.but(clues=clues))
        return None
