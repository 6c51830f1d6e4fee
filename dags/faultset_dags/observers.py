"""Who observes the use cases in a task: Airflow's own metrics and its OpenLineage provider, where those are on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from faultset.settings import Settings

log = logging.getLogger(__name__)


def observers(context: Context, settings: Settings) -> list[Any]:
    """Return whoever wants to know; where metrics and lineage are off, nobody, and nothing is imported for it.

    One that is set up wrongly is left out, with a warning: no work waits for its metrics.
    """
    found: list[Any] = []
    for name, make in (("metrics", _metrics), ("lineage", _lineage)):
        try:
            one = make(context, settings)
        except Exception as error:  # noqa: BLE001 (its text may quote a token of the configuration)
            log.warning("There is no %s, since its set-up fails with %s", name, type(error).__name__)
            continue
        if one is not None:
            found.append(one)
    return found


# --- metrics ----------------------------------------------------------------------------------------------------------


def metrics_are_on() -> bool:
    """Whether Airflow sends its metrics anywhere (``[metrics] statsd_on``, ``statsd_datadog_enabled``, ``otel_on``)."""
    return any(_says(key) for key in ("statsd_on", "statsd_datadog_enabled", "otel_on"))


def _metrics(_: Context, settings: Settings) -> Any:
    if not metrics_are_on():
        return None
    from faultset import pipeline

    return pipeline.MetricsObserver(AirflowMeter(in_names=not _keeps_labels()), settings)


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
    if not lineage_is_on():
        return None
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
