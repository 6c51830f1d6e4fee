"""Publish the candidates that wait: at once where nobody has to be asked, by a run of its own where a person has to."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, dag

from faultset_dags import publishing as tasks
from faultset_dags.approval import FORM, CandidateApproval
from faultset_dags.assets import CANDIDATES
from faultset_dags.defaults import DEFAULT_ARGS
from faultset_dags.notices import on_failure
from faultset_dags.setting_off import SetOff

DOC = """
### Publish datasets

Runs when `rebuild_datasets` made candidates, every hour, and by hand. Events only wake it: it looks at the candidates
themselves, so that no event that is lost, doubled or late changes what is published.

**All that wait**, where no `experiment` is named:

- **look** finds the candidates that nobody was asked about, and divides them into few batches.
- **publish_batch** publishes those whose policy (`approval` in `experiment.yaml`) needs no person.
- **to_ask** and **ask** set off a run of this DAG for each of the others, few at a time.

**One**, with the parameter `experiment`:

- **propose** compares the candidate, which passed its validation, with the version that `latest` names.
- **approve** waits for a person, in *Required Actions* of the UI or over the REST API, and takes no worker meanwhile.
- **publish** makes the candidate a version under `FAULTSET_DATASETS`; who approved it, when, why and under which policy
  stands in its manifest.
- **set_aside** keeps a rejected candidate out of the way, with the rejection beside it; the same inputs make no
  candidate again.

**report** says in one line what became of it. A version is an event of the asset `faultset_datasets`, whose partition
key is the experiment, with the extra `{"versions": {slug: {version, manifest_sha256}}}`.

An answer is for the candidate that was shown and the version that it was compared with. Where another has replaced
either of them meanwhile, nothing is published and the run fails. Where nobody answers in time, nothing is published
and the candidate stays.
"""


@dag(
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("30 * * * *", timezone="UTC"), assets=CANDIDATES),
    catchup=False,
    # Runs wait for people, for days; one that waits must not hold up the other experiments.
    max_active_runs=1000,
    # Above the longest time to answer that an experiment may declare.
    dagrun_timeout=timedelta(days=31),
    description="Publishes candidates, once a person has approved them where the policy wants one.",
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
            description="Name of the experiment whose candidate is to be published; all that wait where there is none.",
        ),
    },
)
def publish_dataset() -> None:
    looked = tasks.look()
    questions = tasks.to_ask(looked)
    tasks.publish_batch.expand(batch=looked) >> questions
    asks = SetOff.partial(task_id="ask", trigger_dag_id="publish_dataset").expand(conf=questions)

    proposal = tasks.propose()
    # Its own time to answer comes from the policy. It is asked again only where Airflow loses an answer: one that comes
    # before the scheduler has noted that the task waits fails the task.
    asked = CandidateApproval(task_id="approve", proposal=proposal, params=FORM, response_timeout=timedelta(days=30))
    published = tasks.publish(proposal)
    asked >> published >> tasks.set_aside(proposal) >> tasks.report() << asks


publish_dataset()
