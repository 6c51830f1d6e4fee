"""Which task of a chain is to blame where the chain broke."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def blame(states: Mapping[str, str | None]) -> str | None:
    """Return the task at which a chain broke, given the states of its tasks in order; None where it did not break."""
    broken = [name for name, state in states.items() if state not in {"success", "skipped"}]
    # An earlier task of the chain can be "upstream_failed" only after a failed one, so the first failure is the cause.
    return next((name for name in broken if states[name] == "failed"), broken[0] if broken else None)
