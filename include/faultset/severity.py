"""How much a finding weighs."""

from __future__ import annotations

from typing import Final, Literal, get_args

Severity = Literal["critical", "warning", "info"]
"""``critical`` stops a dataset; ``warning`` and ``info`` are recorded with it."""

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""The worst first."""
