"""Who observes the use cases in a task: Airflow's own metrics and its OpenLineage provider, where those are on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from faultset.settings import Settings


def observers(context: Context, settings: Settings) -> list[Any]:
    """Return whoever wants to know; where metrics and lineage are off, nobody, and nothing is imported for it."""
    found: list[Any] = []
    if metrics_are_on():
        from faultset import pipeline

        found.append(pipeline.MetricsObserver(AirflowMeter(in_names=not _keeps_labels()), settings))
    if lineage_is_on():
        found.append(_lineage(context, settings))
    return found


# --- metrics ----------------------------------------------------------------------------------------------------------


def metrics_are_on() -> bool:
    """Whether Airflow sends its metrics anywhere (``[metrics] statsd_on``, ``statsd_datadog_enabled``, ``otel_on``)."""
    return any(_says(key) for key in ("statsd_on", "statsd_datadog_enabled", "otel_on"))


def _keeps_labels() -> bool:
    """Whether they arrive with labels: those of plain StatsD have none, so that values go into the name there."""
    return any(_says(key) for key in ("statsd_datadog_enabled", "statsd_influxdb_enabled")) or not _says("statsd_on")


def _says(key: str) -> bool:
    from airflow.configuration import conf

    return bool(conf.getboolean("metrics", key, fallback=False))


@dataclass(frozen=True, slots=True)
class AirflowMeter:
    """Sends what is counted with Airflow's own metrics, to wherever those go.

    Attributes:
        in_names: whether values of labels are a part of the name.
    """

    in_names: bool

    def count(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter; what added nothing is not sent."""
        from airflow.sdk.observability import stats

        if value:
            stats.incr(self._named(name, labels), value, tags=self._tags(labels))

    def level(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Set a gauge."""
        from airflow.sdk.observability import stats

        stats.gauge(self._named(name, labels), value, tags=self._tags(labels))

    def _named(self, name: str, labels: Mapping[str, str]) -> str:
        return ".".join(["faultset", name, *(labels.values() if self.in_names else ())])

    def _tags(self, labels: Mapping[str, str]) -> dict[str, str] | None:
        return None if self.in_names or not labels else dict(labels)


# --- lineage ----------------------------------------------------------------------------------------------------------


def lineage_is_on() -> bool:
    """Whether Airflow's OpenLineage provider is there and knows where to send events."""
    try:
        from airflow.providers.openlineage import conf
    except ImportError:
        return False
    return not conf.is_disabled()


def _lineage(context: Context, settings: Settings) -> Any:
    from airflow.providers.openlineage.api import emit
    from airflow.providers.openlineage.plugins.macros import (
        lineage_job_namespace,
        lineage_root_job_name,
        lineage_root_job_namespace,
        lineage_root_run_id,
    )

    from faultset import pipeline

    ti = context["ti"]
    run = pipeline.Parent(lineage_root_run_id(ti), lineage_root_job_namespace(ti), lineage_root_job_name(ti))
    return pipeline.LineageObserver(emit, settings, lineage_job_namespace(), run)
