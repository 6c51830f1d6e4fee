"""The tasks of ``maintain_datasets``: each of them harmless at any time, whatever else runs."""

from __future__ import annotations

import logging

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowSkipException

from faultset_dags.use_cases import use_case

log = logging.getLogger(__name__)


@task
def mend() -> int:
    """Complete what was decided, write pointers and index anew where they are behind, remove what died left."""
    with use_case("datasets") as settings:
        from faultset import pipeline

        return _told(pipeline.mend(settings))


@task
def sweep() -> int:
    """Remove work that nobody used for long, and old runs of the inbox."""
    with use_case("leftovers") as settings:
        from faultset import pipeline

        return _told(pipeline.sweep(settings))


@task
def prune() -> int:
    """Remove the versions that the settings do not keep."""
    with use_case("versions") as settings:
        from faultset import pipeline

        newest, days = settings.keep_versions, settings.keep_versions_days or None
        if newest:
            answers = pipeline.prune(settings, newest=newest, younger_than_days=days, by="maintain_datasets")
            return _told([f"{one['slug']} {one['version']}: {one['why']}" for one in answers if not one["kept"]])
    raise AirflowSkipException("every version is kept, since FAULTSET_KEEP_VERSIONS is not set")


def _told(lines: list[str]) -> int:
    for line in lines:
        log.info("%s", line)
    log.info("%d things were done", len(lines))
    return len(lines)
