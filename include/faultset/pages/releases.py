"""Sections about versions: history, difference, card, files, what waits for approval, and what people decide."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from faultset import pipeline
from faultset.errors import FaultsetError, InputError, counted
from faultset.pages import downloads, overview, render, runs
from faultset.pages.reading import opened
from faultset.pages.web import Pages, address, base_of
from faultset.pages.workflow import PUBLISH, REBUILD, Person, Question
from faultset.pipeline import awaiting
from faultset.pipeline.awaiting import Candidate
from faultset.release.manifest import CARD
from faultset.slug import check_slug
from faultset.storage import MANIFEST, open_root

_verifying = asyncio.Semaphore(1)


def add(app: FastAPI, pages: Pages) -> None:
    """Add the routes."""
    runs.add(app, pages)
    _add_history(app, pages)
    _add_approval(app, pages)
    _add_version(app, pages)
    _add_changes(app, pages)


def _add_history(app: FastAPI, pages: Pages) -> None:
    @app.get("/datasets/{slug}/versions")
    def versions(request: Request, slug: str, person: Person = pages.reads(REBUILD)) -> Response:
        settings = pages.settings
        known = overview.versions_of(settings, check_slug(slug))
        mark = overview.mark(open_root(settings.datasets), slug)
        records: list[dict[str, Any]] = []
        if known.numbers and mark is not None:
            records = pages.shelf.answers.get(("versions", slug, mark), lambda: pipeline.versions(settings, slug))
        elif known.numbers:
            records = pipeline.versions(settings, slug)
        waits = awaiting.pending_of(slug, settings)
        if not records and waits is None:
            raise HTTPException(404, f"There is no dataset named {slug}.")
        return pages.show(request, person, "versions.html", slug=slug, known=known, records=records[::-1], waits=waits)

    @app.get("/datasets/{slug}/diff")
    def diff(request: Request, slug: str, a: str, b: str, person: Person = pages.reads(REBUILD)) -> Response:
        settings = pages.settings
        known = overview.versions_of(settings, check_slug(slug))
        for version in (a, b):
            if version not in known.numbers:
                raise InputError(f"{slug} {version}", "there is no such version", "choose another one")
        found = pages.shelf.answers.get(("diff", slug, a, b), lambda: pipeline.diff(settings, slug, a, b))
        return pages.show(request, person, "diff.html", slug=slug, known=known, found=found, a=a, b=b)


def _add_version(app: FastAPI, pages: Pages) -> None:
    @app.get("/datasets/{slug}/{version}")
    def version(request: Request, slug: str, version: str, person: Person = pages.reads(REBUILD)) -> Response:
        found = opened(pages, slug, version)
        known = overview.versions_of(pages.settings, slug)
        files = f"{base_of(request)}{address('datasets', slug, version)}/files/"
        card = pages.shelf.texts.get(("card", found.key, files), lambda: _card(pages, slug, version, files))
        return pages.show(
            request, person, "version.html", slug=slug, version=version, manifest=found.dataset.manifest,
            known=known, withdrawn=known.withdrawn.get(version), card=render.safe(card),
        )  # fmt: skip

    @app.get("/datasets/{slug}/{version}/files/{path:path}")
    def file(request: Request, slug: str, version: str, path: str, _person: Person = pages.reads(REBUILD)) -> Response:
        manifest = opened(pages, slug, version).dataset.manifest
        own = open_root(pages.settings.datasets).read(f"{slug}/{version}/{MANIFEST}") if path == MANIFEST else b""
        entry = downloads.entry_of(manifest, path, len(own or b""))
        if entry is None:
            raise HTTPException(404, f"{slug} {version} has no such file.")
        return downloads.answer(pages.settings, manifest, entry, request.headers.get("range"))


def _card(pages: Pages, slug: str, version: str, files: str) -> bytes:
    data = open_root(pages.settings.datasets).read(f"{slug}/{version}/{CARD}") or b""
    text = data.decode("utf-8", "replace")
    head, _, rest = text.partition("\n---\n") if text.startswith("---\n") else ("", "", text)
    return str(render.markdown(rest if head else text, files)).encode()


def _add_approval(app: FastAPI, pages: Pages) -> None:
    @app.get("/datasets/{slug}/approval")
    async def approval(request: Request, slug: str, person: Person = pages.reads(PUBLISH)) -> Response:
        settings = pages.settings
        candidate = await run_in_threadpool(awaiting.candidate, slug, settings)
        known = await run_in_threadpool(overview.versions_of, settings, slug)
        question, trouble = None, ""
        if candidate is not None and candidate.pending.needs_person:
            try:
                question = await _question(pages, request, candidate)
            except FaultsetError as error:
                trouble = str(error)
        targets = _named(candidate) if candidate else {}
        return await run_in_threadpool(
            pages.show, request, person, "approval.html", slug=slug, found=candidate, known=known, question=question,
            trouble=trouble, targets=targets, page=render.markdown(_differences(candidate)),
        )  # fmt: skip

    @app.post("/datasets/{slug}/approval")
    async def answer(
        request: Request,
        slug: str,
        chosen: str = Form(),
        fingerprint: str = Form(),
        reason: str = Form(default="", max_length=2000),
        _person: Person = pages.acts(PUBLISH),
    ) -> Response:
        if chosen not in ("approve", "reject"):
            raise InputError("the answer", "it is neither to approve nor to reject", "choose one of the two")
        candidate = await run_in_threadpool(awaiting.candidate, slug, pages.settings)
        if candidate is None or candidate.pending.fingerprint != fingerprint:
            raise InputError(
                slug, "the candidate that you saw was replaced or answered meanwhile", "open the page again"
            )
        question = await _question(pages, request, candidate)
        if question is None:
            raise InputError(slug, "Airflow does not ask about this candidate now", "ask it to, by the button below")
        workflow = pages.setup.workflow(request)
        await workflow.answer(question.run_id, approve=chosen == "approve", reason=reason)
        pages.shelf.overviews.forget()
        return _next(
            f"{chosen.removesuffix('e')}ed" if chosen == "approve" else "rejected",
            runs.page(request, PUBLISH, question.run_id, slug),
        )

    @app.post("/datasets/{slug}/propose")
    async def propose(request: Request, slug: str, _person: Person = pages.acts(PUBLISH)) -> Response:
        run_id = await pages.setup.workflow(request).start(PUBLISH, {"experiment": check_slug(slug)})
        return _next("started", runs.page(request, PUBLISH, run_id, slug))

    @app.post("/datasets/{slug}/rebuild")
    async def rebuild(request: Request, slug: str, _person: Person = pages.acts(REBUILD)) -> Response:
        run_id = await pages.setup.workflow(request).start(REBUILD, {"experiments": [check_slug(slug)]})
        return _next("started", runs.page(request, REBUILD, run_id, slug))


async def _question(pages: Pages, request: Request, candidate: Candidate) -> Question | None:
    """Return what Airflow asks about exactly this candidate; None where it does not ask now."""
    pending = candidate.pending
    asked = await pages.setup.workflow(request).questions(pending.slug)
    return next((one for one in asked if pending.fingerprint in one.body), None)


def _named(candidate: Candidate) -> dict[str, list[str]]:
    """Return injection -> what it acted on, a line a container; what is not certain is said."""
    said = {True: "", False: " (not there)", None: " (unknown)"}
    found: dict[str, dict[str, list[str]]] = {}
    for row in candidate.targets:
        places = found.setdefault(row.injection_id, {}).setdefault(row.container or "the node itself", [])
        places.append(f"{row.node}{said[row.effective]}")
    return {name: [f"{what} on {', '.join(nodes)}" for what, nodes in some.items()] for name, some in found.items()}


def _differences(candidate: Candidate | None) -> str:
    """Return what the approval's page says of changes; pictures and facts stand on ours already."""
    if candidate is None or candidate.page is None:
        return ""
    _, heading, rest = candidate.page.partition("\n# Pictures\n")
    lines = rest.splitlines() if heading else candidate.page.splitlines()
    first = next((place for place, line in enumerate(lines) if line.startswith("#")), 0)
    return "\n".join(lines[first:])


def _add_changes(app: FastAPI, pages: Pages) -> None:
    @app.post("/datasets/{slug}/{version}/verify")
    async def verify(slug: str, version: str, _person: Person = pages.acts(PUBLISH)) -> Response:
        settings = pages.settings
        await run_in_threadpool(opened, pages, slug, version)
        if _verifying.locked():
            raise InputError(f"{slug} {version}", "another version is being verified", "wait for it, then repeat it")
        async with _verifying:
            damages = await run_in_threadpool(pipeline.verify, settings, slug, version)
        if damages:
            told = "; ".join(f"{damage['path']}: {damage['problem']}" for damage in damages[:5])
            return _next(f"{counted(len(damages), 'damage')}: {told}", None, intact=False)
        return _next(f"{slug} {version} is as it was published: every file has its hash.", None, intact=True)

    @app.post("/datasets/{slug}/{version}/rollback")
    def rollback(
        request: Request,
        slug: str,
        version: str,
        reason: str = Form(default="", max_length=2000),
        person: Person = pages.acts(PUBLISH),
    ) -> Response:
        done = pipeline.rollback(check_slug(slug), version, pages.settings, reason=reason, by=person.name)
        pages.shelf.overviews.forget()
        return _next(f"{done['latest']} is the latest now.", _versions(request, slug))

    @app.post("/datasets/{slug}/{version}/withdraw")
    def withdraw(
        request: Request,
        slug: str,
        version: str,
        reason: str = Form(default="", max_length=2000),
        person: Person = pages.acts(PUBLISH),
    ) -> Response:
        done = pipeline.withdraw(check_slug(slug), version, pages.settings, reason=reason, by=person.name)
        pages.shelf.overviews.forget()
        return _next(f"{version} was withdrawn; {done['latest']} is the latest now.", _versions(request, slug))


def _versions(request: Request, slug: str) -> str:
    return base_of(request) + address("datasets", slug, "versions")


def _next(said: str, where: str | None, **told: Any) -> Response:
    return JSONResponse({"said": said, "next": where, **told})
