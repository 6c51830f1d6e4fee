"""What the words of a shell script become: braces, variables, ``seq`` and arithmetic, as far as the text alone tells.

What cannot be known from the text is the character ``UNKNOWN``, so that a word can be known in part.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from faultset.sources.scripts.shell_tree import Part, Word

UNKNOWN = "\x00"
MOST_WORDS = 10_000
# Characters made by one expansion; a variable that doubles itself ends there.
_MOST_EXPANDED = 4_000_000
_LONGEST_CHANGED = 200
_LONGEST_BRACES = 4_096
_DEEPEST_BRACES = 8

_PLACEHOLDERS = 0xE000
_MOST_PARTS = 6_000
_RANGE = re.compile(r"(?P<first>-?\d{1,9})\.\.(?P<last>-?\d{1,9})(?:\.\.(?P<step>-?\d{1,9}))?")
_LETTERS = re.compile(r"(?P<first>[A-Za-z])\.\.(?P<last>[A-Za-z])")
_PARAMETER = re.compile(
    r"(?P<length>#?)(?P<keys>!?)(?P<name>\w+|[@*#?])(?:\[(?P<index>[@*]|-?\d{1,6}|\$?\{?\w+\}?)\])?"
    r"(?::?[-=](?P<default>.*)|(?P<change>\#\#?|%%?|//?|\^\^?|,,?)(?P<by>[^$`\x00]*))?",
    re.DOTALL,
)
_KEYED = re.compile(r"\[(?P<key>[^\]]*)\]=(?P<value>.*)", re.DOTALL)
_ASSIGNED = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)\s*(?:(?P<step>\+\+|--)|(?P<operator>[-+*]?)=(?!=)(?P<value>.*))\s*")
_NUMBER_TOKEN = re.compile(r"\s*(\d{1,12}|\$?\{?[A-Za-z_]\w*\}?|<=|>=|==|!=|&&|\|\||[-+*/%()<>])")


@dataclass(slots=True)
class Scope:
    """Variables (a list holds the values of an array) and positional arguments."""

    variables: dict[str, list[str]] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    def value(self, name: str) -> list[str]:
        """Return the values of a variable or of a positional argument; one unknown where it has none."""
        if name in ("@", "*"):
            return list(self.arguments)
        if name == "#":
            return [str(len(self.arguments))]
        if name.isascii() and name.isdigit():
            number = int(name[:6])
            return [self.arguments[number - 1]] if 0 < number <= len(self.arguments) else [UNKNOWN]
        return self.variables.get(name, [UNKNOWN])


class Expander:
    """Expands words in a scope.

    Args:
        scope: what is known.
        run: what a command in ``$(...)`` prints; ``UNKNOWN`` where that is not known.
        note: told the line and, in words, what was cut.
    """

    def __init__(self, scope: Scope, run: Callable[[str], str], note: Callable[[int, str], None]) -> None:
        self._scope = scope
        self._run = run
        self._note = note
        self._room = _MOST_EXPANDED

    def words(self, word: Word) -> list[str]:
        """Return the words that ``word`` becomes."""
        if len(word.parts) > _MOST_PARTS:
            return [UNKNOWN]
        # Everything but bare text hides behind a placeholder, since braces are expanded first and in bare text only.
        template = "".join(
            part.text if part.kind == "text" and not part.quoted else chr(_PLACEHOLDERS + index)
            for index, part in enumerate(word.parts)
        )
        alternatives = braces(template)
        if len(alternatives) > MOST_WORDS:
            self._note(word.line, f"braces give more than {MOST_WORDS:,} words, only so many are counted")
        found: list[str] = []
        for alternative in alternatives[:MOST_WORDS]:
            found += self._fields(alternative, word.parts)
        return found

    def text(self, word: Word) -> str:
        """Return ``word`` as one text, without splitting."""
        return "".join(" ".join(self._values(part)) for part in word.parts)

    def _fields(self, template: str, parts: tuple[Part, ...]) -> list[str]:
        fields: list[str] = []
        current: list[str] = []
        for character in template:
            index = ord(character) - _PLACEHOLDERS
            if not 0 <= index < len(parts):
                current.append(character)
                continue
            part = parts[index]
            values, before, after = self._split(part)
            if before and current:
                fields.append("".join(current))
                current = []
            if not values:
                continue
            current.append(values[0])
            for value in values[1:]:
                fields.append("".join(current))
                current = [value]
            if after:
                fields.append("".join(current))
                current = []
        return [*fields, "".join(current)] if current else fields

    def _split(self, part: Part) -> tuple[list[str], bool, bool]:
        """Return the words of an expansion, and whether it begins and ends with a space that separates."""
        values = self._values(part)
        if part.quoted:
            return values, False, False
        text = " ".join(values)
        split = text.split()
        return split, text[:1].isspace(), bool(split) and text[-1:].isspace()

    def _values(self, part: Part) -> list[str]:
        values = self._looked_up(part)
        self._room -= len(values) + sum(map(len, values))
        return values if self._room > 0 else [UNKNOWN]

    def _looked_up(self, part: Part) -> list[str]:
        if part.kind == "text":
            return [part.text]
        if part.kind == "arithmetic":
            number = evaluate(part.text, self._scope)
            return [UNKNOWN if number is None else str(number)]
        if part.kind == "command":
            return [self._run(part.text).rstrip("\n")]
        return self._parameter(part)

    def _parameter(self, part: Part) -> list[str]:
        match = _PARAMETER.fullmatch(part.text)
        if match is None:
            return [UNKNOWN]
        name, index, default = match["name"], match["index"], match["default"]
        values = self._scope.value(name)
        if match["change"] is not None:
            return [changed(value, match["change"], match["by"]) for value in self._chosen(values, part, match)]
        if match["keys"] or match["length"]:
            keys = [each["key"] for value in values if (each := _KEYED.fullmatch(value))]
            if index not in ("@", "*") or UNKNOWN in values or (match["keys"] and len(keys) < len(values)):
                return [UNKNOWN]
            return keys if match["keys"] else [str(len(values))]
        if values == [UNKNOWN] and default is not None:
            return [default.strip("\"'") if "$" not in default else UNKNOWN]
        return self._chosen(values, part, match)

    def _chosen(self, values: list[str], part: Part, match: re.Match[str]) -> list[str]:
        """Return those values of a variable that its index names."""
        name, index = match["name"], match["index"]
        if name in ("@", "*") or index in ("@", "*"):
            joined = part.quoted and "*" in (name, index)
            return [" ".join(values)] if joined else values
        if index is None:
            return values[:1]
        named = self._scope.variables.get(index.strip("${}"), [index])[0] if index.startswith("$") else index
        keyed = {each["key"]: each["value"] for value in values if (each := _KEYED.fullmatch(value))}
        if named in keyed:
            return [keyed[named]]
        number = evaluate(index, self._scope)
        return [values[number]] if number is not None and -len(values) <= number < len(values) else [UNKNOWN]


def changed(value: str, change: str, by: str) -> str:
    """Return what ``${x##*:}``, ``${x%.*}``, ``${x/a/b}`` and ``${x^^}`` make of a value.

    Args:
        value: of the variable.
        change: the operator.
        by: what follows it: a pattern of the shell.
    """
    if UNKNOWN in value or len(value) > _LONGEST_CHANGED:
        return UNKNOWN
    if change[0] in "^,":
        turned = value.upper() if change[0] == "^" else value.lower()
        return turned if len(change) == 2 else turned[:1] + value[1:]
    if change[0] == "/":
        pattern, _, new = by.partition("/")
        return UNKNOWN if set(pattern) & set("*?[\\") else value.replace(pattern, new, -1 if change == "//" else 1)
    cuts = range(len(value) + 1)
    if change[0] == "#":
        fitting = [cut for cut in cuts if fnmatch.fnmatchcase(value[:cut], by)]
        return value[(fitting[-1] if change == "##" else fitting[0]) :] if fitting else value
    fitting = [cut for cut in cuts if fnmatch.fnmatchcase(value[cut:], by)]
    return value[: (fitting[0] if change == "%%" else fitting[-1])] if fitting else value


# --- braces ----------------------------------------------------------------------------------------------------------


def braces(text: str, depth: int = 0) -> list[str]:
    """Return what bash's brace expansion makes of ``text``; at most one word more than ``MOST_WORDS``.

    ``{a..b}`` counts up or down with both ends, and ``{1}`` is no expansion but itself.
    """
    if "{" not in text or len(text) > _LONGEST_BRACES or depth > _DEEPEST_BRACES:
        return [text]
    results = [""]
    position = 0
    for opening, (closing, commas) in sorted(_pairs(text).items()):
        if opening < position:
            continue
        alternatives = _alternatives(text, opening, closing, commas, depth)
        if alternatives is not None:
            before = text[position:opening]
            combined = (result + before + alternative for result in results for alternative in alternatives)
            results = list(islice(combined, MOST_WORDS + 1))
            position = closing + 1
    return [result + text[position:] for result in results]


def _pairs(text: str) -> dict[int, tuple[int, list[int]]]:
    """Return for each opening brace its closing one and the commas directly between the two."""
    pairs: dict[int, tuple[int, list[int]]] = {}
    opened: list[tuple[int, list[int]]] = []
    for position, character in enumerate(text):
        if character == "{":
            opened.append((position, []))
        elif character == "}" and opened:
            opening, commas = opened.pop()
            pairs[opening] = (position, commas)
        elif character == "," and opened:
            opened[-1][1].append(position)
    return pairs


def _alternatives(text: str, opening: int, closing: int, commas: list[int], depth: int) -> list[str] | None:
    if commas:
        borders = [opening, *commas, closing]
        pieces = [text[start + 1 : end] for start, end in itertools.pairwise(borders)]
        return [word for piece in pieces for word in braces(piece, depth + 1)][: MOST_WORDS + 1]
    inside = text[opening + 1 : closing]
    if match := _RANGE.fullmatch(inside):
        return _range(match["first"], match["last"], int(match["step"] or 1))
    if match := _LETTERS.fullmatch(inside):
        numbers = _range(str(ord(match["first"])), str(ord(match["last"])), 1)
        return [chr(int(number)) for number in numbers]
    return None


def _range(first: str, last: str, step: int) -> list[str]:
    start, end, step = int(first), int(last), abs(step) or 1
    numbers = range(start, end + 1, step) if start <= end else range(start, end - 1, -step)
    padded = any(len(text.lstrip("-")) > 1 and text.lstrip("-")[0] == "0" for text in (first, last))
    width = max(len(first), len(last)) if padded else 0
    return [f"{number:0{width}d}" for number in numbers[: MOST_WORDS + 1]]


def sequence(arguments: list[str]) -> list[str] | None:
    """Return what ``seq`` prints for ``[first [step]] last``; None where that is not known."""
    numbers = [argument for argument in arguments if not argument.startswith(("-w", "-s", "-f"))]
    if not 1 <= len(numbers) <= 3 or not all(re.fullmatch(r"-?\d{1,9}", number) for number in numbers):
        return None
    values = [int(number) for number in numbers]
    first = values[0] if len(values) > 1 else 1
    step = values[1] if len(values) == 3 else 1
    last = values[-1]
    if step == 0:
        return None
    return [str(number) for number in range(first, last + (1 if step > 0 else -1), step)[: MOST_WORDS + 1]]


# --- arithmetic ------------------------------------------------------------------------------------------------------


def assign(text: str, scope: Scope) -> bool:
    """Carry out ``i=0``, ``i++``, ``i+=2``; whether ``text`` was such an assignment."""
    match = _ASSIGNED.fullmatch(text)
    if match is None:
        return False
    name = match["name"]
    before = evaluate(name, scope)
    change = {"++": 1, "--": -1}.get(match["step"] or "")
    value = change if change is not None else evaluate(match["value"], scope)
    operator = "+" if change is not None else match["operator"]
    if value is not None and operator:
        results: dict[str, Callable[[int, int], int]] = {
            "+": lambda a, b: a + b,
            "-": lambda a, b: a - b,
            "*": lambda a, b: a * b,
        }
        value = None if before is None else results[operator](before, value)
    scope.variables[name] = [UNKNOWN if value is None or abs(value) > 10**12 else str(value)]
    return True


def evaluate(text: str, scope: Scope) -> int | None:
    """Return the whole number that an arithmetic expression gives; None where that is not known."""
    if len(text) > 200 or text.count("(") > 10:
        return None
    tokens: list[str] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _NUMBER_TOKEN.match(text, position)
        if match is None:
            return None
        tokens.append(match[1])
        position = match.end()
    try:
        return _Arithmetic(tokens, scope).result()
    except (ValueError, ZeroDivisionError):
        return None


_LEVELS: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"||": lambda a, b: int(bool(a or b))},
    {"&&": lambda a, b: int(bool(a and b))},
    {"==": lambda a, b: int(a == b), "!=": lambda a, b: int(a != b)},
    {
        "<": lambda a, b: int(a < b), ">": lambda a, b: int(a > b),
        "<=": lambda a, b: int(a <= b), ">=": lambda a, b: int(a >= b),
    },
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {"*": lambda a, b: a * b, "/": lambda a, b: int(a / b), "%": lambda a, b: a - b * int(a / b)},
)  # fmt: skip


class _Arithmetic:
    """Precedence climbing over at most 200 characters; no part of the text is ever executed."""

    def __init__(self, tokens: list[str], scope: Scope) -> None:
        self._tokens = tokens[::-1]
        self._scope = scope

    def result(self) -> int:
        value = self._level(0)
        if self._tokens:
            raise ValueError("something follows the expression")
        return value

    def _level(self, level: int) -> int:
        if level == len(_LEVELS):
            return self._atom()
        value = self._level(level + 1)
        while self._tokens and (operation := _LEVELS[level].get(self._tokens[-1])):
            self._tokens.pop()
            value = operation(value, self._level(level + 1))
            if abs(value) > 10**15:
                raise ValueError("a number is out of bounds")
        return value

    def _atom(self) -> int:
        if not self._tokens:
            raise ValueError("an operand is missing")
        operand = self._tokens.pop()
        if operand in ("+", "-"):
            return self._atom() * (1 if operand == "+" else -1)
        if operand == "(":
            value = self._level(0)
            if not self._tokens or self._tokens.pop() != ")":
                raise ValueError("a bracket is not closed")
            return value
        if operand.isascii() and operand.isdigit():
            return int(operand)
        values = self._scope.value(operand.strip("${}"))
        if not re.fullmatch(r"-?\d{1,12}", values[0] if values else ""):
            raise ValueError("a value is not known")
        return int(values[0])
