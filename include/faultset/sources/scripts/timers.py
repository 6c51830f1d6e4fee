"""How long commands wait: ``sleep``, ``at`` and timers of systemd."""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNITS = {
    "": 1.0, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "m": 60.0, "min": 60.0, "mins": 60.0,
    "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "hours": 3600.0, "d": 86400.0,
    "day": 86400.0, "days": 86400.0, "ms": 0.001,
}  # fmt: skip
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{0,9})?)\s*([a-z]*)")


def seconds(text: str) -> float | None:
    """Return the seconds of ``30``, ``30s``, ``2m``, ``1min 30s``; None for others."""
    text = text.strip().lower()
    spans = _SPAN.findall(text)
    if not spans or _SPAN.sub("", text).strip() or any(unit not in _UNITS for _, unit in spans):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in spans)


def sleep_s(words: Sequence[str]) -> float | None:
    """Return the seconds that ``sleep`` with these arguments waits; None where they do not tell."""
    waits = [seconds(word) for word in words if not word.startswith("-")]
    known = [wait for wait in waits if wait is not None]
    return sum(known) if known and len(known) == len(waits) else None


def at_delay_s(words: Sequence[str]) -> float | None:
    """Return 0 for ``now``; None for any other time, for ``at`` counts whole minutes of the clock."""
    return 0.0 if [word.lower() for word in words] == ["now"] else None


def timer_s(words: Sequence[str]) -> float | None:
    """Return the seconds of ``systemd-run --on-active=30``; None for a time of the day."""
    for position, word in enumerate(words):
        name, _, value = word.partition("=")
        if name == "--on-active":
            return seconds(value or (words[position + 1] if position + 1 < len(words) else ""))
    return None
