"""Runs ``publish_dataset`` in this process, without a scheduler, for each candidate that needs nobody's approval.

    python dags/faultset_dags/by_hand.py

Says a line a candidate on standard output; exit code 1 where one was not published because something is wrong.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultset.errors import FaultsetError
    from faultset.pipeline import Proposal

DAGS = Path(__file__).resolve().parents[1]


def main() -> int:
    """Publish what may be published without a person, and name what may not; return the exit code."""
    from faultset import pipeline
    from faultset.settings import Settings

    settings = Settings.from_environment()
    ready, wrong = [], False
    for slug in pipeline.waiting(settings):
        made, problem = _proposal(slug)
        wrong = wrong or problem is not None
        if made is not None and not made.needs_person:
            ready.append(slug)
        elif made is not None:
            _say(f"{slug}: waits for a person's approval, since {made.why}; answer in Airflow (make up)")
        elif problem is not None:
            _say(f"error: {problem}")
    return int(wrong or not _publish(ready))


def _proposal(slug: str) -> tuple[Proposal | None, FaultsetError | None]:
    from faultset import pipeline
    from faultset.errors import FaultsetError
    from faultset.settings import Settings

    try:
        return pipeline.proposal(slug, Settings.from_environment()), None
    except FaultsetError as error:
        return None, error


def _publish(slugs: list[str]) -> bool:
    """Run the DAG for each; Airflow, which takes seconds to import, stays unimported where there is none."""
    if not slugs:
        return True
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DagRunState

    sys.path.insert(0, str(DAGS))
    dag = DagBag(str(DAGS / "publish_dataset.py")).dags["publish_dataset"]
    runs = [dag.test(logical_date=None, run_conf={"experiment": slug}) for slug in slugs]
    return all(run.state == DagRunState.SUCCESS for run in runs)


def _say(line: str) -> None:
    sys.stdout.write(f"faultset: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
