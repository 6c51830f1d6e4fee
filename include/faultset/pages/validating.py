"""Sections about runs that arrive: verdicts and their pages, uploads, and how far they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from urllib.parse import urlencode

from fastapi import FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from faultset.errors import InputError
from faultset.inbox import timeline
from faultset.moments import UTC, iso
from faultset.pages import security, views
from faultset.pages.views import Query
from faultset.pages.web import Pages, address, base_of
from faultset.pages.workflow import JUDGE, Person
from faultset.pipeline import arrivals, uploading
from faultset.pipeline.arrivals import Arrival, Arrivals

_PIECE = 1 << 20
_FILTERS: Mapping[str, Callable[[Arrival], bool]] = {
    "accepted": lambda one: one.state == "accepted",
    "rejected": lambda one: one.state == "rejected",
    "under way": lambda one: one.state in ("waiting", "judging"),
}
_TYPES = {".html": "text/html; charset=utf-8", ".json": "application/json"}


def add(app: FastAPI, pages: Pages) -> None:
    """Add the routes."""
    known = Arrivals()
    _add_verdicts(app, pages, known)
    _add_uploads(app, pages)
    _add_progress(app, pages, known)


def _add_verdicts(app: FastAPI, pages: Pages, known: Arrivals) -> None:
    @app.get("/validation")
    def validation(request: Request, person: Person = pages.reads(JUDGE)) -> Response:
        rows = known.listed(pages.settings)
        listed = views.listed(
            rows,
            Query.of(request.query_params, ""),
            text=lambda one: f"{one.name} {one.slug or ''} {one.reason} {one.arrival or ''}",
            filters=_FILTERS,
            orders={"name": lambda one: one.name, "at": lambda one: one.at, "state": lambda one: one.state},
        )
        filters = {name: sum(map(keep, rows)) for name, keep in _FILTERS.items()}
        return pages.show(
            request, person, "validation.html", listed=listed, filters=filters,
            capped=sum(one.state in ("accepted", "rejected") for one in rows) >= arrivals.MOST_VERDICTS,
        )  # fmt: skip

    @app.get("/validation/{arrival}")
    def verdict(request: Request, arrival: str, person: Person = pages.reads(JUDGE)) -> Response:
        found = arrivals.verdict(arrival, pages.settings)
        if found is None:
            raise HTTPException(404, "There is no verdict of this arrival.")
        drawn = Markup(timeline.draw(found.recognised)) if found.recognised.get("workloads") else Markup()  # noqa: S704
        return pages.show(
            request, person, "verdict.html", found=found, drawn=drawn,
            injections=timeline.numbered(found.recognised.get("injections", ())),
            docs=bool(found.data_docs), remarks={
                severity: [one for one in found.remarks if one.severity == severity]
                for severity in ("critical", "warning", "info")
            },
        )  # fmt: skip

    @app.get("/validation/{arrival}/files/{path:path}")
    def beside(arrival: str, path: str, _person: Person = pages.reads(JUDGE)) -> Response:
        found = arrivals.verdict(arrival, pages.settings)
        kind = _TYPES.get(PurePosixPath(path).suffix)
        data = arrivals.page_of(found, path, pages.settings) if found and kind else None
        if data is None:
            raise HTTPException(404, "There is no such file beside this verdict.")
        return Response(data, media_type=kind, headers={"Content-Security-Policy": security.POLICY_OF_FILES})


def _add_uploads(app: FastAPI, pages: Pages) -> None:
    @app.post("/uploads")
    def begin(name: str = Form(), _person: Person = pages.acts(JUDGE)) -> Response:
        return JSONResponse({"upload": uploading.begin(name, pages.settings)})

    @app.put("/uploads/{upload}")
    async def receive(request: Request, upload: str, file: str, _person: Person = pages.acts(JUDGE)) -> Response:
        size = _size(request)
        with uploading.receiving(upload, file, size, pages.settings) as target:
            await _write(request, target.write, size)
        return JSONResponse({"said": f"{file} is there."})

    @app.post("/uploads/{upload}/finish")
    async def finish(
        request: Request, upload: str, name: str = Form(), _person: Person = pages.acts(JUDGE)
    ) -> Response:
        since = iso(dt.datetime.now(UTC))
        shown = await run_in_threadpool(uploading.finish, upload, name, pages.settings)
        await pages.setup.workflow(request).start(JUDGE, {})
        return JSONResponse({"said": f"{shown} lies in the inbox.", "next": _progress(request, shown, since)})

    @app.post("/validation/named")
    async def named(
        request: Request,
        report: str = Form(max_length=1000),
        cluster: str = Form(default="", max_length=1000),
        results: str = Form(default="", max_length=1000),
        hook_scripts: str = Form(default="", max_length=10_000),
        _person: Person = pages.acts(JUDGE),
    ) -> Response:
        if not report.strip():
            raise InputError("the report", "none is named", "give a path that the workers can read, or an address")
        since = iso(dt.datetime.now(UTC))
        conf = {
            "report": report.strip(),
            "cluster": cluster.strip() or None,
            "results": results.strip() or None,
            "hook_scripts": [line.strip() for line in hook_scripts.splitlines() if line.strip()],
        }
        run_id = await pages.setup.workflow(request).start(JUDGE, conf)
        name = PurePosixPath(report.strip()).name
        return JSONResponse({"said": "Its validation was started.", "next": _progress(request, name, since, run_id)})


def _size(request: Request) -> int:
    text = request.headers.get("content-length", "")
    if not text.isascii() or not text.isdigit():
        raise HTTPException(411, "Say how long the file is (Content-Length).")
    return int(text)


async def _write(request: Request, write: Callable[[bytes], object], size: int) -> None:
    """Hand the body on in pieces; more than was announced is refused."""
    held, count = bytearray(), 0
    async for chunk in request.stream():
        count += len(chunk)
        if count > size:
            raise HTTPException(400, "The file is longer than was announced.")
        held += chunk
        if len(held) >= _PIECE:
            await run_in_threadpool(write, bytes(held))
            held.clear()
    await run_in_threadpool(write, bytes(held))
    if count != size:
        raise HTTPException(400, "The file is shorter than was announced: choose it again.")


def _progress(request: Request, name: str, since: str, run_id: str = "") -> str:
    asked = urlencode({"name": name, "since": since, "run_id": run_id})
    return f"{base_of(request)}/validation/progress/run?{asked}"


def _add_progress(app: FastAPI, pages: Pages, known: Arrivals) -> None:
    @app.get("/validation/progress/run")
    def progress(
        request: Request, name: str, since: str, run_id: str = "", person: Person = pages.reads(JUDGE)
    ) -> Response:
        return pages.show(request, person, "progress.html", name=name, since=since, run_id=run_id)

    @app.get("/validation/progress/run.json")
    async def state(
        request: Request, name: str, since: str, run_id: str = "", _person: Person = pages.reads(JUDGE)
    ) -> Response:
        rows = await run_in_threadpool(known.listed, pages.settings)
        # A verdict of before the upload is of another run of the same name.
        found = next((one for one in rows if one.name == name and one.at >= since), None)
        if found is not None and found.state in ("accepted", "rejected") and found.arrival:
            where = base_of(request) + address("validation", found.arrival)
            return JSONResponse({"said": f"{found.state}: {found.reason}", "next": where, "over": True})
        said = {"waiting": "It lies in the inbox and waits to be taken.", "judging": "It is read and checked now."}
        if found is None and run_id:
            run = await pages.setup.workflow(request).run(JUDGE, run_id)
            if run.state == "failed":
                return JSONResponse({"said": "validate_reports failed; its task report says why.", "over": True})
        return JSONResponse({"said": said.get(found.state if found else "", "It waits for validate_reports.")})
