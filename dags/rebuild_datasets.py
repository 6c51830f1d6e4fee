"""Rebuild the catalog's datasets as candidates: one mapped chain of tasks an experiment."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, Param, dag

from faultset_dags.defaults import DEFAULT_ARGS
from faultset_dags.notices import on_failure
from faultset_dags.rebuilding import find_experiments, find_telemetry, label, rebuild, report, validate

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
