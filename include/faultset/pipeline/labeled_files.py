"""Labeled files that are kept between steps, with what is known of them, and used again where nothing changed."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from faultset.labels.ranges import Range
from faultset.pipeline.progress import Progress, silent
from faultset.pipeline.telemetry import Labeler
from faultset.records.telemetry import TelemetryFile
from faultset.sources.kit import files
from faultset.storage import explain_os_errors
from faultset.truth import clock_evidence

_EVIDENCE = "clock.npz"
_KEEPERS = 100  # at once, each of which removes what is not whole


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a labeled file, where it can be read again: plain values, and a file of numbers."""

    facts: dict[str, Any]
    evidence: Path


def cached(
    labeler: Labeler,
    file: TelemetryFile,
    path: str,
    *,
    folder: Path,
    cache: Path,
    content: tuple[int, str] | None = None,
    progress: Progress = silent,
) -> Kept:
    """Label ``file`` unless the same rows were labeled the same way before.

    Args:
        labeler: what it is labeled by.
        file: the source.
        path: where its rows go, relative to ``folder``.
        folder: of the candidate.
        cache: keeps labeled files by key; a file is linked from there, not copied.
        content: the file's size and SHA-256 when the build began, where they are known.
        progress: called while rows are written.

    Raises:
        InputError: the file is wrong; names file and row. Or it changed since the build began, or while it was labeled.
        SetupError: a folder cannot be written.
    """
    with _draft(cache) as draft:
        with files.unchanged(file.uri, file.name):
            key = labeler.key(file)
            if content and labeler.key(file, content) != key:
                raise files.changed(file.name)
            kept = cache / key
            ranges = _ranges(kept)
            labeled = None if _is_whole(kept) else labeler.label(file, path, draft, progress, kept=ranges)
        if labeled is not None:
            facts, evidence = labeled
            with explain_os_errors(draft):
                (draft / path).rename(draft / "rows.parquet")
                write_evidence(evidence, draft / _EVIDENCE)
                (draft / "facts.json").write_text(json.dumps(dataclasses.asdict(facts), default=_text))
                _keep(draft, kept)
    shutil.rmtree(ranges, ignore_errors=True)
    target = folder / path
    with explain_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(kept / "rows.parquet", target)
        facts_kept: dict[str, Any] = json.loads((kept / "facts.json").read_bytes())
    return Kept({**facts_kept, "path": path}, kept / _EVIDENCE)


def keep_range(
    labeler: Labeler,
    file: TelemetryFile,
    which: Range,
    *,
    content: tuple[int, str] | None,
    cache: Path,
    progress: Progress = silent,
) -> None:
    """Label one range of a large file, for ``cached`` to find, unless the file or the range was labeled before.

    Args:
        labeler: what it is labeled by.
        file: the source.
        which: the range.
        content: the file's size and SHA-256, where they are known; to read all of it costs as much as some ranges.
        cache: keeps labeled files by key.
        progress: called while rows are written.
    """
    kept = cache / labeler.key(file, content)
    if not _is_whole(kept):
        labeler.label_range(file, which, _ranges(kept), progress)


@contextlib.contextmanager
def _draft(cache: Path) -> Iterator[Path]:
    """Within, write what is to be kept to the hidden folder that is given; what is not kept by then is gone."""
    draft = cache / f".{uuid.uuid4().hex}"
    with explain_os_errors(draft):
        draft.mkdir(parents=True)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _ranges(kept: Path) -> Path:
    """Return the folder for ranges of a labeled file; hidden, as what is not whole is."""
    return kept.with_name(f".{kept.name}.ranges")


def _is_whole(kept: Path) -> bool:
    """Whether a labeled file is kept with all that is known of it; older tools knew less."""
    return all((kept / name).is_file() for name in ("rows.parquet", "facts.json", _EVIDENCE))


def _keep(draft: Path, kept: Path) -> None:
    """Give a labeled file its place. What is whole stays: others may be about to link it, and it is the same."""
    for _ in range(_KEEPERS):
        try:
            draft.rename(kept)
        except OSError:
            if _is_whole(kept):
                return
            shutil.rmtree(kept, ignore_errors=True)
        else:
            return
    draft.rename(kept)


def write_evidence(evidence: clock_evidence.ShiftEvidence, path: Path) -> None:
    """Write what tells of a file's clock."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for one in evidence.recordings:
        arrays["bins"] = one.bins_us
        arrays |= {f"level {kpi}": values for kpi, values in one.levels.items()}
        if one.errors is not None:
            arrays["errors"] = one.errors
    if evidence.placed_us is not None:
        arrays["placed"] = evidence.placed_us
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def read_evidence(path: Path) -> clock_evidence.ShiftEvidence:
    """Read what ``write_evidence`` wrote."""
    with explain_os_errors(path), np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    recordings: tuple[clock_evidence.Recording, ...] = ()
    if "bins" in arrays:
        levels = {name.removeprefix("level "): values for name, values in arrays.items() if name.startswith("level ")}
        recordings = (clock_evidence.Recording(arrays["bins"], levels, arrays.get("errors")),)
    return clock_evidence.ShiftEvidence(recordings, arrays.get("placed"))


def _text(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
