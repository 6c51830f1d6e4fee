"""Publish one experiment's candidate, once a person has approved it or the experiment's policy asks nobody."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.sdk import Param, PartitionedAssetTimetable, TriggerRule, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from faultset_dags.approval import FORM, CandidateApproval, answer
from faultset_dags.assets import CANDIDATES, DATASETS
from faultset_dags.defaults import DEFAULT_ARGS
from faultset_dags.notices import on_failure
from faultset_dags.outcomes import blame
from faultset_dags.use_cases import NOTE, REASON, use_case

log = logging.getLogger(__name__)

CHAIN = ["propose", "approve", "publish", "set_aside"]

DOC = """
### Publish a dataset

Runs for each new candidate of `rebuild_datasets`, and by hand with the parameter `experiment`.

- **propose** finds the experiment's newest candidate, which passed its validation, and compares it with the version
  that `latest` names. The experiment's policy (`approval` in `experiment.yaml`) says whether a person has to approve.
- **approve** waits for that person, in *Required Actions* of the UI or over the REST API, and takes no worker
  meanwhile. It is skipped where nobody has to be asked.
- **publish** makes the candidate a version under `FAULTSET_DATASETS`; who approved it, when, why and under which policy
  stands in its manifest. The version is an event of the asset `faultset_datasets`, whose partition key is the
  experiment, with the extra `{slug, version, manifest_sha256}`.
- **set_aside** keeps a rejected candidate out of the way, with the rejection beside it; the same inputs make no
  candidate again.
- **report** says in one line what became of it.

An answer is for the candidate that was shown and the version that it was compared with. Where another has replaced
either of them meanwhile, nothing is published and the run fails. Where nobody answers in time, nothing is published
and the candidate stays.
"""


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


@dag(
    schedule=PartitionedAssetTimetable(assets=CANDIDATES),
    catchup=False,
    # Runs wait for people, for days; one that waits must not hold up the other experiments.
    max_active_runs=1000,
    # Above the longest time to answer that an experiment may declare.
    dagrun_timeout=timedelta(days=31),
    description="Publishes an experiment's candidate, once a person has approved it where the policy wants one.",
    tags=["faultset", "datasets"],
    doc_md=DOC,
    on_failure_callback=on_failure(),
    default_args=DEFAULT_ARGS,
    params={
        "experiment": Param(
            None,
            type=["null", "string"],
            pattern="^[a-z0-9][a-z0-9-]*$",
            title="Experiment",
            description="Name of the experiment whose candidate is to be published.",
        ),
    },
)
def publish_dataset() -> None:
    proposal = propose()
    # Its own time to answer comes from the policy. It is asked again only where Airflow loses an answer: one that comes
    # before the scheduler has noted that the task waits fails the task.
    asked = CandidateApproval(task_id="approve", proposal=proposal, params=FORM, response_timeout=timedelta(days=30))
    published = publish(proposal)
    asked >> published >> set_aside(proposal) >> report()


publish_dataset()
