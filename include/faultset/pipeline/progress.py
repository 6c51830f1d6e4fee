"""How far something is: what long use cases tell whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with what is done, of how much, and what is being done now."""

Told = Callable[[int, int, str], None]
"""Called with what is done, of how much, and what became of the last one."""


def silent(done: int, total: int, what: str) -> None:
    """Show no progress."""
