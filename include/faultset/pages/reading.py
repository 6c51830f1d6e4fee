"""Sections that only read: all datasets, all findings, and one experiment over time."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response

from faultset import pipeline
from faultset.errors import InputError
from faultset.pages import experiment, overview, tracks, views
from faultset.pages.experiment import Experiment
from faultset.pages.views import Query
from faultset.pages.web import Pages
from faultset.pages.workflow import PUBLISH, REBUILD, Person
from faultset.slug import check_slug

_NUMBERS_IN_AN_ADDRESS = 200
_FOR_EVER = {"Cache-Control": "private, max-age=86400, immutable"}


def add(app: FastAPI, pages: Pages) -> None:
    """Add the routes."""
    _add_lists(app, pages)
    _add_experiment(app, pages)
    _add_drawn(app, pages)


def opened(pages: Pages, slug: str, version: str | None) -> Experiment:
    """Return an experiment as a version tells it; None for the latest.

    Raises:
        InputError: there is no such version.
    """
    known = overview.versions_of(pages.settings, check_slug(slug))
    chosen = version or known.latest
    if chosen is None or chosen not in known.numbers:
        problem = "there is no such version" if known.numbers else "it has no version yet"
        raise InputError(f"{slug} {version or ''}".strip(), problem, "see the list of all datasets")
    key = (slug, chosen, known.manifest_sha256.get(chosen))
    root = pages.settings.datasets
    return pages.shelf.experiments.get(key, lambda: experiment.read(slug, chosen, root))


def _add_lists(app: FastAPI, pages: Pages) -> None:
    @app.get("/")
    def datasets(request: Request, person: Person = pages.reads(REBUILD)) -> Response:
        shown = pages.shelf.overviews.get()
        query = Query.of(request.query_params, "waits", descending=True)
        listed = views.datasets(shown.lines, query)
        filters = {name: sum(map(keep, shown.lines)) for name, keep in views.DATASET_FILTERS.items()}
        return pages.show(request, person, "datasets.html", listed=listed, filters=filters, at=shown.at)

    @app.get("/findings")
    def findings(request: Request, person: Person = pages.reads(REBUILD)) -> Response:
        shown = pages.shelf.overviews.get()
        rows = list(overview.findings(shown))
        query = Query.of(request.query_params, "severity")
        listed = views.findings(rows, query)
        filters = {name: sum(map(keep, rows)) for name, keep in views.FINDING_FILTERS.items()}
        return pages.show(request, person, "findings.html", listed=listed, filters=filters)


def _add_experiment(app: FastAPI, pages: Pages) -> None:
    @app.get("/datasets/{slug}")
    def timeline(
        request: Request, slug: str, version: str | None = None, person: Person = pages.reads(REBUILD)
    ) -> Response:
        known = overview.versions_of(pages.settings, check_slug(slug))
        if not known.numbers:
            return _without_version(pages, request, person, slug)
        found = opened(pages, slug, version)
        injections = views.listed(
            list(enumerate(found.injections, start=1)),
            Query.of(request.query_params, ""),
            text=lambda row: f"{row[1].injection_id} {row[1].action} {row[1].effect} {row[1].outcome}",
            filters={},
            orders={},
        )
        return pages.show(
            request, person, "experiment.html", found=found, slug=slug, known=known, listed=injections,
            version=found.dataset.version, withdrawn=known.withdrawn.get(found.dataset.version),
            matrix=experiment.matrix(_shown_targets(found)),
        )  # fmt: skip

    @app.get("/datasets/{slug}/{version}/injections/{number}")
    def injection(
        request: Request, slug: str, version: str, number: int, person: Person = pages.reads(REBUILD)
    ) -> Response:
        found = opened(pages, slug, version)
        if not 1 <= number <= len(found.injections):
            raise HTTPException(404, f"There is no injection {number}; there are {len(found.injections)}.")
        row = found.injections[number - 1]
        name = row.injection_id
        return pages.show(
            request, person, "injection.html", found=found, slug=slug, version=version, number=number, row=row,
            trigger=found.triggers.get(row.trigger_id), targets=found.targets.get(name, ()),
            impacts=found.impacts.get(name, ()), matrix=experiment.matrix(found.targets.get(name, ())),
            tests=sorted(found.tests.get(name, ()), key=lambda test: (not test.found, test.node, test.kpi)),
            rows=experiment.labeled_rows(found, name), alone=request.query_params.get("part") != "1",
        )  # fmt: skip


def _shown_targets(found: Experiment) -> list[Any]:
    """Return for each node and container what was certain of it in most injections: the last one that says so."""
    cells: dict[tuple[str, str | None], Any] = {}
    for row in found.injections:
        for target in found.targets.get(row.injection_id, ()):
            before = cells.get((target.node, target.container))
            if before is None or (target.effective is not None and before.effective is not True):
                cells[target.node, target.container] = target
    return list(cells.values())


def _without_version(pages: Pages, request: Request, person: Person, slug: str) -> Response:
    line = next((one for one in pages.shelf.overviews.get().lines if one.slug == slug), None)
    if line is None:
        raise HTTPException(404, f"There is no dataset or experiment named {slug}.")
    return pages.show(request, person, "no_version.html", slug=slug, line=line)


def _add_drawn(app: FastAPI, pages: Pages) -> None:
    @app.get("/datasets/{slug}/{version}/timeline.json")
    def drawing(slug: str, version: str, _person: Person = pages.reads(REBUILD)) -> Response:
        found = opened(pages, slug, version)
        made = pages.shelf.texts.get(("drawing", found.key), lambda: _json(experiment.drawing(found)))
        return Response(made, media_type="application/json", headers={"Cache-Control": "private, no-cache"})

    @app.get("/datasets/{slug}/{version}/series.json")
    def series(request: Request, slug: str, version: str, _person: Person = pages.reads(REBUILD)) -> Response:
        found = opened(pages, slug, version)
        asked = request.query_params
        span = tracks.Span.of(_float(asked.get("from")), _float(asked.get("to")), _int(asked.get("pixels")))
        places = [_int(text) for text in asked.get("tracks", "")[:_NUMBERS_IN_AN_ADDRESS].split(",")]
        if len(places) > tracks.MOST_AT_ONCE or not all(0 <= place < len(found.tracks) for place in places):
            raise InputError("tracks", f"ask for up to {tracks.MOST_AT_ONCE} that there are", "open the page again")
        chosen = [found.tracks[place] for place in dict.fromkeys(places)]
        key = (found.key, tuple(places), span)
        made = pages.shelf.texts.get(key, lambda: _json([one.as_dict() for one in tracks.draw(found, chosen, span)]))
        return Response(made, media_type="application/json", headers=_FOR_EVER)

    @app.get("/pictures/{slug}/{fingerprint}/{name}")
    def picture(slug: str, fingerprint: str, name: str, _person: Person = pages.reads(PUBLISH)) -> Response:
        found = pipeline.picture(slug, fingerprint, name, pages.settings)
        if found is None:
            raise HTTPException(404, "There is no such picture.")
        # A candidate that is built again by force may be drawn by another tool.
        headers = {"Cache-Control": "private, max-age=600"}
        return Response(found, media_type="image/png", headers=headers)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _int(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else -1
