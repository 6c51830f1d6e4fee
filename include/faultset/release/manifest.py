"""The manifest: everything there is to know about a version, with the hash of each of its files."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import math
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from faultset import storage, tables, version
from faultset.errors import InputError
from faultset.moments import iso
from faultset.records.evidence import InputFile
from faultset.records.telemetry import TelemetryFacts
from faultset.records.validation import Finding, Relaxed, Validation
from faultset.release import parquet
from faultset.release.fingerprint import sha256_of
from faultset.severity import SEVERITIES

CARD = "README.md"
CHANGES = "CHANGES.md"
CROISSANT = "croissant.json"
DATA_PACKAGE = "datapackage.json"
CITATION = "CITATION.cff"
DATACITE = "datacite.json"
DICTIONARY = "dictionary.md"
RO_CRATE = "ro-crate-metadata.json"
WORKFLOW = "workflow.cwl"
DESCRIPTION = (CROISSANT, DATA_PACKAGE, CITATION, DATACITE, DICTIONARY, RO_CRATE, WORKFLOW)
_TOOLS = ("pyarrow", "polars", "pandas", "numpy", "scipy", "matplotlib", "great-expectations")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of a version.

    Attributes:
        path: relative to the version's folder, with ``/``.
        bytes: size.
        sha256: hex digest.
        rows: number of rows; None for a file that is no table.
        schema: name, type and nullability of each column; None for a file that is no table.
    """

    path: str
    bytes: int
    sha256: str
    rows: int | None = None
    schema: tuple[dict[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class Previous:
    """The version that a version was compared with; the manifests of a dataset form a chain."""

    version: str
    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` says.

    Attributes:
        slug: name of the dataset.
        version: X.Y.Z.
        title: of the experiment.
        description: of the experiment.
        license: as declared; None where none is.
        creators: as declared, each with ``name`` and perhaps ``orcid``.
        schema_version: of the declaration of tables.
        created_at: when it was published, ISO 8601 UTC with ``Z``.
        fingerprint: hex digest of what it was made from.
        recipe: hex digest of the code that decided what it says; "" in versions of before there was one.
        previous: the version before; None for the first.
        inputs: the files that it was made from.
        files: all files of the version but the manifest itself.
        tools: name -> version.
        validation: passed, number of expectations, number of findings by severity, the findings.
        experiment: the catalog's entry.
        telemetry: what is known of each labeled file, ``TelemetryFacts`` as plain values.
        analysis: how impacts were found and how far to trust them: ``calibration`` (a row a KPI: kpi, trials,
            false_positives, rate), ``tolerance`` (a row a tolerance_s: how labels and outcome depend on it),
            ``agreement`` of detected and reviewed impacts (None where none were reviewed) and ``parameters``; empty
            where there is no telemetry.
        decision: who said that it may be published, when and why: ``policy``, ``outcome``, ``by``, ``at``, ``reason``;
            None where nobody was asked and no policy said so.
    """

    slug: str
    version: str
    title: str
    description: str
    license: str | None
    creators: tuple[dict[str, Any], ...]
    schema_version: str
    created_at: str
    fingerprint: str
    previous: Previous | None
    inputs: tuple[InputFile, ...]
    files: tuple[FileEntry, ...]
    tools: dict[str, str]
    validation: dict[str, Any]
    experiment: dict[str, Any]
    telemetry: tuple[dict[str, Any], ...] = ()
    analysis: dict[str, Any] = dataclasses.field(default_factory=dict)
    decision: dict[str, Any] | None = None
    recipe: str = ""

    def encode(self) -> bytes:
        """Return the bytes of ``manifest.json``."""
        return to_json(dataclasses.asdict(self))

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each table, by its file's path without ``.parquet``."""
        return {file.path.removesuffix(".parquet"): file.rows for file in self.files if file.rows is not None}

    @property
    def telemetry_kinds(self) -> tuple[str, ...]:
        """Kinds of telemetry that the version holds files of."""
        held = {file.path.partition("/")[0] for file in self.files if file.rows is not None and "/" in file.path}
        return tuple(table.name for table in tables.TELEMETRY if table.name in held)


def decode(data: bytes, where: object) -> Manifest:
    """Return what the bytes of a ``manifest.json`` say; keys of newer versions of the tool are passed over.

    Raises:
        InputError: they are no manifest.
    """
    try:
        document = json.loads(data)
        return Manifest(
            slug=_text(document["slug"]),
            version=_text(document["version"]),
            title=_text(document["title"]),
            description=_text(document["description"]),
            license=None if document["license"] is None else _text(document["license"]),
            creators=tuple(dict(creator) for creator in document["creators"]),
            schema_version=_text(document["schema_version"]),
            created_at=_text(document["created_at"]),
            fingerprint=_text(document["fingerprint"]),
            previous=_previous(document["previous"]),
            inputs=tuple(_input(entry) for entry in document["inputs"]),
            files=tuple(_file(entry) for entry in document["files"]),
            tools={name: _text(version) for name, version in document["tools"].items()},
            validation=_validation(document["validation"]),
            experiment=dict(document["experiment"]),
            telemetry=tuple(dict(entry) for entry in document.get("telemetry", ())),
            analysis=dict(document.get("analysis", {})),
            decision=None if document.get("decision") is None else dict(document["decision"]),
            recipe=_text(document.get("recipe", "")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(where, "the manifest is damaged", "restore this version from a copy") from error


def sha256(data: bytes) -> str:
    """Return the hex digest of a manifest's bytes."""
    return hashlib.sha256(data).hexdigest()


def to_json(document: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Return the same bytes for the same document, readable by people and by any terminal (ASCII)."""
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode("ascii")


def describe_files(folder: Path) -> tuple[FileEntry, ...]:
    """Hash every file under ``folder`` but those that publishing itself writes.

    Raises:
        InputError: there is something else than files and folders, or a table is damaged.
        SetupError: a file cannot be read.
    """
    written = {storage.MANIFEST, CARD, CHANGES, *DESCRIPTION}
    return tuple(describe_file(folder, name) for name in storage.files(folder) if name not in written)


def describe_file(folder: Path, name: str) -> FileEntry:
    """Hash one file; ``name`` is relative to ``folder``."""
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise InputError(path, "this is no ordinary file", "keep only files and folders in a candidate")
    rows, schema = parquet.describe(path) if path.suffix == ".parquet" else (None, None)
    return FileEntry(name, path.stat().st_size, sha256_of(path), rows, schema)


def tool_versions() -> dict[str, str]:
    """Return the version of each tool that a dataset's content depends on."""
    versions = {"faultset": version.__version__, "python": platform.python_version()}
    return versions | {name: metadata.version(name) for name in _TOOLS}


def telemetry_entry(facts: TelemetryFacts) -> dict[str, Any]:
    """Return what is known of a labeled file as plain values."""
    entry: dict[str, Any] = plain(dataclasses.asdict(facts))
    return entry


def plain(value: Any) -> Any:
    """Return ``value`` as JSON knows it: times as text, tuples as lists, what is no finite number as None."""
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, dt.datetime):
        return iso(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def validation_summary(validation: Validation) -> dict[str, Any]:
    """Return the outcome of a validation as plain values."""
    counts: dict[str, int] = dict.fromkeys(SEVERITIES, 0)
    for finding in validation.findings:
        counts[finding.severity] += 1
    return {
        "passed": validation.passed,
        "expectations": validation.expectations,
        **counts,
        "findings": [dataclasses.asdict(finding) for finding in validation.findings],
        "data_docs": validation.data_docs,
        "relaxed": [dataclasses.asdict(one) for one in validation.relaxed],
    }


def validation_from(summary: Mapping[str, Any]) -> Validation:
    """Return the validation that ``validation_summary`` wrote down.

    Raises:
        KeyError, TypeError: it is not of that form.
    """
    return Validation(
        passed=summary["passed"],
        findings=tuple(_finding(entry) for entry in summary["findings"]),
        expectations=summary["expectations"],
        data_docs=summary["data_docs"],
        relaxed=tuple(Relaxed(**one) for one in summary.get("relaxed", ())),
    )


# --- plain values to records ----------------------------------------------------------------------------------------


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value


_PLAIN = re.compile(r"\w[\w-]*(\.\w[\w-]*)*(/\w[\w-]*(\.\w[\w-]*)*)*", re.ASCII)


def _relative(value: object) -> str:
    """Return a path that stays inside of the version's folder."""
    text = _text(value)
    if _PLAIN.fullmatch(text):  # as nearly all are, of hundreds in a manifest
        return text
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\x00" in str(path):
        raise ValueError(f"{value!r} leaves the folder")
    return str(path)


def _previous(entry: Any) -> Previous | None:
    return None if entry is None else Previous(_text(entry["version"]), _text(entry["manifest_sha256"]))


def _input(entry: Any) -> InputFile:
    return InputFile(_text(entry["role"]), _text(entry["uri"]), _count(entry["bytes"]), _text(entry["sha256"]))


def _file(entry: Any) -> FileEntry:
    rows, schema = entry["rows"], entry["schema"]
    return FileEntry(
        _relative(entry["path"]),
        _count(entry["bytes"]),
        _text(entry["sha256"]),
        None if rows is None else _count(rows),
        None if schema is None else tuple(dict(column) for column in schema),
    )


def _validation(entry: Any) -> dict[str, Any]:
    validation_from(entry)
    return {**entry, **{severity: _count(entry[severity]) for severity in SEVERITIES}}


def _finding(entry: Any) -> Finding:
    values = {field.name: entry[field.name] for field in dataclasses.fields(Finding)}
    return Finding(**{**values, "where": tuple(entry["where"])})
