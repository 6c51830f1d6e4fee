"""Keep the set-up whole and small: mend what died left, sweep what nobody needs, prune versions by a policy."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag

from faultset_dags import maintaining as tasks
from faultset_dags.defaults import DEFAULT_ARGS
from faultset_dags.notices import on_failure

DOC = """
### Maintain the datasets

Each night, and by hand at any time; nothing of it waits for anything else.

- **mend** completes versions that were decided and not finished, writes `latest.json` and `index.json` anew where they
  are behind, and removes builds in which nothing was written for a day, as `faultset doctor --fix` does.
- **sweep** removes labeled files that no build used for `FAULTSET_KEEP_WORK_DAYS` (30), and runs that were judged more
  than `FAULTSET_KEEP_DROPPED_DAYS` (180) ago; accepted ones are in the catalog, and their verdicts stay.
- **prune** removes versions beyond the newest `FAULTSET_KEEP_VERSIONS`, if that is set, and older than
  `FAULTSET_KEEP_VERSIONS_DAYS`; never the latest, never a cited one.

Airflow's own database is cleaned by `airflow db clean`, which no task may do: see *Operate Faultset on Airflow*.
"""


@dag(
    schedule=CronTriggerTimetable("10 3 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=8),
    description="Mends, sweeps and prunes, so that nothing waits for a person.",
    tags=["faultset", "datasets"],
    doc_md=DOC,
    on_failure_callback=on_failure(),
    default_args=DEFAULT_ARGS,
)
def maintain_datasets() -> None:
    tasks.mend()
    tasks.sweep()
    tasks.prune()


maintain_datasets()
