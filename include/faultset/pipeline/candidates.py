"""Where candidates wait: one an experiment, with what was proposed about it beside it, and the rejected ones set aside.

``.candidates/SLUG/FINGERPRINT/`` is a candidate, ``FINGERPRINT.proposal.json`` and ``.proposal.md`` say what it would
change and that somebody was told. ``.rejected/SLUG/`` holds what a person did not want, ``FINGERPRINT.rejection.json``
says who, when and why.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

from faultset import release
from faultset.settings import Settings
from faultset.storage import bytes_of, reported

CANDIDATES = ".candidates"
REJECTED = ".rejected"
NOTE = "candidate.json"

Standing = Literal["new", "published", "waiting", "proposed", "rejected"]
"""What became of a fingerprint: never built; held by a version; a candidate that nobody was told of yet; a
candidate that was proposed; a candidate that a person rejected."""


def candidate_folder(slug: str, mark: str, settings: Settings) -> Path:
    """Return where the candidate with this fingerprint lies."""
    return Path(settings.work) / CANDIDATES / slug / mark


def folders(slug: str, mark: str, settings: Settings) -> tuple[Path, Path]:
    """Return where the candidate with this fingerprint may lie: while it waits, and once it was rejected."""
    return candidate_folder(slug, mark, settings), Path(settings.work) / REJECTED / slug / mark


def proposal_file(slug: str, mark: str, settings: Settings, ending: Literal["json", "md"] = "json") -> Path:
    """Return where it is written what the candidate would change."""
    return Path(settings.work) / CANDIDATES / slug / f"{mark}.proposal.{ending}"


def rejection_file(slug: str, mark: str, settings: Settings) -> Path:
    """Return where it is written who rejected the candidate, when and why."""
    return Path(settings.work) / REJECTED / slug / f"{mark}.rejection.json"


def standing(slug: str, mark: str, settings: Settings) -> Standing:
    """Return what became of a fingerprint.

    Raises:
        InputError: a version is damaged.
        SetupError: the datasets root cannot be read.
    """
    if release.held(settings.datasets, slug, mark) is not None:
        return "published"
    if (candidate_folder(slug, mark, settings) / NOTE).is_file():
        return "proposed" if proposal_file(slug, mark, settings).is_file() else "waiting"
    return "rejected" if rejection_file(slug, mark, settings).is_file() else "new"


def waiting(slug: str, settings: Settings) -> str | None:
    """Return the fingerprint of the newest candidate of an experiment; None where none waits."""
    notes = (Path(settings.work) / CANDIDATES / slug).glob(f"*/{NOTE}")
    made = sorted(notes, key=lambda note: note.stat().st_mtime_ns)
    return made[-1].parent.name if made else None


def read_rejection(slug: str, mark: str, settings: Settings) -> dict[str, Any] | None:
    """Return who rejected a candidate, when and why; None where nobody did."""
    data = bytes_of(rejection_file(slug, mark, settings))
    return None if data is None else json.loads(data)


def withdraw(slug: str, settings: Settings, *, but: str | None = None) -> None:
    """Remove every candidate, save the one with the fingerprint ``but``: the catalog says something else by now."""
    parent = Path(settings.work) / CANDIDATES / slug
    with reported(parent):
        for entry in list(parent.iterdir()) if parent.is_dir() else []:
            if entry.name.partition(".")[0] == but:
                continue
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def forget_proposal(slug: str, mark: str, settings: Settings) -> None:
    """Remove what was proposed about a candidate, so that it is proposed anew."""
    for path in _proposal_files(slug, mark, settings):
        with reported(path):
            path.unlink(missing_ok=True)


def set_aside(slug: str, mark: str, settings: Settings, rejection: dict[str, Any]) -> None:
    """Keep a rejection, and the candidate and its proposal with it; safe to repeat.

    The rejection is written first: from then on the candidate is not built again.
    """
    kept = rejection_file(slug, mark, settings)
    with reported(kept):
        kept.parent.mkdir(parents=True, exist_ok=True)
        _put(kept, rejection)
        source, target = candidate_folder(slug, mark, settings), kept.parent / mark
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            source.rename(target)
        for proposal in _proposal_files(slug, mark, settings):
            if proposal.is_file():
                proposal.rename(kept.parent / proposal.name)


def _proposal_files(slug: str, mark: str, settings: Settings) -> tuple[Path, Path]:
    return proposal_file(slug, mark, settings, "json"), proposal_file(slug, mark, settings, "md")


def _put(path: Path, document: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="ascii")
    temporary.replace(path)
