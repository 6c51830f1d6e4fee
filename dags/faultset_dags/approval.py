"""Airflow's own approval, asked only where an experiment's policy wants a person, and read back as plain values."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from faultset_dags.use_cases import REASON, use_case

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

ANSWER = "answer"
"""XCom key under which the approval leaves what a person said."""

UNANSWERED = "nothing was published and the candidate stays; run publish_dataset for it, which asks again"


FORM = {
    "reason": Param(
        None,
        type=["null", "string"],
        maxLength=2000,
        title="Reason",
        description="Why; it is kept with the version, or with the rejection.",
    )
}


class CandidateApproval(ApprovalOperator):  # type: ignore[misc]
    """Asks a person whether a candidate may be published; is skipped where the policy asks nobody.

    The page is read from the file beside the candidate when it is needed: no text of a report is ever a template, and
    none travels between tasks.

    Args:
        proposal: what ``propose`` returned, or the argument that stands for it.
    """

    template_fields: Collection[str] = ("proposal",)

    def __init__(self, *, proposal: Any, **kwargs: Any) -> None:
        super().__init__(subject="Publish the candidate?", **kwargs)
        self.proposal = proposal

    def execute(self, context: Context) -> Any:
        """Ask, for as long and of whom the policy says."""
        slug = self.proposal["slug"]
        if not self.proposal["needs_person"]:
            raise AirflowSkipException(f"{slug}: {self.proposal['why']}")
        with use_case(slug, "datasets", slug, "approval") as settings:
            from faultset import pipeline

            self.body = pipeline.page(pipeline.Proposal.from_dict(self.proposal), settings)
        self.subject = f"Publish {slug} {self.proposal['number']}?"
        self.response_timeout = timedelta(seconds=self.proposal["timeout_s"])
        self.assigned_users = [{"id": name, "name": name} for name in self.proposal["approvers"]]
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Keep the answer, then go on with it; where there is none in time, leave one line for the run's report.

        A rejection ends the task with what Airflow skips, so that its return value never arrives.
        """
        ti = context["ti"]
        if event.get("error_type") == "timeout":
            waited = timedelta(seconds=self.proposal["timeout_s"])
            told = f"{self.proposal['slug']}: nobody answered within {waited}, so {UNANSWERED}"
            ti.xcom_push(REASON, told)
            raise AirflowFailException(told)  # asking again needs a person, too, who says so
        if "error" not in event:
            ti.xcom_push(ANSWER, _plain(event))
        return super().execute_complete(context, event)


def _plain(event: dict[str, Any]) -> dict[str, Any]:
    person = event["responded_by_user"] or {}
    return {
        "outcome": "approved" if event["chosen_options"] == [ApprovalOperator.APPROVE] else "rejected",
        "by": person.get("name") or person.get("id") or "unknown",
        "at": event["responded_at"],
        "reason": (event["params_input"] or {}).get("reason"),
    }


def answer(ti: Any) -> dict[str, Any] | None:
    """Return what a person said in this run, as ``pipeline.answered`` takes it; None where nobody did."""
    said: dict[str, Any] | None = ti.xcom_pull(task_ids="approve", key=ANSWER)
    return said
