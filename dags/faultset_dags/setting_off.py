"""Setting off another DAG, as Airflow's own operator does, whose import takes as long as a fifth of a DAG file's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.exceptions import DagRunTriggerException

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

log = logging.getLogger(__name__)


class SetOffLink(BaseOperatorLink):  # type: ignore[misc]
    """Leads from the task to the run that it set off."""

    name = "Triggered DAG"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return its address, asked once the task has ended."""
        from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunLink

        link: str = TriggerDagRunLink().get_link(operator, ti_key=ti_key)
        return link


class SetOff(BaseOperator):  # type: ignore[misc]
    """Sets off a run of another DAG and does not wait for it.

    The run is named after this one, so that a second try, after a first that died too late, sets off no second run; it
    is skipped.

    Args:
        trigger_dag_id: the other DAG.
        conf: what that run is told, or the argument that stands for it; its ``run``, where it has one, names the run
            instead, so that whoever sets off the same again sets off no second one.
    """

    template_fields: Collection[str] = ("conf",)
    operator_extra_links = (SetOffLink(),)

    def __init__(self, *, trigger_dag_id: str, conf: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trigger_dag_id = trigger_dag_id
        self.conf = conf

    def execute(self, context: Context) -> None:
        """Let the task's runner start the run."""
        conf = dict(self.conf)
        run_id = conf.pop("run", None) or f"{context['dag'].dag_id}__{context['run_id']}"
        log.info("Setting off %s: %s, with %s", self.trigger_dag_id, run_id, conf)
        raise DagRunTriggerException(
            trigger_dag_id=self.trigger_dag_id,
            dag_run_id=run_id,
            conf=conf,
            reset_dag_run=False,
            skip_when_already_exists=True,
            wait_for_completion=False,
            allowed_states=[],
            failed_states=[],
            poke_interval=0,
            deferrable=False,
        )
