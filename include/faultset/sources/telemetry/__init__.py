"""Telemetry: metrics, logs and traces as their tools write them; a format is one file of this folder.

``FORMS`` is the registry: a new format is a module with a ``FORM``, named here.
"""

from __future__ import annotations

from faultset.records import TelemetryFile
from faultset.sources.telemetry import elastic_logs, glances, osprofiler, trace_csv
from faultset.sources.telemetry.form import Form

FORMS: tuple[Form, ...] = (glances.FORM, elastic_logs.FORM, trace_csv.FORM, osprofiler.FORM)


def forms_of(file: TelemetryFile) -> tuple[Form, ...]:
    """Return the formats that a file of this kind may have."""
    return tuple(form for form in FORMS if form.kind == file.kind)


def node_of(file: TelemetryFile) -> str:
    """Return the node that a file of metrics is named after: what stands before the first ``_``, corrected."""
    named = file.name.rsplit("/", 1)[-1].partition("_")[0].partition(".")[0]
    return dict(file.renamed).get(named, named)
