"""Rebuild the catalog's datasets as candidates: one mapped chain of tasks an experiment."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, TriggerRule, dag, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from faultset_dags.assets import CANDIDATES
from faultset_dags.defaults import DEFAULT_ARGS
from faultset_dags.notices import on_failure
from faultset_dags.outcomes import read_outcomes, table
from faultset_dags.use_cases import NOTE, REASON, SUBJECT, use_case

log = logging.getLogger(__name__)

CHAIN = ["rebuild.extract", "rebuild.decide", "validate"]
HELD = {
    "published": "the latest version was made of the same inputs",
    "proposed": "its candidate, of the same inputs, waits for an answer in publish_dataset",
    "rejected": "a candidate of the same inputs was rejected",
}

DOC = """
### Rebuild the datasets

Every experiment of the catalog (`FAULTSET_CATALOG`) goes through its own chain of tasks:
**extract** reads the reports, **decide** makes the truth tables and finds what moved, **validate** runs the
expectations over all of it. What passed is a candidate. Before that **label** labels the telemetry, one task a file of
any experiment, so that many workers share one experiment and a file that is tried again does not redo the others.
References travel between the tasks, never data.

- Nothing is published here. A candidate is an event of the asset `faultset_candidates`, whose partition key is the
  experiment; `publish_dataset` runs for each of them.
- An experiment is skipped where its inputs are those of the latest version, of a candidate that waits for an answer, or
  of one that was rejected. `force` builds it anyway.
- A broken experiment fails alone. **report** runs last, shows what became of each and names the broken ones and why.

Wrong input is not retried: mend the file that the error names, then clear the failed tasks (downstream included).
Trouble with storage is retried. Running it twice, or twice at once, is harmless.
"""


@task
def find_experiments() -> list[str]:
    with use_case("catalog") as settings:
        from faultset import pipeline

        return get_current_context()["params"]["experiments"] or pipeline.slugs(settings)


@task(map_index_template=SUBJECT, multiple_outputs=False)
def extract(slug: str) -> dict[str, Any]:
    with use_case(slug, "datasets", slug) as settings:
        from faultset import pipeline

        build = pipeline.extract(slug, settings, force=get_current_context()["params"]["force"])
    if build.standing in HELD:
        get_current_context()["ti"].xcom_push(NOTE, HELD[build.standing])
        raise AirflowSkipException(f"{slug}: {HELD[build.standing]}")
    return build.as_dict()


@task(map_index_template=SUBJECT, multiple_outputs=False)
def decide(reference: dict[str, Any]) -> dict[str, Any]:
    with use_case(reference["slug"], "datasets", reference["slug"]) as settings:
        from faultset import pipeline

        return pipeline.decide(pipeline.Build.from_dict(reference), settings).as_dict()


@task(trigger_rule=TriggerRule.ALL_DONE)
def find_telemetry(slugs: list[str]) -> list[dict[str, Any]]:
    with use_case("telemetry") as settings:
        from faultset import pipeline

        builds = [pipeline.Build.from_dict(found) for index in range(len(slugs)) if (found := decided(index))]
        return [file.as_dict() for build in builds for file in pipeline.labelings(build, settings)]


@task(map_index_template=SUBJECT, multiple_outputs=False)
def label(reference: dict[str, Any]) -> dict[str, Any]:
    slug = reference["build"]["slug"]
    with use_case(f"{slug} {reference['name']}", "datasets", slug) as settings:
        from faultset import pipeline

        return pipeline.label(pipeline.Labeling.from_dict(reference), settings).as_dict()


def decided(index: int) -> dict[str, Any] | None:
    """Return the build that ``decide`` handed on for the experiment at ``index``; None where its chain ended before."""
    found: dict[str, Any] | None = get_current_context()["ti"].xcom_pull(task_ids="rebuild.decide", map_indexes=index)
    return found


@task(map_index_template=SUBJECT, multiple_outputs=False, trigger_rule=TriggerRule.ALL_DONE, outlets=[CANDIDATES])
def validate(slug: str) -> dict[str, Any]:
    reference = decided(get_current_context()["ti"].map_index)
    if reference is None:
        raise AirflowSkipException(f"{slug}: there is nothing to validate")
    with use_case(slug, "datasets", slug) as settings:
        from faultset import pipeline

        made = pipeline.built(pipeline.validate(pipeline.Build.from_dict(reference), settings), settings)
    if made.validation is None:
        # A task that succeeds always makes an event of its outlets; a skipped one makes none.
        raise AirflowSkipException(f"{slug}: its candidate was published, replaced or rejected meanwhile")
    from faultset_links import page

    event = get_current_context()["outlet_events"][CANDIDATES]
    event.add_partitions(slug)
    event.extra = {"slug": slug, "fingerprint": made.fingerprint}
    log.info("Its candidate: %s", page("datasets", slug, "approval"))
    return {**event.extra, "injections": made.injections, "targets": made.targets, "findings": made.findings}


@task_group
def rebuild(slug: str) -> None:
    decide(extract(slug))


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
def report() -> None:
    context = get_current_context()
    ti = context["ti"]
    experiments = ti.xcom_pull(task_ids="find_experiments")
    if experiments is None:
        reason = ti.xcom_pull(task_ids="find_experiments", key=REASON) or "find_experiments failed; see its log"
        ti.xcom_push(REASON, reason)
        raise AirflowFailException(f"no experiment was rebuilt: {reason}")
    outcomes = read_outcomes(ti, context["run_id"], experiments, CHAIN)
    for line in table(outcomes):
        log.info("%s", line)
    ti.xcom_push("outcomes", {outcome.experiment: outcome.outcome for outcome in outcomes})
    broken = [f"{outcome.experiment}: {outcome.reason}" for outcome in outcomes if outcome.outcome == "failed"]
    if broken:
        ti.xcom_push(REASON, " | ".join(broken))
        raise AirflowFailException(f"{len(broken)} of {len(outcomes)} experiments failed: {' | '.join(broken)}")


@dag(
    # By default Airflow runs the past midnight's run, too, when it first starts within a tenth of a day after it.
    schedule=CronTriggerTimetable("@daily", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    description="Builds and validates the catalog's datasets; what passes is a candidate.",
    tags=["faultset", "datasets"],
    doc_md=DOC,
    on_failure_callback=on_failure(),
    default_args=DEFAULT_ARGS,
    params={
        "experiments": Param(
            [],
            type="array",
            items={"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$"},
            uniqueItems=True,
            title="Experiments",
            description="Names of the experiments to rebuild, one a line; all of the catalog where there is none.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Force",
            description="Build also what did not change.",
        ),
    },
)
def rebuild_datasets() -> None:
    experiments = find_experiments()
    files = find_telemetry(experiments)
    labels = label.expand(reference=files)
    candidates = validate.expand(slug=experiments)
    rebuild.expand(slug=experiments) >> files
    [files, labels] >> candidates
    [experiments, candidates] >> report()


rebuild_datasets()
