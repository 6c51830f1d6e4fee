"""Where candidates wait: one an experiment, with what was proposed about it beside it, and the rejected ones set aside.

``.candidates/SLUG/FINGERPRINT/`` is a candidate, ``FINGERPRINT.proposal.json`` and ``.proposal.md`` say what it would
change and that somebody was told. ``.rejected/SLUG/`` holds what a person did not want, ``FINGERPRINT.rejection.json``
says who, when and why.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from faultset import release
from faultset.errors import InputError
from faultset.settings import Settings
from faultset.storage import CANDIDATES, NOTE, bytes_of, explain_os_errors, put_whole
from faultset.storage.folders import names

BUILDS = ".builds"
REJECTED = ".rejected"

Standing = Literal["new", "published", "waiting", "proposed", "rejected"]
"""What became of a fingerprint: never built; held by a version; a candidate that nobody was told of yet; a
candidate that was proposed; a candidate that a person rejected."""


def candidate_folder(slug: str, fingerprint: str, settings: Settings) -> Path:
    """Return where the candidate with this fingerprint lies."""
    return Path(settings.work) / CANDIDATES / slug / fingerprint


def folders(slug: str, fingerprint: str, settings: Settings) -> tuple[Path, Path]:
    """Return where the candidate with this fingerprint may lie: while it waits, and once it was rejected."""
    return candidate_folder(slug, fingerprint, settings), Path(settings.work) / REJECTED / slug / fingerprint


def proposal_file(slug: str, fingerprint: str, settings: Settings, ending: Literal["json", "md"] = "json") -> Path:
    """Return where it is written what the candidate would change."""
    return Path(settings.work) / CANDIDATES / slug / f"{fingerprint}.proposal.{ending}"


def rejection_file(slug: str, fingerprint: str, settings: Settings) -> Path:
    """Return where it is written who rejected the candidate, when and why."""
    return Path(settings.work) / REJECTED / slug / f"{fingerprint}.rejection.json"


def standing(slug: str, fingerprint: str, settings: Settings) -> Standing:
    """Return what became of a fingerprint.

    Raises:
        InputError: a version is damaged.
        SetupError: the datasets root cannot be read.
    """
    held = release.held(settings.datasets, slug, fingerprint) is not None
    return "published" if held else _unpublished(slug, fingerprint, settings)


def standings(fingerprints: Mapping[str, str], settings: Settings) -> dict[str, Standing]:
    """Return what became of the fingerprint of each experiment, by the index; those with damage are left out.

    Raises:
        SetupError: the datasets root cannot be read.
    """
    index = release.index_of(settings.datasets)
    found: dict[str, Standing] = {}
    for slug, fingerprint in fingerprints.items():
        with contextlib.suppress(InputError):  # whoever builds it says what is damaged
            held = release.is_held(settings.datasets, slug, fingerprint, index)
            found[slug] = "published" if held else _unpublished(slug, fingerprint, settings)
    return found


def _unpublished(slug: str, fingerprint: str, settings: Settings) -> Standing:
    if (candidate_folder(slug, fingerprint, settings) / NOTE).is_file():
        return "proposed" if proposal_file(slug, fingerprint, settings).is_file() else "waiting"
    return "rejected" if rejection_file(slug, fingerprint, settings).is_file() else "new"


def waiting(slug: str, settings: Settings) -> str | None:
    """Return the fingerprint of the newest candidate of an experiment; None where none waits."""
    found = newest(slug, settings)
    return None if found is None else found[0]


def newest(slug: str, settings: Settings) -> tuple[str, int] | None:
    """Return the fingerprint of the newest candidate and when it was kept, epoch ns; None where none waits."""
    parent = Path(settings.work) / CANDIDATES / slug
    made = [
        (at, fingerprint) for fingerprint in names(parent) if (at := _made_at(parent / fingerprint / NOTE)) is not None
    ]
    return max(made)[::-1] if made else None


def _made_at(note: Path) -> int | None:
    """Return when a candidate was kept, epoch ns; None where it is none, or was published or replaced meanwhile."""
    with explain_os_errors(note):
        try:
            return note.stat().st_mtime_ns
        except FileNotFoundError:
            return None


def read_rejection(slug: str, fingerprint: str, settings: Settings) -> dict[str, Any] | None:
    """Return who rejected a candidate, when and why; None where nobody did."""
    data = bytes_of(rejection_file(slug, fingerprint, settings))
    return None if data is None else json.loads(data)


def withdraw(slug: str, settings: Settings, *, but: str | None = None) -> None:
    """Remove every candidate, save the one with the fingerprint ``but``: the catalog says something else by now."""
    parent = Path(settings.work) / CANDIDATES / slug
    with explain_os_errors(parent):
        for entry in list(parent.iterdir()) if parent.is_dir() else []:
            if entry.name.partition(".")[0] == but:
                continue
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def forget_proposal(slug: str, fingerprint: str, settings: Settings) -> None:
    """Remove what was proposed about a candidate, so that it is proposed anew."""
    for path in _proposal_files(slug, fingerprint, settings):
        with explain_os_errors(path):
            path.unlink(missing_ok=True)


def set_aside(slug: str, fingerprint: str, settings: Settings, rejection: dict[str, Any]) -> None:
    """Keep a rejection, and the candidate and its proposal with it; safe to repeat.

    The rejection is written first: from then on the candidate is not built again.
    """
    kept = rejection_file(slug, fingerprint, settings)
    with explain_os_errors(kept):
        kept.parent.mkdir(parents=True, exist_ok=True)
        put(kept, rejection)
        source, target = candidate_folder(slug, fingerprint, settings), kept.parent / fingerprint
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
        # What is not there was set aside before, or withdrawn meanwhile.
        with contextlib.suppress(FileNotFoundError):
            source.rename(target)
        for proposal in _proposal_files(slug, fingerprint, settings):
            with contextlib.suppress(FileNotFoundError):
                proposal.rename(kept.parent / proposal.name)


def _proposal_files(slug: str, fingerprint: str, settings: Settings) -> tuple[Path, Path]:
    return proposal_file(slug, fingerprint, settings, "json"), proposal_file(slug, fingerprint, settings, "md")


def put(path: Path, document: dict[str, Any]) -> None:
    """Write a document in one step: whoever reads it meanwhile reads the former one, or none."""
    put_whole(path, (json.dumps(document, indent=2) + "\n").encode("ascii"))
