"""The pages as an application: who asks, what is answered, and with which headers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faultset.errors import AnswerIsNo, FaultsetError, SetupError
from faultset.pages import render, security
from faultset.pages.cached import Kept
from faultset.pages.experiment import Experiment
from faultset.pages.overview import Overviews
from faultset.pages.workflow import REBUILD, Person, RefusedError, Workflow
from faultset.settings import Settings

_KEPT_EXPERIMENTS = 24
_KEPT_ANSWERS = 200
_KEPT_BYTES = 48 << 20


@dataclass(frozen=True)
class Setup:
    """What the pages need from whoever serves them.

    Attributes:
        settings: where things are.
        person: DAG id -> a dependency that returns who asks, and refuses who may not read that DAG.
        workflow: of a request: runs and questions, with the rights of the person who asks.
    """

    settings: Callable[[], Settings]
    person: Callable[[str], Callable[..., Person]]
    workflow: Callable[[Request], Workflow]


@dataclass
class Shelf:
    """What is kept between requests."""

    overviews: Overviews
    experiments: Kept[Experiment] = field(default_factory=lambda: Kept(_KEPT_EXPERIMENTS))
    answers: Kept[Any] = field(default_factory=lambda: Kept(_KEPT_ANSWERS))
    texts: Kept[bytes] = field(default_factory=lambda: Kept(_KEPT_BYTES, lambda text: 64 + len(text)))


class Pages:
    """Renders pages for requests; the routes of every section use it."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.shelf = Shelf(Overviews(setup.settings))

    @property
    def settings(self) -> Settings:
        """Where things are."""
        return self.setup.settings()

    def show(self, request: Request, person: Person, name: str, status: int = 200, /, **told: Any) -> HTMLResponse:
        """Return a page; ``told`` is what its template is given beside what every page has."""
        text = (
            render.environment()
            .get_template(name)
            .render(
                base=base_of(request),
                person=person,
                token=security.token(person.secret, person.id) if person.may_act else "",
                now=dt.datetime.now(dt.UTC),
                here=request.url.path,
                **told,
            )
        )
        return HTMLResponse(text, status, headers={"Cache-Control": "private, no-cache"})

    def reads(self, dag_id: str) -> Any:
        """Return the dependency of a page that whoever may read the DAG may read."""
        return Depends(self.setup.person(dag_id))

    def acts(self, dag_id: str) -> Any:
        """Return the dependency of a change that whoever may run the DAG may make, from a page of ours."""
        known = self.setup.person(dag_id)

        def acting(request: Request, person: Person = Depends(known)) -> Person:
            if not person.may_act:
                raise HTTPException(403, f"You may look at this, and not run {dag_id}; ask who administers Airflow.")
            if not person.by_token:
                security.check_origin(request.headers)
                given = request.headers.get(security.TOKEN_HEADER, "")
                security.check_token(person.secret, person.id, given)
            return person

        return Depends(acting)


def base_of(request: Request) -> str:
    """Return the path below which the pages are, without a slash at its end."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def address(*parts: str) -> str:
    """Return a path of parts, whatever stands in them."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def create(setup: Setup) -> FastAPI:
    """Return the application; it is mounted where its pages are to be."""
    from faultset.pages import reading, releases, validating  # noqa: PLC0415 (they build on this module)

    app = FastAPI(openapi_url=None, title="Faultset", redirect_slashes=False)
    pages = Pages(setup)
    app.add_middleware(_Guarded)
    for kind in (FaultsetError, AnyHTTPException, Exception):
        app.add_exception_handler(kind, _explained)
    for section in (reading, releases, validating):
        section.add(app, pages)

    @app.get("/assets/{name:path}")
    def asset(name: str, _person: Person = pages.reads(REBUILD)) -> Response:
        known = render.assets().get(name)
        if known is None:
            raise HTTPException(404, "There is no such file.")
        kept = {"Cache-Control": "private, max-age=31536000, immutable"}
        return Response(known.content, media_type=known.media_type, headers=kept)

    return app


# --- errors -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Problem:
    """What a page of an error says."""

    status: int
    title: str
    detail: str
    remedy: str


def problem_of(error: Exception, method: str) -> Problem:
    """Return what is said of an error; of one that nobody foresaw, nothing that it quotes."""
    if isinstance(error, FaultsetError):
        return _of_ours(error, method)
    if isinstance(error, AnyHTTPException):
        return _of_http(error.status_code, str(error.detail or ""))
    remedy = "Its log says more: look at that of Airflow's API server, and report what it says."
    return Problem(500, "Something went wrong here", f"An unexpected {type(error).__name__}.", remedy)


def _of_ours(error: FaultsetError, method: str) -> Problem:
    told = (f"{error.where}: {error.problem}.", f"{error.remedy[:1].upper()}{error.remedy[1:]}.")
    if isinstance(error, RefusedError):
        return Problem(error.status, "This was refused", *told)
    kinds = (
        (security.CrossSiteError, 403, "This was refused"),
        (AnswerIsNo, 409, "The answer is no"),
        (SetupError, 503, "The storage is in trouble"),
    )
    for kind, status, title in kinds:
        if isinstance(error, kind):
            return Problem(status, title, *told)
    if method == "GET":
        return Problem(404, "There is no such page", *told)
    return Problem(400, "This cannot be done", *told)


def _of_http(status: int, detail: str) -> Problem:
    if status == 401:
        return Problem(status, "Log in first", "These pages are for people who are logged in to Airflow.", "")
    if status == 403:
        return Problem(status, "You may not do this", detail, "Ask who administers Airflow for the right to.")
    if status == 404:
        return Problem(status, "There is no such page", detail, "Look for it in the list of all datasets.")
    return Problem(status, "This cannot be done", detail, "")


async def _explained(request: Request, error: Exception) -> Response:
    told = problem_of(error, request.method)
    headers = _headers()  # an error that nobody foresaw is answered outside of what guards all other answers
    if "text/html" not in request.headers.get("accept", ""):
        said: Mapping[str, Any] = {"detail": told.detail, "remedy": told.remedy}
        return JSONResponse(said, told.status, headers)
    base = base_of(request)
    text = (
        render.environment()
        .get_template("error.html")
        .render(
            base=base,
            problem=told,
            login=f"{base.rpartition('/')[0]}/auth/login?next={quote(str(request.url), safe='')}",
        )
    )
    return HTMLResponse(text, told.status, headers)


def _headers() -> dict[str, str]:
    return {**security.HEADERS, "Content-Security-Policy": security.POLICY, "Cache-Control": "no-store"}


class _Guarded:
    """Puts the headers of ``security`` on every answer that has none of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                wanted = _headers()
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.lower().encode(), value.encode())
                        for name, value in wanted.items()
                        if name.lower().encode() not in there
                    ),
                ]
            await send(message)

        await self._app(scope, receive, guarded)
