"""What versions hold, in short, by the hash of their manifests: kept beside the builds, so that a restart is quick.

A manifest never changes, so neither does what stands here of it. The file may be removed at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultset.settings import Settings
from faultset.severity import Severity

_FOLDER, _FILE = ".pages", "held-1.json"  # another number where what is kept is another


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of a dataset's latest version."""

    severity: Severity
    expectation: str
    message: str
    count: int
    remedy: str


@dataclass(frozen=True, slots=True)
class Held:
    """What a version holds, in short; it never changes.

    Attributes:
        title: of the experiment.
        published_at: when; aware.
        ran_at: when its first load started, or its telemetry; None where no input tells.
        injections: number of them.
        effects: effect -> number of injections.
        findings: severity -> number.
        listed: the findings, most severe first.
    """

    title: str
    published_at: dt.datetime | None
    ran_at: dt.datetime | None
    injections: int
    effects: Mapping[str, int]
    findings: Mapping[Severity, int]
    listed: tuple[Found, ...]


def read(settings: Settings) -> dict[str, Held]:
    """Return hash of a manifest -> what it holds; nothing where nothing is kept, or it cannot be read."""
    try:
        kept = json.loads((Path(settings.work) / _FOLDER / _FILE).read_bytes())
        return {str(digest): _held(one) for digest, one in kept.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def write(settings: Settings, held: Mapping[str, Held]) -> None:
    """Keep all of it; where that is not possible, the next start reads the manifests again."""
    folder = Path(settings.work) / _FOLDER
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        staged = folder / f".{os.getpid()}"
        staged.write_text(json.dumps({digest: _plain(one) for digest, one in held.items()}), encoding="ascii")
        staged.replace(folder / _FILE)


def _plain(held: Held) -> dict[str, Any]:
    moments = {"published_at": _text(held.published_at), "ran_at": _text(held.ran_at)}
    return {**dataclasses.asdict(held), **moments}


def _held(kept: Mapping[str, Any]) -> Held:
    moments = {
        name: dt.datetime.fromisoformat(kept[name]) if kept[name] else None for name in ("published_at", "ran_at")
    }
    return Held(**{**kept, **moments, "listed": tuple(Found(**one) for one in kept["listed"])})


def _text(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
