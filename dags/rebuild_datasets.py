"""Rebuild and publish the catalog's datasets: one mapped group of tasks an experiment."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, Param, TriggerRule, dag, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from faultset_dags.outcomes import read_outcomes, table
from faultset_dags.use_cases import REASON, SUBJECT, use_case

log = logging.getLogger(__name__)

DATASETS = Asset(name="faultset_datasets", uri="faultset://datasets", group="faultset")
CHAIN = ["rebuild.extract", "rebuild.decide", "publish.validate", "publish.write"]

DOC = """
### Rebuild the datasets

Every experiment of the catalog (`FAULTSET_CATALOG`) goes through its own chain of tasks:
**extract** reads the reports, **decide** makes the truth tables and finds what moved, **validate** judges all of it,
**write** publishes a version under `FAULTSET_DATASETS`. Between them **label** labels the telemetry, one task a file of
any experiment, so that many workers share one experiment and a file that is tried again does not redo the others.
References travel between the tasks, never data.

- An experiment whose inputs did not change is skipped. `force` builds it anyway; the same tables make no new version.
- A broken experiment fails alone. **report** runs last, shows what became of each and names the broken ones and why.
- A new version is an event of the asset `faultset_datasets`: its partition key is the experiment, its extra
  `{slug, version, manifest_sha256}`.

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
    with use_case(slug) as settings:
        from faultset import pipeline

        build = pipeline.extract(slug, settings, force=get_current_context()["params"]["force"])
    if build.unchanged:
        raise AirflowSkipException(f"{slug}: the latest version was made of the same inputs")
    return build.as_dict()


@task(map_index_template=SUBJECT, multiple_outputs=False)
def decide(reference: dict[str, Any]) -> dict[str, Any]:
    with use_case(reference["slug"]) as settings:
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
    with use_case(f"{reference['build']['slug']} {reference['name']}") as settings:
        from faultset import pipeline

        return pipeline.label(pipeline.Labeling.from_dict(reference), settings).as_dict()


def decided(index: int) -> dict[str, Any] | None:
    """Return the build that ``decide`` handed on for the experiment at ``index``; None where its chain ended before."""
    found: dict[str, Any] | None = get_current_context()["ti"].xcom_pull(task_ids="rebuild.decide", map_indexes=index)
    return found


@task(map_index_template=SUBJECT, multiple_outputs=False, trigger_rule=TriggerRule.ALL_DONE)
def validate(slug: str) -> dict[str, Any]:
    reference = decided(get_current_context()["ti"].map_index)
    if reference is None:
        raise AirflowSkipException(f"{slug}: there is nothing to validate")
    with use_case(slug) as settings:
        from faultset import pipeline

        return pipeline.validate(pipeline.Build.from_dict(reference), settings).as_dict()


@task(map_index_template=SUBJECT, multiple_outputs=False, outlets=[DATASETS])
def write(reference: dict[str, Any]) -> dict[str, Any]:
    with use_case(reference["slug"]) as settings:
        from faultset import pipeline

        published = pipeline.write(pipeline.Build.from_dict(reference), settings)
    if not published.new:
        # A task that succeeds always makes an event of its outlets; a skipped one makes none.
        raise AirflowSkipException(f"{published.slug}: version {published.version} holds the same tables already")
    event = get_current_context()["outlet_events"][DATASETS]
    event.add_partitions(published.slug)
    event.extra = {
        "slug": published.slug,
        "version": published.version,
        "manifest_sha256": published.manifest_sha256,
    }
    return published.as_dict()


@task_group
def rebuild(slug: str) -> None:
    decide(extract(slug))


@task_group
def publish(slug: str) -> None:
    write(validate(slug))


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
    schedule="@daily",
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    tags=["faultset", "datasets"],
    doc_md=DOC,
    default_args={
        "owner": "faultset",
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=2),
        "execution_timeout": timedelta(hours=2),
    },
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
    published = publish.expand(slug=experiments)
    rebuild.expand(slug=experiments) >> files
    [files, labels] >> published
    [experiments, published] >> report()


rebuild_datasets()
