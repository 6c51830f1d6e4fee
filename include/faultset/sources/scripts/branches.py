"""What variables may hold after branches of which nobody knows which one ran."""

from __future__ import annotations

from faultset.sources.scripts.shell_expansion import UNKNOWN


class Outcomes:
    """The values that each branch leaves behind, each begun with those from before.

    A variable that branches leave different is not known any more; one that some of them do not set is what the
    others set it to.

    Args:
        variables: of the scope; changed in place.
    """

    def __init__(self, variables: dict[str, list[str]]) -> None:
        self._variables = variables
        self._before = dict(variables)
        self._seen: list[dict[str, list[str]]] = []

    def begin(self) -> None:
        """Set the variables back to what they were before the branches."""
        self._variables.clear()
        self._variables.update(self._before)

    def end(self) -> None:
        """Keep what the branch at hand leaves."""
        self._seen.append(dict(self._variables))

    def settle(self, *, all_may_be_skipped: bool) -> None:
        """Set the variables to what they hold after any of the branches."""
        seen = [*self._seen, self._before] if all_may_be_skipped else self._seen
        for name in {name for outcome in seen for name in outcome}:
            values = [outcome[name] for outcome in seen if name in outcome]
            self._variables[name] = values[0] if all(value == values[0] for value in values) else [UNKNOWN]
