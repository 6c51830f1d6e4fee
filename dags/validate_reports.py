"""Judge runs that were dropped into the inbox, whatever the events say of them, and set off what follows."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    AssetOrTimeSchedule,
    AssetWatcher,
    CronTriggerTimetable,
    Param,
    TriggerRule,
    dag,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from faultset_dags.defaults import DEFAULT_ARGS
from faultset_dags.notices import on_failure
from faultset_dags.setting_off import SetOff
from faultset_dags.use_cases import REASON, SUBJECT, use_case
from faultset_inbox import InboxTrigger

log = logging.getLogger(__name__)

INBOX = Asset(
    name="faultset_inbox",
    uri="faultset://inbox",
    group="faultset",
    watchers=[AssetWatcher(name="faultset_inbox", trigger=InboxTrigger())],
)
# A judge spends seconds on imports before its first run, so that few judges with many runs each are fastest.
JUDGES = 3

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

By hand, with the parameter `report`: judges that one report (a path that the workers can read, beside `cluster`,
`results` and `hook_scripts`), moves nothing and sets nothing off.
"""


@task
def take() -> list[list[str]]:
    with use_case("inbox", "validation") as settings:
        from faultset import pipeline

        asked = get_current_context()["params"]
        if asked["report"]:
            files = [asked["report"], asked["results"], asked["cluster"], *asked["hook_scripts"]]
            arrivals: tuple[str, ...] = (pipeline.take_by_hand([file for file in files if file], settings),)
        else:
            taken = pipeline.take(settings)
            arrivals = taken.arrivals
            for name, why in sorted(taken.growing.items()):
                log.info("Left alone: %r, because %s", name, why)
        log.info("%d runs wait for their verdict", len(arrivals))
        return [list(arrivals[start::JUDGES]) for start in range(min(JUDGES, len(arrivals)))]


@task(map_index_template=SUBJECT, retries=3)
def judge(arrivals: list[str]) -> list[str]:
    with use_case(f"{len(arrivals)} runs", "validation") as settings:
        from faultset import pipeline
        from faultset_links import page

        for done, arrival in enumerate(pipeline.judge_all(arrivals, settings), start=1):
            log.info("%d of %d: %s", done, len(arrivals), pipeline.verdict_line(arrival, settings))
            log.info("Its verdict: %s", page("validation", arrival))
    return arrivals


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
def accepted() -> dict[str, Any]:
    with use_case("inbox", "validation") as settings:
        from faultset import pipeline

        context = get_current_context()
        batches = context["ti"].xcom_pull(task_ids="take") or []
        slugs = pipeline.accepted([arrival for batch in batches for arrival in batch], settings)
    if context["params"]["report"] or not slugs:
        raise AirflowSkipException("nothing new was accepted")
    return {"experiments": slugs}


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0)
def report() -> None:
    context = get_current_context()
    ti = context["ti"]
    batches = ti.xcom_pull(task_ids="take")
    if batches is None:
        raise AirflowFailException(f"nothing was judged: {ti.xcom_pull(task_ids='take', key=REASON) or 'see take'}")
    arrivals = [arrival for batch in batches for arrival in batch]
    with use_case("inbox", "validation") as settings:
        from faultset import pipeline

        missing = pipeline.without_verdict(arrivals, settings)
    log.info("%d runs, %d without a verdict", len(arrivals), len(missing))
    if missing:
        reasons = {reason for index in range(len(batches)) if (reason := _reason(ti, index))}
        told = f"{len(missing)} of {len(arrivals)} runs have no verdict yet; the next run of this DAG judges them"
        raise AirflowFailException(f"{told}: {' | '.join(sorted(reasons))}")


def _reason(ti: Any, index: int) -> str | None:
    reason: str | None = ti.xcom_pull(task_ids="judge", map_indexes=index, key=REASON)
    return reason


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
    params={
        "report": Param(None, type=["null", "string"], title="Report", description="A Rally task report to judge."),
        "results": Param(None, type=["null", "string"], title="Results", description="Its result JSON."),
        "cluster": Param(None, type=["null", "string"], title="Cluster", description="The os-faults YAML."),
        "hook_scripts": Param([], type="array", items={"type": "string"}, title="Hook scripts"),
    },
)
def validate_reports() -> None:
    judged = judge.expand(arrivals=take())
    experiments = accepted()
    judged >> experiments
    rebuild = SetOff(task_id="rebuild", trigger_dag_id="rebuild_datasets", conf=experiments)
    [judged, rebuild] >> report()


validate_reports()
