"""The tasks of ``deposit_versions``."""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from faultset_dags.use_cases import NOTE, REASON, SUBJECT, progress, use_case

log = logging.getLogger(__name__)

_MOST = 64  # deposits of a run; the next look finds the others
_MOST_TOLD = 20


@task(multiple_outputs=False)
def look() -> list[dict[str, str]]:
    """Find the versions that are not where they should be; say of those that cannot be deposited why."""
    with use_case("deposits") as settings:
        from faultset import deposits
        from faultset_connections import of_archive

        with deposits.accesses(of_archive):
            found = list(deposits.due(settings))
    cannot = [f"{one.slug} {one.version}: not deposited in {one.to}, {one.why_not}" for one in found if one.why_not]
    for line in cannot:
        log.warning("%s", line)
    if cannot:
        get_current_context()["ti"].xcom_push(NOTE, " | ".join(cannot[:_MOST_TOLD]))
    chosen = [one for one in found if not one.why_not][:_MOST]
    log.info("%d deposits are due, %d in this run", len(found) - len(cannot), len(chosen))
    return [{"slug": one.slug, "version": one.version, "to": one.to} for one in chosen]


@task(multiple_outputs=False, map_index_template=SUBJECT, max_active_tis_per_dag=2)
def deposit(one: dict[str, Any]) -> str:
    """Bring a version to an archive; a second try goes on where the first one ended."""
    with use_case(f"{one['slug']} {one['version']} to {one['to']}", "datasets", one["slug"]) as settings:
        from faultset import deposits
        from faultset_connections import of_archive

        told = ""

        def tell(done: int, total: int, what: str) -> None:
            nonlocal told
            if what != told:
                progress(done, total, what)
            told = what

        with deposits.accesses(of_archive):
            made = deposits.deposit(one["slug"], one["version"], one["to"], settings, tell)
    return f"{one['slug']} {one['version']}: {made.url or made.at}{f', DOI {made.doi}' if made.doi else ''}"


@task(trigger_rule=TriggerRule.ALL_DONE)
def report(due: list[dict[str, str]] | None) -> str:
    """Say in one line what became of it, and fail where a deposit failed."""
    ti = get_current_context()["ti"]
    if due is None:
        reason = ti.xcom_pull(task_ids="look", key=REASON) or "look ended unexpectedly; see its log"
        ti.xcom_push(REASON, reason)
        raise AirflowFailException(reason)
    indexes = range(len(due))
    done = ti.xcom_pull(task_ids="deposit", map_indexes=indexes) or []
    lines = [line for line in done if line]
    for line in lines:
        log.info("%s", line)
    cannot = ti.xcom_pull(task_ids="look", key=NOTE)
    if len(lines) < len(due):
        why = [line for line in ti.xcom_pull(task_ids="deposit", key=REASON, map_indexes=indexes) or [] if line]
        reason = f"{len(due) - len(lines)} of {len(due)} were not deposited: {' | '.join(why[:_MOST_TOLD])}"
        ti.xcom_push(REASON, reason)
        raise AirflowFailException(reason)
    if not due and not cannot:
        raise AirflowSkipException("every version is where it should be")
    return f"{len(lines)} deposited{f'; {cannot}' if cannot else ''}"
