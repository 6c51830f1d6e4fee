"""How a task calls a use case: with the environment's settings, and with errors that end the task in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from faultset.settings import Settings

REASON = "reason"
"""XCom key under which a task leaves why it is about to fail; the run's report reads it."""


@contextmanager
def use_case(subject: str) -> Iterator[Settings]:
    """Hand out the settings; turn the product's errors into the task's end.

    Wrong input stays wrong, so only a ``SetupError`` (storage, permissions) and what nobody foresaw are retried. An
    unforeseen error is named by its type alone: its text may quote an input, and inputs hold passwords.

    Args:
        subject: what the task works on; shown in the UI beside the mapped task's index.
    """
    from faultset.errors import FaultsetError, SetupError
    from faultset.settings import Settings

    context = get_current_context()
    context["subject"] = subject
    keep = context["ti"].xcom_push
    try:
        yield Settings.from_environment()
    except SetupError as error:
        keep(REASON, str(error))
        raise
    except FaultsetError as error:
        keep(REASON, str(error))
        raise AirflowFailException(str(error)) from None
    except Exception as error:
        keep(REASON, f"{subject}: unexpected {type(error).__name__}; see the log of the failed task")
        raise
