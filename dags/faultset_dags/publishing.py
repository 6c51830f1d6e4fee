"""The tasks of ``publish_dataset``: of a run that looks at all that waits, and of one that asks about one candidate."""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from faultset_dags.approval import answer
from faultset_dags.assets import DATASETS
from faultset_dags.outcomes import blame
from faultset_dags.use_cases import NOTE, REASON, SUBJECT, progress, run_name, use_case

log = logging.getLogger(__name__)

CHAIN = ["propose", "approve", "publish", "set_aside"]
LOOK = ["look", "to_ask"]
_MOST_IN_EVENT = 100  # versions that an event names
_MOST_TOLD = 20


# --- everything that waits --------------------------------------------------------------------------------------------


@task(multiple_outputs=False)
def look() -> list[dict[str, Any]]:
    """Look at the candidates that wait, and divide those that nobody was asked about."""
    if get_current_context()["params"]["experiment"]:
        raise AirflowSkipException("one experiment is named")
    with use_case("candidates") as settings:
        from faultset import pipeline

        batches = pipeline.plan_publishing(run_name(), settings)
    log.info("%d candidates wait, in %d batches", sum(one.count for one in batches), len(batches))
    return [batch.as_dict() for batch in batches]


@task(multiple_outputs=False, map_index_template=SUBJECT, outlets=[DATASETS])
def publish_batch(batch: dict[str, Any]) -> dict[str, Any]:
    """Publish each candidate of a batch whose policy asks nobody."""
    with use_case(f"batch {batch['number'] + 1}, {batch['count']}") as settings:
        from faultset import pipeline

        new = pipeline.publish_batch(pipeline.Batch.from_dict(batch), settings, progress)
    if not new:
        # A task that succeeds always makes an event of its outlets; a skipped one makes none.
        raise AirflowSkipException("nothing was published")
    event = get_current_context()["outlet_events"][DATASETS]
    event.add_partitions(sorted(new))
    event.extra = {"versions": dict(sorted(new.items())[:_MOST_IN_EVENT])}
    if len(new) == 1:
        [(slug, version)] = new.items()
        event.extra |= {"slug": slug, **version}
    return batch


@task(trigger_rule=TriggerRule.ALL_DONE)
def to_ask(looked: list[dict[str, Any]] | None) -> list[dict[str, str]]:
    """Return the candidates that a run of their own asks a person about."""
    if not looked:
        raise AirflowSkipException("nothing was looked at")
    with use_case("questions") as settings:
        from faultset import pipeline

        return [{"experiment": slug, "run": run} for slug, run in pipeline.to_ask(run_name(), settings)]


# --- one candidate ----------------------------------------------------------------------------------------------------


@task(multiple_outputs=False)
def propose() -> dict[str, Any]:
    """Compare an experiment's newest candidate with the latest version, and say whether a person has to approve it."""
    context = get_current_context()
    slug = context["params"]["experiment"]
    if not slug:
        raise AirflowSkipException("no experiment is named, so that all that wait are looked at")
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
    """Make the candidate a version."""
    context = get_current_context()
    said = answer(context["ti"])
    with use_case(proposal["slug"], "datasets", proposal["slug"]) as settings:
        from faultset import pipeline

        made = pipeline.Proposal.from_dict(proposal)
        decision = pipeline.answered(made, **said) if said else pipeline.not_asked(made)
        published = pipeline.publish_proposal(made, decision, settings)
    if not published.new:
        note = f"{published.slug}: version {published.version} was made of the same inputs already"
        context["ti"].xcom_push(NOTE, note)
        raise AirflowSkipException(note)
    event = context["outlet_events"][DATASETS]
    event.add_partitions(published.slug)
    version = {"version": published.version, "manifest_sha256": published.manifest_sha256}
    event.extra = {"slug": published.slug, **version, "versions": {published.slug: version}}
    return event.extra


@task(trigger_rule=TriggerRule.ALL_DONE)
def set_aside(proposal: dict[str, Any] | None) -> str:
    """Keep a rejected candidate out of the way."""
    said = answer(get_current_context()["ti"])
    if proposal is None or said is None or said["outcome"] != "rejected":
        raise AirflowSkipException("no person rejected a candidate")
    with use_case(proposal["slug"], "datasets", proposal["slug"]) as settings:
        from faultset import pipeline

        made = pipeline.Proposal.from_dict(proposal)
        decision = pipeline.answered(made, **said)
        pipeline.reject(made, decision, settings)
    because = f": {decision.reason}" if decision.reason else ", who gave no reason"
    return f"{made.slug}: its candidate was rejected by {decision.by}{because}"


# --- what became of it ------------------------------------------------------------------------------------------------


@task(trigger_rule=TriggerRule.ALL_DONE)
def report() -> str:
    """Say in one line what became of it, and fail where something failed."""
    context = get_current_context()
    ti = context["ti"]
    run = ti.get_task_states(dag_id=ti.dag_id, task_ids=[*CHAIN, *LOOK], run_ids=[context["run_id"]])
    states = run.get(context["run_id"], {})
    chain = CHAIN if context["params"]["experiment"] else LOOK
    broken = blame({name: states.get(name) for name in chain})
    if broken:
        reason = ti.xcom_pull(task_ids=broken, key=REASON) or f"{broken} ended unexpectedly; see its log"
        ti.xcom_push(REASON, reason)
        raise AirflowFailException(reason)
    line = _of_look(ti) if chain is LOOK else _of_chain(ti)
    log.info("%s", line)
    return line


def _of_chain(ti: Any) -> str:
    # Nothing is said where a person set the tasks' states by hand.
    return next(filter(None, (_said(ti, name) for name in reversed(CHAIN))), "nothing was published")


def _said(ti: Any, name: str) -> str | None:
    """Return in one line what a task came to; None where it came to nothing."""
    done = ti.xcom_pull(task_ids=name)
    if name == "publish" and done is not None:
        return f"{done['slug']}: published as {done['version']}"
    said: str | None = done if name == "set_aside" else ti.xcom_pull(task_ids=name, key=NOTE)
    return said


def _of_look(ti: Any) -> str:
    """Return how many candidates came to what; fail where one or a whole batch failed."""
    batches = ti.xcom_pull(task_ids="look") or []
    with use_case("outcomes") as settings:
        from faultset import pipeline

        found = list(pipeline.published_lines(run_name(), settings))
    for _, line in found:
        log.info("%s", line)
    count = {outcome: sum(one == outcome for one, _ in found) for outcome in ("published", "asks", "failed")}
    missing = sum(batch["count"] for batch in batches) - len(found)
    failed = [line for outcome, line in found if outcome == "failed"][:_MOST_TOLD]
    if missing > 0:
        failed.append(f"{missing} not tried; the next look publishes them")
    if failed:
        reason = " | ".join(failed)
        ti.xcom_push(REASON, reason)
        raise AirflowFailException(f"{count['failed'] + max(missing, 0)} were not published: {reason}")
    return f"{count['published']} published, {count['asks']} need a person"
