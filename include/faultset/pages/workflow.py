"""What the pages ask of whoever runs the DAGs, in the name of the person who looks at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from faultset.errors import FaultsetError

REBUILD, JUDGE, PUBLISH = "rebuild_datasets", "validate_reports", "publish_dataset"


class RefusedError(FaultsetError):
    """The person may not do this, or it cannot be done now.

    Attributes:
        status: as HTTP says it.
    """

    def __init__(self, where: object, problem: str, remedy: str, status: int = 403) -> None:
        self.status = status
        super().__init__(where, problem, remedy)


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks.

    Attributes:
        id: what tells this person from others.
        name: as it may be shown.
        may_act: whether DAGs may be run.
        secret: signs the forms of all people; never leaves the server.
        by_token: whether the request carries credentials that no browser adds by itself.
    """

    id: str
    name: str
    may_act: bool
    secret: str = field(repr=False)
    by_token: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a DAG: ``state`` is Airflow's word, ``experiments`` what it was started for, where that was said."""

    dag_id: str
    run_id: str
    state: str
    experiments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What a run of ``publish_dataset`` asks people; ``body`` is the page that it shows."""

    run_id: str
    subject: str
    body: str


class Workflow(Protocol):
    """Runs and questions; every call is made with the rights of one person.

    All methods raise ``RefusedError`` where the person may not, or where it cannot be done.
    """

    async def start(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run and return its id."""

    async def run(self, dag_id: str, run_id: str) -> Run:
        """Return one run."""

    async def questions(self, slug: str) -> Sequence[Question]:
        """Return what is asked now of an experiment's candidates."""

    async def answer(self, run_id: str, *, approve: bool, reason: str) -> None:
        """Answer the question of a run."""
