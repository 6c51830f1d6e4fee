"""The tasks of ``rebuild_datasets``: a chain an experiment, from its inputs to a candidate."""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import TriggerRule, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from faultset_dags.assets import CANDIDATES
from faultset_dags.outcomes import read_outcomes, table
from faultset_dags.use_cases import NOTE, REASON, SUBJECT, use_case

log = logging.getLogger(__name__)

CHAIN = ["rebuild.extract", "rebuild.decide", "validate"]
HELD = {
    "published": "the latest version was made of the same inputs",
    "proposed": "its candidate, of the same inputs, waits for an answer in publish_dataset",
    "rejected": "a candidate of the same inputs was rejected",
}


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
