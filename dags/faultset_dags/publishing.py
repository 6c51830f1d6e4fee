"""The tasks of ``publish_dataset``: propose a candidate, publish or set aside what a person or the policy decided."""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from faultset_dags.approval import answer
from faultset_dags.assets import DATASETS
from faultset_dags.outcomes import blame
from faultset_dags.use_cases import NOTE, REASON, use_case

log = logging.getLogger(__name__)

CHAIN = ["propose", "approve", "publish", "set_aside"]


@task(multiple_outputs=False)
def propose() -> dict[str, Any]:
    context = get_current_context()
    slug = context["dag_run"].partition_key or context["params"]["experiment"]
    if not slug:
        reason = 'no experiment is named; run it with {"experiment": "NAME"}'
        context["ti"].xcom_push(REASON, reason)
        raise AirflowFailException(reason)
    with use_case(slug, "datasets", slug, "approval") as settings:
        from faultset import pipeline
        from faultset_links import pictures

        made = pipeline.propose(slug, settings, pictures=pictures(slug))
    if made is None:
        note = f"{slug}: there is no candidate to publish"
        context["ti"].xcom_push(NOTE, note)
        raise AirflowSkipException(note)
    return made.as_dict()


# After an approval, or where nobody was asked; Airflow itself skips it after a rejection.
@task(multiple_outputs=False, trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, outlets=[DATASETS])
def publish(proposal: dict[str, Any]) -> dict[str, Any]:
    context = get_current_context()
    said = answer(context["ti"])
    with use_case(proposal["slug"], "datasets", proposal["slug"], "versions") as settings:
        from faultset import pipeline

        made = pipeline.Proposal.from_dict(proposal)
        decision = pipeline.answered(made, **said) if said else pipeline.not_asked(made)
        published = pipeline.publish_proposal(made, decision, settings)
    if not published.new:
        note = f"{published.slug}: version {published.version} was made of the same inputs already"
        context["ti"].xcom_push(NOTE, note)
        # A task that succeeds always makes an event of its outlets; a skipped one makes none.
        raise AirflowSkipException(note)
    event = context["outlet_events"][DATASETS]
    event.add_partitions(published.slug)
    event.extra = {
        "slug": published.slug,
        "version": published.version,
        "manifest_sha256": published.manifest_sha256,
    }
    return event.extra


@task(trigger_rule=TriggerRule.ALL_DONE)
def set_aside(proposal: dict[str, Any] | None) -> str:
    said = answer(get_current_context()["ti"])
    if proposal is None or said is None or said["outcome"] != "rejected":
        raise AirflowSkipException("no person rejected a candidate")
    with use_case(proposal["slug"], "datasets", proposal["slug"], "versions") as settings:
        from faultset import pipeline

        made = pipeline.Proposal.from_dict(proposal)
        decision = pipeline.answered(made, **said)
        pipeline.reject(made, decision, settings)
    because = f": {decision.reason}" if decision.reason else ", who gave no reason"
    return f"{made.slug}: its candidate was rejected by {decision.by}{because}"


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
def report() -> str:
    context = get_current_context()
    ti = context["ti"]
    run = ti.get_task_states(dag_id=ti.dag_id, task_ids=CHAIN, run_ids=[context["run_id"]]).get(context["run_id"], {})
    broken = blame({name: run.get(name) for name in CHAIN})
    if broken:
        reason = ti.xcom_pull(task_ids=broken, key=REASON) or f"{broken} ended unexpectedly; see its log"
        ti.xcom_push(REASON, reason)
        raise AirflowFailException(reason)
    # Nothing is said where a person set the tasks' states by hand.
    line = next(filter(None, (_said(ti, name) for name in reversed(CHAIN))), "nothing was published")
    log.info("%s", line)
    return line


def _said(ti: Any, name: str) -> str | None:
    """Return in one line what a task came to; None where it came to nothing."""
    done = ti.xcom_pull(task_ids=name)
    if name == "publish" and done is not None:
        return f"{done['slug']}: published as {done['version']}"
    said: str | None = done if name == "set_aside" else ti.xcom_pull(task_ids=name, key=NOTE)
    return said
