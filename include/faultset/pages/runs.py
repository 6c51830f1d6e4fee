"""How far a run of a DAG is, and the ways from Airflow's pages to ours."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from faultset.pages.web import Pages, address, base_of
from faultset.pages.workflow import JUDGE, PUBLISH, REBUILD, Person, Run
from faultset.slug import is_slug

_OVER = ("success", "failed")
_LONGEST = 300
_DOES = {
    REBUILD: "builds the dataset from the catalog",
    JUDGE: "judges what lies in the inbox",
    PUBLISH: "proposes the candidate, and publishes what is approved",
}
_SAID = {
    "queued": "waits for Airflow to start it",
    "running": "is under way",
    "success": "is done",
    "failed": "failed",
}


def page(request: Request, dag_id: str, run_id: str, slug: str) -> str:
    """Return the address of the page that shows a run."""
    return f"{base_of(request)}/run?{urlencode({'dag_id': dag_id, 'run_id': run_id, 'slug': slug})}"


def add(app: FastAPI, pages: Pages) -> None:
    """Add the routes."""

    @app.get("/run")
    def run(
        request: Request, dag_id: str, run_id: str, slug: str = "", person: Person = pages.reads(REBUILD)
    ) -> Response:
        _check(dag_id, run_id, slug)
        return pages.show(request, person, "run.html", dag_id=dag_id, run_id=run_id, slug=slug, does=_DOES[dag_id])

    @app.get("/run.json")
    async def state(
        request: Request, dag_id: str, run_id: str, slug: str = "", _person: Person = pages.reads(REBUILD)
    ) -> Response:
        _check(dag_id, run_id, slug)
        found = await pages.setup.workflow(request).run(dag_id, run_id)
        pages.shelf.overviews.forget()
        over = found.state in _OVER
        said = f"{dag_id} {_SAID.get(found.state, found.state)}"
        if dag_id == PUBLISH and found.state == "running" and slug:
            asked = await pages.setup.workflow(request).questions(slug)
            if any(question.run_id == run_id for question in asked):
                where = base_of(request) + address("datasets", slug, "approval")
                return JSONResponse({"said": f"{dag_id} asks for an answer", "next": where, "over": True})
        done = found.state == "success"
        return JSONResponse({"said": said, "over": over, "next": _after(request, found, slug) if done else None})

    @app.get("/from/{kind}")
    async def from_airflow(
        request: Request, kind: str, dag_id: str = "", run_id: str = "", _person: Person = pages.reads(REBUILD)
    ) -> Response:
        if kind not in ("dag", "run", "task") or dag_id not in _DOES:
            raise HTTPException(404, "This DAG is none of Faultset's: see the list of all datasets.")
        if kind == "dag" or not run_id:
            where = "/validation" if dag_id == JUDGE else "/"
            return RedirectResponse(base_of(request) + where, 303)
        found = await pages.setup.workflow(request).run(dag_id, run_id)
        return RedirectResponse(_after(request, found, ""), 303)


def _check(dag_id: str, run_id: str, slug: str) -> None:
    if dag_id not in _DOES or not run_id or len(run_id) > _LONGEST or (slug and not is_slug(slug)):
        raise HTTPException(404, "There is no such run.")


def _after(request: Request, found: Run, slug: str) -> str:
    """Return the page that shows what a run came to."""
    base = base_of(request)
    named = slug or next((name for name in found.experiments if is_slug(name)), "")
    if found.dag_id == JUDGE:
        return f"{base}/validation"
    if not named:
        return f"{base}/"
    return base + address("datasets", named, "approval" if found.dag_id == REBUILD else "versions")
