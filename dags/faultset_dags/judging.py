"""The tasks of ``validate_reports``: claim dropped runs, give each its verdict, name what was accepted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param, TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from faultset_dags.pools import DEFAULT, JUDGES
from faultset_dags.use_cases import REASON, SUBJECT, use_case

log = logging.getLogger(__name__)

_NEEDED = "Required, to judge one report now; leave all of the form empty to look at the inbox."
_IF_THERE = "Only beside a report, where there is one."
FORM = {
    "report": Param(
        None,
        type=["null", "string"],
        title="Report (required)",
        description=f"Path of a report or a journal of a run. {_NEEDED}",
    ),
    "cluster": Param(
        None,
        type=["null", "string"],
        title="Cluster (required for Rally)",
        description="Path of the os-faults YAML, or a cluster.yaml: which container runs on which node.",
    ),
    "results": Param(
        None,
        type=["null", "string"],
        title="Results (optional)",
        description=f"Path of the result JSON of the same run: times to the microsecond. {_IF_THERE}",
    ),
    "hook_scripts": Param(
        [],
        type="array",
        items={"type": "string"},
        title="Hook scripts (optional)",
        description=f"Paths of the scripts that the hooks ran, one a line. {_IF_THERE}",
    ),
}

# A judge spends seconds on imports before its first run, so that few judges with many runs each are fastest. Where a
# pool says how many work at once, there may be more of them.
_FEW = 3
_MOST = _FEW if JUDGES == DEFAULT else 16
_WORTH = 4  # runs that are worth another judge


@task
def take() -> list[list[str]]:
    with use_case("inbox", "validation") as settings:
        from faultset import pipeline

        named = named_files(get_current_context()["params"])
        if named:
            arrivals: tuple[str, ...] = (pipeline.take_by_hand(named, settings),)
        else:
            taken = pipeline.take(settings)
            arrivals = taken.arrivals
            for name, why in sorted(taken.growing.items()):
                log.info("Left alone: %r, because %s", name, why)
        log.info("%d runs wait for their verdict", len(arrivals))
        judges = min(_MOST, len(arrivals), max(_FEW, len(arrivals) // _WORTH))
        return [list(arrivals[start::judges]) for start in range(judges)]


def named_files(asked: Mapping[str, Any]) -> list[str]:
    """Return the files that the form names, the report first; none where the inbox is to be looked at.

    Raises:
        InputError: something is named, and no report.
    """
    from faultset.errors import InputError

    beside = [file for file in (asked["cluster"], asked["results"], *asked["hook_scripts"]) if file]
    if beside and not asked["report"]:
        raise InputError("report", "it is empty, and other fields are not", "name the report, too, or leave all empty")
    return [asked["report"], *beside] if asked["report"] else []


@task(map_index_template=SUBJECT, retries=3, pool=JUDGES)
def judge(arrivals: list[str]) -> list[str]:
    with use_case(f"{len(arrivals)} runs", "validation") as settings:
        from faultset import pipeline
        from faultset_links import page

        for done, arrival in enumerate(pipeline.judge_all(arrivals, settings), start=1):
            log.info("%d of %d: %s", done, len(arrivals), pipeline.verdict_line(arrival, settings))
            log.info("Its verdict: %s", page("validation", arrival))
    return arrivals


@task(trigger_rule=TriggerRule.ALL_DONE)
def accepted() -> dict[str, Any]:
    with use_case("inbox", "validation") as settings:
        from faultset import pipeline

        context = get_current_context()
        batches = context["ti"].xcom_pull(task_ids="take") or []
        slugs = pipeline.accepted([arrival for batch in batches for arrival in batch], settings)
    if context["params"]["report"] or not slugs:
        raise AirflowSkipException("nothing new was accepted")
    return {"experiments": slugs}


@task(trigger_rule=TriggerRule.ALL_DONE)
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
