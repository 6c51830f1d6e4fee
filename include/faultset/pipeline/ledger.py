"""What became of each piece of work of one run: a small file each, so that a task that is tried again goes on.

``.plans/RUN/STAGE/NAME.json`` in the work folder; ``NAME.begun`` beside it while the work is under way, a byte for each
time that it was begun, so that work which ends its process is told from work that waits.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultset.settings import Settings
from faultset.slug import is_slug
from faultset.storage import bytes_of, explain_os_errors, put_whole

PLANS = ".plans"
_KEPT_S = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Ledger:
    """The records of one stage of one run; every method raises ``SetupError`` where the folder cannot be used."""

    folder: Path

    @classmethod
    def of(cls, run: str, stage: str, settings: Settings) -> Ledger:
        """Return the ledger of a stage; ``run`` may be any text and is never a path."""
        return cls(Path(settings.work) / PLANS / hashlib.sha256(run.encode()).hexdigest()[:16] / stage)

    def get(self, name: str) -> dict[str, Any] | None:
        """Return what was recorded; None where nothing was."""
        data = bytes_of(self._path(name))
        return None if data is None else json.loads(data)

    def put(self, name: str, record: dict[str, Any]) -> None:
        """Record what became of a piece of work, in one step; it is not under way any more."""
        put_whole(self._path(name), (json.dumps({"name": name, **record}) + "\n").encode("ascii"))
        self.end(name)

    def all(self) -> Iterator[dict[str, Any]]:
        """Yield every record, by name."""
        with explain_os_errors(self.folder):
            paths = sorted(self.folder.glob("[!.]*.json"))
        for path in paths:
            if (data := bytes_of(path)) is not None:
                yield json.loads(data)

    def begun(self, name: str) -> int:
        """Return how often a piece of work was begun and came to no end."""
        return len(bytes_of(self._begun(name)) or b"")

    def begin(self, name: str) -> None:
        """Note that a piece of work is begun."""
        path = self._begun(name)
        with explain_os_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(b".")

    def end(self, name: str) -> None:
        """Note that a piece of work is not under way any more, however it ended."""
        path = self._begun(name)
        with explain_os_errors(path):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{_file_name(name)}.json"

    def _begun(self, name: str) -> Path:
        return self.folder / f"{_file_name(name)}.begun"


def _file_name(name: str) -> str:
    """Return a name for a file: that of an experiment as it is, any other as a hash."""
    return name if is_slug(name) else f"_{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def sweep(settings: Settings) -> None:
    """Remove the records of runs that ended a week ago."""
    folder = Path(settings.work) / PLANS
    latest = time.time() - _KEPT_S
    with explain_os_errors(folder):
        for entry in list(folder.iterdir()) if folder.is_dir() else []:
            try:
                old = max(path.stat().st_mtime for path in (entry, *entry.iterdir())) < latest
            except FileNotFoundError:  # another run sweeps, too
                continue
            if old:
                shutil.rmtree(entry, ignore_errors=True)
