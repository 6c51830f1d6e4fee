"""What a dataset was made from, as one number: the same inputs and the same tool give the same one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faultset import recipe
from faultset.records.evidence import InputFile
from faultset.storage import explain_os_errors


def fingerprint(inputs: Sequence[InputFile], experiment: Mapping[str, Any] | str) -> str:
    """Return the hex sha256 over the inputs (in any order), the catalog's entry and the tool's recipe.

    Args:
        inputs: every file that was read; neither their order nor their place on this machine matters.
        experiment: the catalog's entry as plain JSON values, or its JSON text.
    """
    entry = json.loads(experiment) if isinstance(experiment, str) else experiment
    made_from = {
        "recipe": recipe.digest(),
        "experiment": entry,
        "inputs": sorted([file.role, file.uri, file.sha256, file.bytes] for file in inputs),
    }
    canonical = json.dumps(made_from, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the hex sha256 of a file's bytes.

    Raises:
        SetupError: it cannot be read.
    """
    with explain_os_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
