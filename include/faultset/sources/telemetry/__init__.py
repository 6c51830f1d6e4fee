"""Telemetry: metrics, logs and traces as their tools write them; a format is one file of this folder.

``registry.FORMATS`` names them: a new format is a module with a ``FORMAT``, and a line there.
"""

from __future__ import annotations

import re

from faultset.records.telemetry import TelemetryFile

_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


def node_of(file: TelemetryFile) -> str:
    """Return the node that a file of metrics is named after, corrected.

    Its name begins with the longest known name of a node (host name, fully qualified or not, or address; case is
    ignored), whatever dots and underscores that has. Where it begins with none, the node is what stands before the
    first ``_``.
    """
    stem = file.name.rsplit("/", 1)[-1]
    known = {name.lower(): name for name, _ in file.renamed} | dict(file.hosts)
    lower = stem.lower()
    fitting = [host for host in known if lower.startswith(host) and not lower[len(host) :][:1].isalnum()]
    named = known[max(fitting, key=len)] if fitting else _before_underscore(stem)
    return dict(file.renamed).get(named, named)


def _before_underscore(stem: str) -> str:
    head = stem.partition("_")[0]
    return head if _ADDRESS.fullmatch(head) else head.partition(".")[0]


def true_name(file: TelemetryFile, written: str) -> str:
    """Return what the node is called that a row of ``file`` calls ``written``."""
    corrected = dict(file.renamed).get(written)
    return corrected if corrected is not None else dict(file.hosts).get(written.lower(), written)
