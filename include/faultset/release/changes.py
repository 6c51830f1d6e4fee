"""What is new in a version, for ``CHANGES.md``: in rows and in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from faultset.records import InputFile
from faultset.release import markdown
from faultset.release.diff import Difference
from faultset.release.manifest import Manifest
from faultset.release.number import WHY, Change

_METADATA = ("title", "description", "license", "creators", "schema_version")


@dataclass(frozen=True, slots=True)
class Changes:
    """A version compared with the one before.

    Attributes:
        change: what the number says of it; None for a first version.
        difference: of the records; None for a first version.
        before: the manifest of the version before; None for a first version.
    """

    change: Change | None
    difference: Difference | None
    before: Manifest | None

    def summary(self) -> str:
        """Return one line."""
        if self.before is None or self.difference is None:
            return "first version" if self.change is None else f"{self.change}: every earlier version was removed"
        what = self.difference.summary() or "no record differs"
        return f"{self.change}: {what}"

    def render(self, now: Manifest) -> str:
        """Return the text of ``CHANGES.md``."""
        lines = [f"# Changes in {now.version}", ""]
        if self.change is None or self.before is None or self.difference is None:
            lines += ["The first version that is here.", "", *_row_counts(now)]
        else:
            lines += [f"Since {self.before.version}. A {self.change} version: {WHY[self.change]}.", ""]
            lines += ["## In rows", "", *_counted(self.difference), "", "## In words", ""]
            lines += [f"- {markdown.text(line, 10_000)}" for line in self.difference.words()]
            lines += [f"- {markdown.text(line)}" for line in _around(self.before, now)]
        return "\n".join(lines) + "\n"


def _row_counts(now: Manifest) -> list[str]:
    return markdown.table(("table", "rows"), now.rows.items())


def _counted(difference: Difference) -> list[str]:
    rows = (
        (one.table, one.rows_before, one.rows_after, one.rows_added, one.rows_removed, one.rows_changed)
        for one in difference.tables
    )
    return markdown.table(("table", "rows before", "rows now", "added", "removed", "changed"), rows)


# --- what stands around the records ---------------------------------------------------------------------------------


def _around(before: Manifest, now: Manifest) -> Iterator[str]:
    yield from _inputs(before.inputs, now.inputs)
    yield from _declaration(before, now)
    for tool, version in now.tools.items():
        if before.tools.get(tool) != version:
            yield f"{tool} was {before.tools.get(tool, 'absent')} and is {version}."
    yield from _findings(before.validation, now.validation)


def _inputs(before: tuple[InputFile, ...], now: tuple[InputFile, ...]) -> Iterator[str]:
    old = {(file.role, file.uri): file.sha256 for file in before}
    new = {(file.role, file.uri): file.sha256 for file in now}
    for what, keys in (
        ("is new", new.keys() - old.keys()),
        ("is no longer used", old.keys() - new.keys()),
        ("has other content", {key for key in old.keys() & new.keys() if old[key] != new[key]}),
    ):
        for role, uri in sorted(keys):
            yield f"Input {uri} ({role}) {what}."


def _declaration(before: Manifest, now: Manifest) -> Iterator[str]:
    for name in _METADATA:
        if getattr(before, name) != getattr(now, name):
            yield f"The {name.replace('_', ' ')} differs."
    for key in sorted(before.experiment.keys() | now.experiment.keys()):
        if key not in _METADATA and before.experiment.get(key) != now.experiment.get(key):
            yield f"The experiment's declaration differs in {key}."


def _findings(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    old, new = _messages(before), _messages(now)
    for message, severity in new.items():
        if message not in old:
            yield f"New finding ({severity}): {message}"
    for message, severity in old.items():
        if message not in new:
            yield f"Finding gone ({severity}): {message}"


def _messages(validation: Mapping[str, Any]) -> dict[str, str]:
    return {finding["message"]: finding["severity"] for finding in validation["findings"]}
