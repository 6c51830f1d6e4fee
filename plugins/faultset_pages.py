"""Shows Faultset's pages in Airflow: to whoever may read its DAGs; changes are for whoever may run them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from starlette.requests import Request

import faultset_links
from faultset.pages.workflow import PUBLISH, Person, Question, RefusedError, Run
from faultset.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_ANSWER_S = 60.0
_MOST = 100


def settings() -> Settings:
    """Return where things are; buckets are used with the credentials of Airflow's connections."""
    _credentials()
    return Settings.from_environment()


@functools.cache
def _credentials() -> contextlib.ExitStack:
    """Let every bucket ask Airflow for its credentials, for as long as this process lives."""
    from faultset.storage.credentials import credentials
    from faultset_connections import of_connection

    until_the_end = contextlib.ExitStack()
    until_the_end.enter_context(credentials(of_connection))
    return until_the_end


def person(dag_id: str) -> Callable[..., Person]:
    """Return the dependency that hands out who asks: refused where nobody is logged in, or may not read the DAG."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
    from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
    from fastapi import Depends

    may_read = requires_access_dag("GET", param_dag_id=dag_id)

    def asking(request: Request, user: Any = Depends(get_user), _may: None = Depends(may_read)) -> Person:
        may_act = get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag_id), user=user
        )
        name = str(user.get_name())
        by_token = request.headers.get("authorization", "").lower().startswith("bearer ")
        return Person(str(user.get_id()), name, bool(may_act), conf.get("api", "secret_key"), by_token)

    return asking


class OverRestApi:
    """Asks Airflow's public REST API, in this very process, with the credentials of the request that is answered.

    So Airflow itself decides what the person may do, and its audit log names the person.
    """

    def __init__(self, request: Request) -> None:
        kept = {name: value for name in ("authorization", "cookie") if (value := request.headers.get(name))}
        self._headers = kept

    async def start(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """As in ``Workflow``."""
        told = await self._call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf)})
        return str(told["dag_run_id"])

    async def run(self, dag_id: str, run_id: str) -> Run:
        """As in ``Workflow``."""
        return _run(await self._call("GET", f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"))

    async def questions(self, slug: str) -> Sequence[Question]:
        """As in ``Workflow``."""
        asked = f"limit={_MOST}&response_received=false&subject_search={quote(f'Publish {slug} ')}"
        told = await self._call("GET", f"dags/{PUBLISH}/dagRuns/~/hitlDetails?{asked}")
        return [_question(one) for one in told["hitl_details"] if str(one["subject"]).startswith(f"Publish {slug} ")]

    async def answer(self, run_id: str, *, approve: bool, reason: str) -> None:
        """As in ``Workflow``."""
        said = {"chosen_options": ["Approve" if approve else "Reject"], "params_input": {"reason": reason or None}}
        where = f"dags/{PUBLISH}/dagRuns/{quote(run_id, safe='')}/taskInstances/approve/-1/hitlDetails"
        await self._call("PATCH", where, said)

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        # Imported here, for it imports this plugin; the API server runs it.
        from airflow.api_fastapi.main import app as airflow

        transport = httpx.ASGITransport(app=airflow)
        below = faultset_links.below()
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow", timeout=_ANSWER_S) as client:
            told = await client.request(method, f"{below}/api/v2/{path}", json=body, headers=self._headers)
        if told.is_success:
            return told.json()
        raise _refused(told, path)


def _refused(told: httpx.Response, path: str) -> RefusedError:
    where = f"Airflow, {path.partition('/dagRuns')[0]}"
    if told.status_code in (401, 403):
        return RefusedError(where, "you may not do this", "ask who administers Airflow", told.status_code)
    if told.status_code == 404:
        return RefusedError(where, "it knows no such DAG or run", "see whether the DAG is read, and not paused", 404)
    if told.status_code == 409:
        return RefusedError(where, "it was answered or started meanwhile", "open the page again", 409)
    return RefusedError(where, f"it answered {told.status_code}", "see the log of the API server", 502)


def _run(told: Mapping[str, Any]) -> Run:
    given = told.get("conf") or {}
    named = [told.get("partition_key"), given.get("experiment"), *(given.get("experiments") or ())]
    return Run(
        dag_id=str(told["dag_id"]),
        run_id=str(told["dag_run_id"]),
        state=str(told["state"]),
        experiments=tuple(str(name) for name in named if name),
    )


def _question(told: Mapping[str, Any]) -> Question:
    run_id = str(told["task_instance"]["dag_run_id"])
    return Question(run_id, str(told["subject"]), str(told.get("body") or ""))


@functools.cache
def _pages() -> ASGIApp:
    from faultset.pages.web import Setup, create

    return create(Setup(settings, person, OverRestApi))


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the pages do. They are imported when one is opened first: each task's process loads this file, too."""
    pages = await asyncio.to_thread(_pages)
    await pages(scope, receive, send)


# Paths alone: under whatever name people open Airflow, the login that their browser has is that of this name.
_FROM = f"{faultset_links.below()}{faultset_links.PREFIX}"
_ASKED = "dag_id={DAG_ID}&run_id={RUN_ID}"


class FaultsetPages(AirflowPlugin):  # type: ignore[misc]
    """Tells Airflow of the pages, and of the ways to them."""

    name = "faultset_pages"
    fastapi_apps = [{"app": app, "url_prefix": faultset_links.PREFIX, "name": "Faultset"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012 (as Airflow reads it)
        {"name": "Faultset", "href": f"{_FROM}/", "url_route": "faultset", "nav_top_level": True, "destination": "nav"},
        {
            "name": "Faultset",
            "href": f"{_FROM}/from/dag?dag_id={{DAG_ID}}",
            "url_route": "faultset-dag",
            "destination": "dag",
        },
        {
            "name": "Faultset",
            "href": f"{_FROM}/from/run?{_ASKED}",
            "url_route": "faultset-run",
            "destination": "dag_run",
        },
    ]
