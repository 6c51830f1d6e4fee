"""From a catalog entry to a candidate: extract, decide, validate. Steps share a folder and hand on references."""

from __future__ import annotations

import dataclasses
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from faultset import catalog, release, tables
from faultset.errors import AnswerIsNo, SetupError, printable
from faultset.pipeline.gathering import Progress, gather, silent
from faultset.records import Evidence, InputFile, Validation
from faultset.settings import Settings
from faultset.sources import files
from faultset.storage import Store
from faultset.truth import Truth
from faultset.truth.decide import decide as decide_truth
