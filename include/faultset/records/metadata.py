"""What an experiment says of itself, from the catalog to each version: one record, copied nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the catalog said of an experiment when its inputs were read; untrusted, shown escaped.

    Attributes:
        title: of the experiment.
        description: of the experiment.
        license: SPDX identifier or name; None where none is declared.
        creators: each with ``name`` and perhaps ``orcid``.
        experiment: everything declared as plain JSON values, without secrets.
    """

    title: str
    description: str = ""
    license: str | None = None
    creators: tuple[dict[str, str | None], ...] = ()
    experiment: dict[str, Any] = field(default_factory=dict)
