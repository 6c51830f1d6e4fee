"""What can go wrong on the far side, and the one line that each becomes."""

from __future__ import annotations

from faultset.errors import InputError, SetupError, printable


class UnavailableError(Exception):
    """The far side did not answer, or said that it cannot now; whether it did what was asked, only a look tells.

    Attributes:
        why: in one line, without addresses.
        after_s: how long it asks to be left alone; None where it does not say.
    """

    def __init__(self, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.why = printable(why, 200)
        self.after_s = after_s


class ConflictError(Exception):
    """What the step rests on has changed meanwhile; look again at what is there."""


def refused(where: str) -> SetupError:
    """Return the error of a token that is not accepted (any more)."""
    return SetupError(
        where,
        "it does not accept the token: wrong, expired, revoked, or without the right to write",
        "make a new one there and put it where the old one was; what was sent so far is kept and is not sent again",
    )


def rejected(where: str, what: str) -> InputError:
    """Return the error of something that the far side does not take."""
    return InputError(where, f"it rejects the version: {printable(what, 250)}", "correct what it names, then try again")
