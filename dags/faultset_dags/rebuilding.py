"""The tasks of ``rebuild_datasets``: references to batches travel between them, never data."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from faultset_dags.assets import CANDIDATES
from faultset_dags.pools import OF_LARGE, OF_SMALL
from faultset_dags.use_cases import REASON, SUBJECT, progress, run_name, use_case

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

# A batch has hundreds of experiments where thousands changed at once; what is done stays done when it is tried again.
_A_BATCH: dict[str, Any] = {"map_index_template": SUBJECT, "execution_timeout": timedelta(hours=6)}
_MOST_TOLD = 20  # experiments whose failure is told in one line
_MOST_LINKS = 50
_MOST_OUTCOMES = 1000  # experiments whose outcome the database keeps
_MOST_IN_EVENT = 100  # candidates that an event names
# After all batches, also where one failed for good; not where there were none.
_AFTER_ALL = TriggerRule.ALL_DONE_MIN_ONE_SUCCESS


@task(multiple_outputs=False)
def plan() -> dict[str, list[dict[str, Any]]]:
    """Tell what may have changed, and divide the work on it."""
    asked = get_current_context()["params"]
    with use_case("catalog") as settings:
        from faultset import pipeline

        made = pipeline.plan_rebuild(run_name(), asked["experiments"], settings, force=asked["force"])
    log.info("%s", made.line)
    return {"small": [one.as_dict() for one in made.small], "large": [one.as_dict() for one in made.large]}


@task
def batches(planned: dict[str, list[dict[str, Any]]], lane: str) -> list[dict[str, Any]]:
    """Return a lane's batches, which the next task is mapped over."""
    return planned[lane]


def _of_batch(batch: dict[str, Any], do: Callable[..., Any]) -> dict[str, Any]:
    with use_case(f"{batch['stage']} {batch['number'] + 1}, {batch['count']}") as settings:
        from faultset import pipeline

        do(pipeline, pipeline.Batch.from_dict(batch), settings, progress)
    return batch


@task(multiple_outputs=False, **_A_BATCH, **OF_SMALL)
def build(batch: dict[str, Any]) -> dict[str, Any]:
    """Build each experiment of a batch from end to end."""
    return _of_batch(batch, lambda product, *call: product.build_batch(*call))


@task(multiple_outputs=False, **_A_BATCH, **OF_LARGE)
def decide(batch: dict[str, Any]) -> dict[str, Any]:
    """Read and decide each large experiment of a batch."""
    return _of_batch(batch, lambda product, *call: product.decide_batch(*call))


@task(trigger_rule=_AFTER_ALL)
def divide() -> list[dict[str, Any]]:
    """Divide the telemetry of all large experiments."""
    with use_case("telemetry") as settings:
        from faultset import pipeline

        return [batch.as_dict() for batch in pipeline.divide_labels(run_name(), settings)]


@task(multiple_outputs=False, **_A_BATCH, **OF_LARGE)
def label(batch: dict[str, Any]) -> dict[str, Any]:
    """Label each file, or range of a large one, of a batch."""
    return _of_batch(batch, lambda product, *call: product.label_batch(*call))


@task(multiple_outputs=False, trigger_rule=TriggerRule.ALL_DONE, **_A_BATCH, **OF_LARGE)
def validate(batch: dict[str, Any]) -> dict[str, Any]:
    """Validate each large experiment of a batch."""
    return _of_batch(batch, lambda product, *call: product.validate_batch(*call))


@task(multiple_outputs=False, trigger_rule=_AFTER_ALL, outlets=[CANDIDATES])
def announce(made: list[dict[str, Any]]) -> dict[str, Any]:
    """Tell of all candidates of a lane in one event."""
    with use_case("candidates") as settings:
        from faultset import pipeline

        found = pipeline.candidates_of([pipeline.Batch.from_dict(batch) for batch in made], settings)
    if not found:
        # A task that succeeds always makes an event of its outlets; a skipped one makes none.
        raise AirflowSkipException("there is no new candidate")
    event = get_current_context()["outlet_events"][CANDIDATES]
    event.extra = {"count": len(found), "candidates": dict(sorted(found.items())[:_MOST_IN_EVENT])}
    return event.extra


@task(trigger_rule=TriggerRule.ALL_DONE)
def report() -> None:
    """Show what became of each experiment, and fail where one is broken."""
    ti = get_current_context()["ti"]
    if ti.xcom_pull(task_ids="plan") is None:
        reason = ti.xcom_pull(task_ids="plan", key=REASON) or "plan failed; see its log"
        ti.xcom_push(REASON, reason)
        raise AirflowFailException(f"no experiment was rebuilt: {reason}")
    with use_case("outcomes") as settings:
        from faultset import pipeline
        from faultset_links import page

        outcomes = pipeline.rebuilt(run_name(), settings)
        for line in pipeline.table(outcomes):
            log.info("%s", line)
        few = len(outcomes) <= _MOST_LINKS
        for one in [one for one in outcomes if few or one.outcome != "unchanged"][:_MOST_LINKS]:
            log.info("See %s", page("datasets", one.experiment))
    told = [one for one in outcomes if one.outcome != "unchanged" or len(outcomes) <= _MOST_OUTCOMES]
    ti.xcom_push("outcomes", {one.experiment: one.cells()[1] for one in told[:_MOST_OUTCOMES]})
    broken = [f"{one.experiment}: {one.reason}" for one in outcomes if one.outcome in ("failed", "trouble")]
    if broken:
        more = [f"and {len(broken) - _MOST_TOLD} more, in the log"] if len(broken) > _MOST_TOLD else []
        reason = " | ".join([*broken[:_MOST_TOLD], *more])
        ti.xcom_push(REASON, reason)
        raise AirflowFailException(f"{len(broken)} of {len(outcomes)} experiments failed: {reason}")
