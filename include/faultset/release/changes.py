"""What is new in a version, for ``CHANGES.md``: in rows and in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from faultset.records.evidence import InputFile
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
        compared = self.before is not None and self.difference is not None and self.change is not None
        return markdown.render(
            "changes.md",
            now=now,
            before=self.before,
            change=self.change,
            difference=self.difference,
            why=markdown.block([WHY[self.change]]) if self.change else "",
            counted=markdown.block(_counted(self.difference)) if self.difference else "",
            sections=sections(self.difference, self.before, now) if self.difference and self.before else (),
            rows="" if compared else markdown.block(_row_counts(now)),
            plain=lambda line: markdown.block([markdown.text(line, 10_000)]),
        )


@dataclass(frozen=True, slots=True)
class Section:
    """What is to be said under one heading: plain text, a sentence a line."""

    title: str
    lines: tuple[str, ...]


def sections(difference: Difference, before: Manifest, now: Manifest) -> tuple[Section, ...]:
    """Return all that is to be said of a difference, in words; what differs nowhere has no section."""
    found = (
        Section("In words", tuple(difference.words())),
        Section("Injections", tuple(difference.injection_words())),
        Section("Labels of telemetry", tuple(difference.label_words())),
        Section("Inputs, declaration and tools", tuple(_around(before, now))),
        Section("Findings", tuple(_findings(before.validation, now.validation))),
    )
    return tuple(section for section in found if section.lines)


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
    for tool in sorted(before.tools.keys() | now.tools.keys()):
        was, has = (manifest.tools.get(tool, "absent") for manifest in (before, now))
        if was != has:
            yield f"{tool} was {was} and is {has}."
    if before.recipe != now.recipe:
        was, has = (manifest.recipe[:12] or "unknown" for manifest in (before, now))
        yield f"The code that decides what the dataset says is another one: recipe was {was} and is {has}."


def _inputs(before: tuple[InputFile, ...], now: tuple[InputFile, ...]) -> Iterator[str]:
    old, new = _by_name(before), _by_name(now)
    for role, uri in sorted(new.keys() - old.keys()):
        yield f"Input {uri} ({role}) is new: sha256 {_short(new[role, uri])}."
    for role, uri in sorted(old.keys() - new.keys()):
        yield f"Input {uri} ({role}) is no longer used."
    for role, uri in sorted(old.keys() & new.keys()):
        was, has = old[role, uri], new[role, uri]
        if was != has:
            yield f"Input {uri} ({role}) has other content: sha256 was {_short(was)} and is {_short(has)}."


def _by_name(files: tuple[InputFile, ...]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the hashes of each name; absolute references are cut to names, which two files can share."""
    found: dict[tuple[str, str], list[str]] = {}
    for file in files:
        found.setdefault((file.role, file.uri), []).append(file.sha256)
    return {name: tuple(sorted(hashes)) for name, hashes in found.items()}


def _short(hashes: tuple[str, ...]) -> str:
    return ", ".join(digest[:12] for digest in hashes)


def _declaration(before: Manifest, now: Manifest) -> Iterator[str]:
    for name in _METADATA:
        if getattr(before, name) != getattr(now, name):
            yield f"The {name.replace('_', ' ')} differs."
    for key in sorted(before.experiment.keys() | now.experiment.keys()):
        if key not in _METADATA and before.experiment.get(key) != now.experiment.get(key):
            yield f"The experiment's declaration differs in {key}."


def _findings(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    old, new = _by_rule(before), _by_rule(now)
    for rule, finding in new.items():
        if rule not in old:
            yield f"New finding ({finding['severity']}): {finding['message']}"
        elif _concerns(old[rule]) != _concerns(finding):
            rows = f"{old[rule]['count']} rows before, {finding['count']} now"
            yield f"Finding changed ({finding['severity']}), {rows}: {finding['message']}"
    for rule, finding in old.items():
        if rule not in new:
            yield f"Finding gone ({finding['severity']}): {finding['message']}"
    yield from _relaxed(before, now)


def _relaxed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    was, has = ({(one["expectation"], one["what"]): one for one in kept.get("relaxed", ())} for kept in (before, now))
    for key, one in has.items():
        if was.get(key) != one:
            yield (
                f"Expectation {one['expectation']}: {one['what']} is set to {one['now']}, usually {one['was']}. "
                f"Reason: {one['reason']}"
            )
    for name, what in sorted(was.keys() - has.keys()):
        yield f"Expectation {name}: {what} is as usual again."


def _by_rule(validation: Mapping[str, Any]) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """Return the findings by what they are about: a rule finds all its rows in one finding."""
    return {
        tuple(str(one[key]) for key in ("expectation", "table", "column", "severity")): one
        for one in validation["findings"]
    }


def _concerns(finding: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what a finding says, the same whether it was just made or read from a manifest."""
    return finding["message"], finding["count"], tuple(finding["where"])
