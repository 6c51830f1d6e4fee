"""What commands print, as far as their text tells: scripts for a shell, names for a loop, lines of the output."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from faultset.records.scripts import Stream
from faultset.sources.scripts.conditions import Status
from faultset.sources.scripts.frame import Content, Frame, Text
from faultset.sources.scripts.shell_actions import (
    CHOICES,
    CONTAINER_CHOICE,
    CONTAINER_PROCESS,
    ENGINES,
    PROCESS_CHOICE,
    PROCESS_ID,
    arguments,
    base_name,
    filters_of,
    option,
    without_prefixes,
)
from faultset.sources.scripts.shell_expansion import MOST_WORDS, UNKNOWN, sequence
from faultset.sources.scripts.shell_tree import Command, Simple

if TYPE_CHECKING:
    from faultset.sources.scripts.walk import Walk

Printer = Callable[[Sequence[str], int, Frame], Status]

_PASS = frozenset({"tee", "cat", "unbuffer", "stdbuf"})
FILTERS = frozenset({"sed", "envsubst", "tr", "grep", "egrep", "fgrep", "awk", "gawk", "head", "tail", "cut"})
UNCHANGED = frozenset({"tee", "dos2unix", "sort", "uniq", "column", "ts"})
_LINES_KEPT = frozenset({"awk", "gawk", "head", "tail", "cut", "tr", "sed"})
_GREPS = frozenset({"grep", "egrep", "fgrep"})
_STREAMS: dict[bool, Stream] = {True: "heard", False: "filtered"}


def through(commands: Sequence[Command], first: int) -> Stream:
    """Return what becomes of output that is piped through ``commands`` from the ``first`` on."""
    stream: Stream = "heard"
    for place in range(first, len(commands)):
        command = commands[place]
        words = [word.bare or "" for word in command.words] if isinstance(command, Simple) else ["{"]
        name = base_name((without_prefixes(words) or [""])[0])
        redirected = isinstance(command, Simple) and any(each.operator in (">", ">>") for each in command.redirects)
        if redirected or (name not in _PASS | FILTERS | UNCHANGED and name != "{"):
            return "gone"
        if name not in _PASS:
            stream = "filtered"
    return stream


class Printing:
    """Commands whose output matters and that act on nothing."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._ledger = walk.ledger

    def walkers(self) -> dict[str, Printer]:
        """Return what is read here, by name."""
        return {
            **dict.fromkeys(FILTERS | UNCHANGED, self._filter),
            "cat": self._cat,
            "echo": self._echo,
            "printf": self._echo,
            "seq": self._seq,
            "pidof": self._processes,
            "pgrep": self._processes,
            "ps": self._processes,
        }

    def _put(self, frame: Frame, text: str, line: int) -> None:
        self._ledger.spend(len(text))
        if frame.sink is not None:
            frame.sink.append(Text(frame.script, text, line))

    def look(self, name: str, words: Sequence[str], line: int, frame: Frame) -> None:
        """Keep what a look at containers prints: names that could be taken for answers, or ids for a later command."""
        if name not in ENGINES and name != "crictl":
            return
        operands = arguments(words, "Hcl", in_front=True)
        operands = operands[1:] if operands[:1] == ["container"] else operands
        verb, behind = (operands[0], operands[1:]) if operands else ("", [])
        if verb in ("ps", "ls"):
            self._put(frame, CONTAINER_CHOICE + filters_of(words), line)
            if "Names" in (option(behind, "", "--format") or "") or "--format" not in " ".join(behind):
                self._names(frame, f"{name} {verb}", behind)
        elif verb == "inspect":
            names = arguments(behind, "f", frozenset({"--format", "--type"}))
            about = option(behind, "f", "--format") or ""
            mark = CONTAINER_PROCESS if "Pid" in about else CONTAINER_CHOICE
            self._put(frame, mark + names[-1] if names else UNKNOWN, line)
        elif verb in ("logs", "exec", "run", "top", "attach"):
            self._ledger.prints(frame, None, None, f"{name} {verb}")

    def _names(self, frame: Frame, by: str, words: Sequence[str]) -> None:
        formatted = option(words, "", "--format") or ""
        if re.fullmatch(r"\s*\{\{\s*\.Names?\s*\}\}\s*", formatted):
            self._ledger.prints(frame, None, 1, by)

    def _echo(self, words: Sequence[str], line: int, frame: Frame) -> Status:
        operands = [word for word in words[1:] if not re.fullmatch(r"-[neE]+", word)]
        text = " ".join(operands).replace("\\n", "\n")
        if words[0].endswith("printf") and len(operands) > 1 and "%" in operands[0]:
            text = _formatted(operands[0], operands[1:])
        self._put(frame, text, line)
        if frame.sink is None:
            for each in text.splitlines()[:MOST_WORDS]:
                if not re.search(r"\s", each.strip()):
                    told = None if UNKNOWN in each else each.strip()
                    self._ledger.prints(frame, told, None if told is None else 1, "echo")
        return True

    def _seq(self, words: Sequence[str], line: int, frame: Frame) -> Status:
        numbers = sequence(list(words[1:]))
        self._put(frame, UNKNOWN if numbers is None else "\n".join(numbers[: MOST_WORDS + 1]), line)
        return True

    def _processes(self, words: Sequence[str], line: int, frame: Frame) -> Status:
        name = base_name(words[0])
        patterns = arguments(words[1:], "uUgGPsto") if name != "ps" else []
        exact = name == "pidof" or any(re.fullmatch(r"-[a-z]*x[a-z]*", word) for word in words[1:])
        mark = PROCESS_ID if exact and name != "ps" else PROCESS_CHOICE
        self._put(frame, mark + (patterns[-1] if patterns else ""), line)
        return None

    def _cat(self, words: Sequence[str], line: int, frame: Frame) -> Status:
        paths = arguments(words[1:])
        if frame.sink is None:
            self._ledger.prints(frame, None, None, "cat")
            return None
        if not paths or paths == ["-"]:
            frame.sink.extend(frame.stdin or ())
        for path in paths:
            stem = base_name(path).removesuffix(".pid")
            if path.endswith(".pid") and stem:
                self._put(frame, PROCESS_ID + stem, line)
            else:
                frame.sink.extend(self.file(path, frame, line) or ())
        return None

    def file(self, path: str, frame: Frame, line: int) -> Content | None:
        """Return a file that is read somewhere: one of the library, or one that was written before."""
        name = base_name(path)
        if name in self._ledger.files:
            return self._ledger.files[name]
        script = self._walk.library.scripts.get(name)
        if script is None:
            self._walk.report_missing(path, frame, line)
            return None
        self._walk.used_script = True
        return (Text(name, script.text, 1, script.program),)

    def _filter(self, words: Sequence[str], line: int, frame: Frame) -> Status:
        content = frame.stdin
        name = base_name(words[0])
        if content is None:
            names = [word for word in words[1:] if base_name(word) in self._walk.script_names()]
            content = tuple(item for each in names for item in self.file(each, frame, line) or ())
        if not content or frame.sink is None:
            return None
        if all(item.text.startswith(CHOICES) for item in content):
            frame.sink.extend(_narrowed(item, name, words) for item in content)
            return None
        frame.sink.extend(content)
        if name in FILTERS:
            text = f"a script is piped through '{words[0]}' and read as it was before"
            self._ledger.note(frame, line, text, unread=True)
        return None


def _narrowed(item: Text, name: str, words: Sequence[str]) -> Text:
    """A list of containers or processes through ``grep``: what it looks for is what they were chosen by."""
    mark = next(mark for mark in CHOICES if item.text.startswith(mark))
    if name not in _GREPS or any(re.fullmatch(r"-[a-zA-Z]*v[a-zA-Z]*", word) for word in words[1:]):
        return item
    patterns = arguments(words[1:], "efmABC")
    pattern = option(words[1:], "e", "--regexp") or (patterns[0] if patterns else "")
    # grep [n]ova-compute does not find itself.
    return replace(item, text=mark + re.sub(r"\[(\w)\]", r"\1", pattern)) if pattern else item


def _formatted(template: str, values: Sequence[str]) -> str:
    """Return what ``printf`` makes of its values, ``%s`` by ``%s``."""
    places = len(re.findall(r"%[-\d.]*[sdb]", template)) or 1
    lines = []
    for start in range(0, min(len(values), MOST_WORDS), places):
        rest = list(values[start : start + places])
        lines.append(re.sub(r"%[-\d.]*[sdb]", lambda _, rest=rest: rest.pop(0) if rest else "", template))  # type: ignore[misc]
    return "".join(lines).replace("\\n", "\n").replace("%%", "%")
