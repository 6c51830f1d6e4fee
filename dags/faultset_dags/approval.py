"""Airflow's own approval, asked only where an experiment's policy wants a person, and read back as plain values."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

from faultset_dags.use_cases import REASON, use_case

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

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
        with use_case(slug) as settings:
            from faultset import pipeline

            self.body = pipeline.page(pipeline.Proposal.from_dict(self.proposal), settings)
        self.subject = f"Publish {slug} {self.proposal['number']}?"
        self.response_timeout = timedelta(seconds=self.proposal["timeout_s"])
        self.assigned_users = [{"id": name, "name": name} for name in self.proposal["approvers"]]
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on with the answer; where there is none in time, leave one line for the run's report."""
        if event.get("error_type") == "timeout":
            waited = timedelta(seconds=self.proposal["timeout_s"])
            ti = context["ti"]
            ti.xcom_push(REASON, f"{self.proposal['slug']}: nobody answered within {waited}, so {UNANSWERED}")
        return super().execute_complete(context, event)


def answer(ti: Any) -> dict[str, Any] | None:
    """Return what a person said in this run, as ``pipeline.answered`` takes it; None where nobody was asked."""
    said = ti.xcom_pull(task_ids="approve")
    if said is None:
        return None
    person = said["responded_by_user"] or {}
    return {
        "outcome": "approved" if said["chosen_options"] == [ApprovalOperator.APPROVE] else "rejected",
        "by": person.get("name") or person.get("id") or "unknown",
        "at": said["responded_at"],
        "reason": (said["params_input"] or {}).get("reason"),
    }
