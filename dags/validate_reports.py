"""Judge runs that were dropped into the inbox, whatever the events say of them, and set off what follows."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable, dag

from faultset_dags.defaults import DEFAULT_ARGS
from faultset_dags.judging import FORM, accepted, judge, report, take
from faultset_dags.notices import on_failure
from faultset_dags.setting_off import SetOff
from faultset_inbox import InboxTrigger

INBOX = Asset(
    name="faultset_inbox",
    uri="faultset://inbox",
    group="faultset",
    watchers=[AssetWatcher(name="faultset_inbox", trigger=InboxTrigger())],
)
DOC = """
### Judge new runs

Drop a run (a folder, or a zip or tar.gz archive) into the inbox (`FAULTSET_INBOX`). Once it is whole, which a file
`_COMPLETE` in it says at once and half a minute without a change otherwise, it is judged: its verdict is a page and a
JSON file, under `accepted/` or `quarantine/` in the inbox, and one line in `verdicts/` for each arrival.

- **take** claims all that is whole, and what an earlier run left when it died.
- **judge** reads, decides, labels and validates each of them. Accepted runs move into the catalog.
- **rebuild** sets off `rebuild_datasets` for what was accepted.
- **report** fails where a run has no verdict yet, and says why; the next run judges it.

Events of the asset `faultset_inbox` wake this DAG; it looks at the inbox itself, and does so every quarter of an hour
without any event. Running it twice, or twice at once, is harmless.

By hand without parameters: looks at the inbox now. By hand with `report` and `cluster` (paths that the workers can
read), and `results` and `hook_scripts` where there are any: judges that one report, moves nothing and sets nothing off.
"""


@dag(
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("*/15 * * * *", timezone="UTC"), assets=[INBOX]),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    description="Judges runs that were dropped into the inbox; accepted ones go into the catalog.",
    tags=["faultset", "inbox"],
    doc_md=DOC,
    on_failure_callback=on_failure(),
    default_args={
        **DEFAULT_ARGS,
        "retry_delay": timedelta(seconds=5),
        # Somebody waits for a verdict; datasets are rebuilt after it.
        "priority_weight": 100,
        "weight_rule": "absolute",
    },
    params=FORM,
)
def validate_reports() -> None:
    judged = judge.expand(arrivals=take())
    experiments = accepted()
    judged >> experiments
    rebuild = SetOff(task_id="rebuild", trigger_dag_id="rebuild_datasets", conf=experiments)
    [judged, rebuild] >> report()


validate_reports()
