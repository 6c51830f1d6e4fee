"""Of what people are told: failed runs, runs that do not end in time, datasets that were not refreshed."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference

from faultset_notices import notifiers

_ENDS_H = ("FAULTSET_DEADLINE_H", 12.0)
_FRESH_H = ("FAULTSET_STALE_H", 36.0)


def on_failure() -> list[Any]:
    """Return the notifiers for ``on_failure_callback``; none by default."""
    return notifiers()


def deadlines() -> list[DeadlineAlert]:
    """Return the deadlines of a rebuild: that it ends, and that all datasets are fresh some time after a failed one.

    Airflow forgets the deadlines of a run that succeeds in time, so that the second is asked about only where a rebuild
    failed, or never ended; it is told of where datasets are stale even then.
    """
    asked = [("not_ended_in_time", *_ENDS_H), ("datasets_not_refreshed", *_FRESH_H)]
    return [_deadline(callback, hours) for callback, name, usual in asked if (hours := _hours(name, usual))]


def _deadline(callback: str, hours: float) -> DeadlineAlert:
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        # What went stale with this run's start is stale a moment after it.
        interval=timedelta(hours=hours, seconds=60 if callback == "datasets_not_refreshed" else 0),
        callback=AsyncCallback(f"faultset_notices.{callback}", kwargs={"hours": hours}),
        name=callback,
    )


def _hours(name: str, usual: float) -> float:
    """Return what a setting says; the usual where it says nothing, 0 where there is to be no deadline."""
    return float(os.environ.get(name) or usual)
