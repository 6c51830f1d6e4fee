"""The one error type: which file, what is wrong, what to do, and the exit code that follows from it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# Control and format characters (terminal escapes, bidirectional overrides, invisible letters and tags) never reach a
# terminal, a log or a page.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff]"
)


def printable(text: str, limit: int = 300) -> str:
    """Return untrusted ``text`` as one harmless line of at most ``limit`` characters."""
    line = _UNPRINTABLE.sub(" ", text)
    line = re.sub(r" {2,}", " ", line).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return `` (did you mean X?)`` with the name that is nearest; "" where none is near."""
    names = {candidate.casefold(): candidate for candidate in sorted(valid)}
    close = difflib.get_close_matches(name.casefold(), names, n=1)
    return f" (did you mean {names[close[0]]}?)" if close else ""


class FaultsetError(Exception):
    """Something that one clear line explains; the base of all errors that users see.

    Attributes:
        where: the file, URI, experiment or setting concerned, with ``:line`` where a line is known.
        problem: what is wrong.
        remedy: what to do about it.
        exit_code: the command line's exit code.
    """

    exit_code = 2

    def __init__(self, where: object, problem: str, remedy: str) -> None:
        self.where = printable(str(where), 500)
        self.problem = printable(problem)
        self.remedy = printable(remedy)
        super().__init__(f"{self.where}: {self.problem}; {self.remedy}")

    def __reduce__(self) -> tuple[type[FaultsetError], tuple[str, str, str]]:
        """Survive pickling between processes."""
        return type(self), (self.where, self.problem, self.remedy)


class InputError(FaultsetError):
    """The input or the call is wrong (exit code 2)."""

    exit_code = 2


class AnswerIsNo(FaultsetError):  # noqa: N818 (it is an answer, not a malfunction)
    """It ran, and the answer is no: validation failed, verify found damage (exit code 1)."""

    exit_code = 1


class SetupError(FaultsetError):
    """The environment is wrong: storage, database, permissions (exit code 3)."""

    exit_code = 3


def counted(count: int, noun: str) -> str:
    """Return a number of things in words, such as ``1 file`` or ``12,000 files``; the plural of ``noun`` takes an s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
