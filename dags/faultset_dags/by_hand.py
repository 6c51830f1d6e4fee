"""Runs ``rebuild_datasets`` in this process, without a scheduler, then ``publish_dataset`` for what needs nobody.

    python dags/faultset_dags/by_hand.py

One process, since to import Airflow takes longer than a rebuild that changes nothing. Says a line a candidate on
standard output; exit code 1 where one was not published because something is wrong, 2 where the rebuild did not end
well, 3 for both.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultset.errors import FaultsetError
    from faultset.pipeline import Proposal

_BEGINS = "[DAG TEST] running task %s"  # what a run without a scheduler logs, with the task's instance, before each
DAGS = Path(__file__).resolve().parents[1]


def main() -> int:
    """Rebuild, then publish whatever passed, whatever became of the others; return the exit code."""
    rebuilt = _run("rebuild_datasets", [{}])
    published = _publish_waiting()
    return int(not published) + 2 * int(not rebuilt)


def _publish_waiting() -> bool:
    """Publish what may be published without a person, and name what may not; return whether all is well."""
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
    return _run("publish_dataset", [{"experiment": slug} for slug in ready]) and not wrong


def _proposal(slug: str) -> tuple[Proposal | None, FaultsetError | None]:
    from faultset import pipeline
    from faultset.errors import FaultsetError
    from faultset.settings import Settings

    try:
        return pipeline.proposal(slug, Settings.from_environment()), None
    except FaultsetError as error:
        return None, error


def _run(name: str, confs: list[dict[str, str]]) -> bool:
    """Run a DAG with each configuration; return whether all ended well."""
    if not confs:
        return True
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DagRunState

    dag = DagBag(str(DAGS / f"{name}.py")).dags[name]
    # A run without a scheduler has nobody who tells of deadlines, and ends with an error where a DAG has some.
    dag.deadline = None
    with _logs_kept():
        runs = [dag.test(logical_date=None, run_conf=conf) for conf in confs]
    return all(run.state == DagRunState.SUCCESS for run in runs)


@contextlib.contextmanager
def _logs_kept() -> Iterator[None]:
    """Keep what each task says where Airflow's UI looks for it: without a supervisor nobody does."""
    from airflow.configuration import conf
    from airflow.utils.log.file_task_handler import FileTaskHandler

    def to_next_task(record: logging.LogRecord) -> bool:
        if record.msg == _BEGINS and isinstance(record.args, tuple):
            handler.set_context(record.args[0])
        return handler.handler is not None

    handler = FileTaskHandler(conf.get_mandatory_value("logging", "base_log_folder"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(to_next_task)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _say(line: str) -> None:
    sys.stdout.write(f"faultset: {line}\n")


if __name__ == "__main__":
    sys.path.insert(0, str(DAGS))
    sys.exit(main())
