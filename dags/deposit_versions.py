"""Bring published versions to the public archives that their experiments, or the settings, name."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag

from faultset_dags import depositing as tasks
from faultset_dags.defaults import DEFAULT_ARGS
from faultset_dags.notices import on_failure

DOC = """
### Deposit versions

Runs every quarter of an hour, and by hand. It trusts no event: it looks at the latest version of each experiment that
names archives (`deposit` in `experiment.yaml`, else `FAULTSET_DEPOSIT_TO`) and at what is noted beside it.

- **look** finds the versions that are not where they should be. One without a license or creators is named, and waits
  for a version that has them.
- **deposit** brings one version to one archive: a record with a DOI in Zenodo or another InvenioRDM, a tagged commit in
  a repository of Hugging Face. What is there is found by looking there, so that a task that is killed, tried again or
  run twice makes no second record, and nothing is seen before it is whole.
- **report** says in one line what became of it.

Nobody is asked again: who approved a version was shown where it goes.
"""


@dag(
    schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=22),
    description="Deposits published versions in public archives, where experiments or settings name some.",
    tags=["faultset", "datasets"],
    doc_md=DOC,
    on_failure_callback=on_failure(),
    default_args={**DEFAULT_ARGS, "execution_timeout": timedelta(hours=12)},
)
def deposit_versions() -> None:
    due = tasks.look()
    tasks.deposit.expand(one=due) >> tasks.report(due)


deposit_versions()
