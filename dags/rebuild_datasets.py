"""Rebuild the catalog's datasets as candidates: one look at all experiments, few batches of those that changed."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, Param, dag, task_group

from faultset_dags import rebuilding as tasks
from faultset_dags.defaults import DEFAULT_ARGS
from faultset_dags.notices import deadlines, on_failure
from faultset_dags.pools import most_of_a_rebuild

DOC = """
### Rebuild the datasets

**plan** looks at every experiment of the catalog (`FAULTSET_CATALOG`) and divides what may have changed into few
batches of about the same size, so that thousands of experiments need no more tasks than a dozen.

- **small**: **build** makes each experiment of its batch from end to end: reads, decides, labels, validates. What
  passed is a candidate.
- **large**: experiments of `FAULTSET_LARGE_MB` and more. **decide** makes their truth tables and finds what moved,
  **label** labels their telemetry, one file or range of a file at a time in each of many tasks, **validate** joins the
  ranges and runs the expectations. Small ones never wait for them.
- **announce** tells of a lane's candidates in one event of the asset `faultset_candidates`, which wakes
  `publish_dataset`. Nothing is published here.
- **report** shows what became of each experiment and names the broken ones and why.

An experiment is unchanged where its inputs are those of the latest version, of a candidate that waits for an answer, or
of one that was rejected. `force` builds it anyway. A broken experiment fails alone: all others of its batch go on, its
task is green, and **report** is red.

Wrong input is not tried again within a run: mend the file that the error names, then run again with `experiments`.
Trouble with storage is retried, and a batch that is tried again does only what is missing. Running it twice, or twice
at once, is harmless.
"""


@dag(
    # By default Airflow runs the past midnight's run, too, when it first starts within a tenth of a day after it.
    schedule=CronTriggerTimetable("@daily", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=most_of_a_rebuild(),
    dagrun_timeout=timedelta(hours=22),
    description="Builds and validates the catalog's datasets; what passes is a candidate.",
    tags=["faultset", "datasets"],
    doc_md=DOC,
    on_failure_callback=on_failure(),
    deadline=deadlines(),
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
    planned = tasks.plan()

    @task_group
    def small() -> None:
        batches = tasks.batches(planned, "small")
        tasks.build.expand(batch=batches) >> tasks.announce(batches)

    @task_group
    def large() -> None:
        batches = tasks.batches(planned, "large")
        files = tasks.divide()
        validated = tasks.validate.expand(batch=batches)
        tasks.decide.expand(batch=batches) >> files
        tasks.label.expand(batch=files) >> validated >> tasks.announce(batches)

    [small(), large()] >> tasks.report()


rebuild_datasets()
