"""What a single command does to machines, whatever tool it is."""

from __future__ import annotations

from collections.abc import Sequence

from faultset.sources.scripts import tools, units
from faultset.sources.scripts.engines import engine
from faultset.sources.scripts.shell_actions import ENGINES, Deed


def deeds(command: str, words: Sequence[str], *, engine_host: str = "") -> list[Deed] | None:
    """Return what ``command`` does.

    Args:
        command: its name.
        words: its arguments.
        engine_host: ``DOCKER_HOST``; "" where it is not set.

    Returns:
        Nothing for a command that only looks; None where it is none that is read.

    Raises:
        NotReadError: it may act on something, and how is not read.
    """
    if command in ENGINES:
        return engine(command, words, engine_host)
    reader = units.READERS.get(command) or tools.READERS.get(command)
    return reader(words) if reader else None
