"""How a task calls a use case: with the environment's settings, and with errors that end the task in one line."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException

from faultset_dags.observers import observers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultset.settings import Settings

log = logging.getLogger(__name__)

REASON = "reason"
"""XCom key under which a task leaves why it is about to fail; the run's report reads it."""

NOTE = "note"
"""XCom key under which a task leaves why it is about to be skipped; the run's report reads it, too."""

SUBJECT = "{{ subject }}"
"""``map_index_template`` of a mapped task that calls a use case: shows its indexes by the names of their subjects."""


@contextmanager
def use_case(subject: str, *page: str) -> Iterator[Settings]:
    """Hand out the settings; turn the product's errors into the task's end.

    The log names the page that shows what the task works on, so that whoever reads it is one click away.

    Wrong input stays wrong, so only a ``SetupError`` (storage, permissions) and what nobody foresaw are retried. An
    unforeseen error keeps its type and its frames alone: its text may quote an input, and inputs hold passwords.

    Args:
        subject: what the task works on.
        page: parts of its page's address, such as ``"datasets", slug``; by default that of all datasets.
    """
    from faultset import pipeline
    from faultset.errors import FaultsetError, SetupError
    from faultset.settings import Settings, in_force
    from faultset.storage.credentials import credentials
    from faultset_connections import of_connection
    from faultset_links import page as address

    context = get_current_context()
    context["subject"] = subject
    ti = context["ti"]
    # It tells of a hundred of its own functions at each import, in front of what there is to know.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    log.info("Working on %s: %s", subject, ti.task_id)
    log.info("See %s", address(*page))
    try:
        settings = Settings.from_environment()
        with credentials(of_connection), in_force(settings), pipeline.observed(*observers(context, settings)):
            yield settings
    except SetupError as error:
        ti.xcom_push(REASON, str(error))
        raise
    except FaultsetError as error:
        ti.xcom_push(REASON, str(error))
        raise AirflowFailException(str(error)) from None
    except Exception as error:  # noqa: BLE001 (raised again, less its text)
        text = f"unexpected {type(error).__name__} in {ti.task_id}; see its log"
        ti.xcom_push(REASON, text)
        raise RuntimeError(text).with_traceback(error.__traceback__) from None


def run_name() -> str:
    """Return the name that this run's records have in the work folder."""
    context = get_current_context()
    return f"{context['ti'].dag_id} {context['run_id']}"


def progress(done: int, total: int, line: str) -> None:
    """Log how far a batch is, and what became of the last piece of its work; what failed stands out."""
    failed = ": failed: " in line or ": trouble: " in line
    log.log(logging.WARNING if failed else logging.INFO, "%d of %d: %s", done, total, line)
