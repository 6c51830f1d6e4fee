"""Publish one experiment's candidate, once a person has approved it or the experiment's policy asks nobody."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, PartitionedAssetTimetable, dag

from faultset_dags.approval import FORM, CandidateApproval
from faultset_dags.assets import CANDIDATES
from faultset_dags.defaults import DEFAULT_ARGS
from faultset_dags.notices import on_failure
from faultset_dags.publishing import propose, publish, report, set_aside

DOC = """
### Publish a dataset

Runs for each new candidate of `rebuild_datasets`, and by hand with the parameter `experiment`.

- **propose** finds the experiment's newest candidate, which passed its validation, and compares it with the version
  that `latest` names. The experiment's policy (`approval` in `experiment.yaml`) says whether a person has to approve.
- **approve** waits for that person, in *Required Actions* of the UI or over the REST API, and takes no worker
  meanwhile. It is skipped where nobody has to be asked.
- **publish** makes the candidate a version under `FAULTSET_DATASETS`; who approved it, when, why and under which policy
  stands in its manifest. The version is an event of the asset `faultset_datasets`, whose partition key is the
  experiment, with the extra `{slug, version, manifest_sha256}`.
- **set_aside** keeps a rejected candidate out of the way, with the rejection beside it; the same inputs make no
  candidate again.
- **report** says in one line what became of it.

An answer is for the candidate that was shown and the version that it was compared with. Where another has replaced
either of them meanwhile, nothing is published and the run fails. Where nobody answers in time, nothing is published
and the candidate stays.
"""


@dag(
    schedule=PartitionedAssetTimetable(assets=CANDIDATES),
    catchup=False,
    # Runs wait for people, for days; one that waits must not hold up the other experiments.
    max_active_runs=1000,
    # Above the longest time to answer that an experiment may declare.
    dagrun_timeout=timedelta(days=31),
    description="Publishes an experiment's candidate, once a person has approved it where the policy wants one.",
    tags=["faultset", "datasets"],
    doc_md=DOC,
    on_failure_callback=on_failure(),
    default_args=DEFAULT_ARGS,
    params={
        "experiment": Param(
            None,
            type=["null", "string"],
            pattern="^[a-z0-9][a-z0-9-]*$",
            title="Experiment",
            description="Name of the experiment whose candidate is to be published.",
        ),
    },
)
def publish_dataset() -> None:
    proposal = propose()
    # Its own time to answer comes from the policy. It is asked again only where Airflow loses an answer: one that comes
    # before the scheduler has noted that the task waits fails the task.
    asked = CandidateApproval(task_id="approve", proposal=proposal, params=FORM, response_timeout=timedelta(days=30))
    published = publish(proposal)
    asked >> published >> set_aside(proposal) >> report()


publish_dataset()
