"""Lists on the pages: searched, filtered, sorted and cut, whatever an address asks for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import releases
from faultset import release
from faultset.errors import InputError
from faultset.pages import experiment, render, security, tracks, views
from faultset.pages.cached import Kept
from faultset.pages.held_index import Held
from faultset.pages.overview import Line, Overviews
from faultset.pages.security import CrossSiteError, check_origin, check_token, token
from faultset.pages.tracks import Span
from faultset.pages.views import Query
from faultset.pipeline.candidates import candidate_folder
from faultset.settings import Settings
from faultset.storage import NOTE

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def line(slug: str, *, injections: int = 1, critical: int = 0, days: int = 0) -> Line:
    held = Held(
        f"Title of {slug}",
        NOW - dt.timedelta(days=days),
        None,
        injections,
        {},
        {"critical": critical, "warning": 0, "info": 0},
        (),
    )
    return Line(slug, "1.0.0", 1, held, "current")


def slugs(lines: list[Line], **asked: str) -> list[str]:
    return [one.slug for one in views.datasets(lines, Query.of(asked, "name")).rows]


def test_words_of_a_search_all_have_to_occur_in_name_or_title() -> None:
    lines = [line("nova-restart"), line("glance-restart"), line("nova-stop")]
    assert slugs(lines, q="RESTART title") == ["glance-restart", "nova-restart"]
    assert slugs(lines, q="nova glance") == []


def test_lists_are_sorted_by_what_is_asked_and_never_fail_on_what_is_not_known() -> None:
    lines = [line("a", injections=2), line("b", injections=3, critical=1), Line("c", None, 0, None, "no version")]
    assert slugs(lines, sort="injections", order="desc") == ["b", "a", "c"]
    assert slugs(lines, sort="findings", order="desc")[0] == "b"
    assert slugs(lines, sort="no such column", only="no such filter") == ["a", "b", "c"]
    assert slugs(lines, only="no version") == ["c"]


@pytest.mark.parametrize("page", ["0", "-1", "x", "999999999", "²", ""])
def test_a_page_that_is_not_there_is_the_nearest_one(page: str) -> None:
    lines = [line(f"s{number:03}") for number in range(120)]
    found = views.datasets(lines, Query.of({"page": page}, "name"))
    assert 1 <= found.query.page <= found.pages == 3
    assert found.rows


def test_every_row_is_on_exactly_one_page() -> None:
    lines = [line(f"s{number:03}") for number in range(120)]
    pages = [views.datasets(lines, Query.of({"page": str(page)}, "name")) for page in (1, 2, 3)]
    assert [row.slug for page in pages for row in page.rows] == [one.slug for one in lines]
    assert pages[2].span == "101–120 of 120"


def test_the_address_of_a_list_says_the_same_list() -> None:
    query = Query.of({"q": "a&b=c", "sort": "ran", "order": "desc", "page": "2", "only": "waits"}, "name")
    assert "q=a%26b%3Dc" in query.address()
    assert query.by("ran") == query.address(descending=False, page=1)


@pytest.mark.parametrize(
    ("seconds", "said"), [(5, "just now"), (61, "1 minute ago"), (7200, "2 hours ago"), (86_400 * 3, "3 days ago")]
)
def test_times_are_said_in_words(seconds: int, said: str) -> None:
    assert views.ago(NOW - dt.timedelta(seconds=seconds), NOW) == said


# --- what is drawn ----------------------------------------------------------------------------------------------------


def test_no_spike_vanishes_however_many_rows_a_pixel_has() -> None:
    times = np.arange(1_000_000, dtype=np.int64) * 1000
    values = np.zeros(len(times))
    values[123_456], values[777_777] = 99.0, -5.0
    places, low, high = tracks.buckets(times, values, Span(0, 1_000_000_000, 200))
    assert len(places) == 200
    assert (high.max(), low.min()) == (99.0, -5.0)
    assert places[high.argmax()] == 123_456 * 200 // 1_000_000


def test_pixels_hold_exactly_the_rows_of_their_time() -> None:
    span = Span(1000, 2000, 10)
    times = np.array([999, 1000, 1099, 1100, 1999, 2000], dtype=np.int64)
    places, low, high = tracks.buckets(times, np.arange(6.0), span)
    assert places.tolist() == [0, 1, 9]
    assert (low.tolist(), high.tolist()) == ([1.0, 3.0, 4.0], [2.0, 3.0, 4.0])
    assert tracks.counted(times, span)[1].tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]


def test_what_is_no_number_is_not_drawn() -> None:
    places, _, _ = tracks.buckets(np.array([1, 2], dtype=np.int64), np.array([np.nan, np.inf]), Span(0, 10, 5))
    assert places.tolist() == []


def test_a_hole_in_a_recording_breaks_the_line() -> None:
    times = np.r_[np.arange(0, 100), np.arange(500, 600)].astype(np.int64) * 1_000_000
    assert tracks.gaps(times, Span(0, 600_000_000, 600)) == (500,)
    assert tracks.gaps(times[:100], Span(0, 600_000_000, 600)) == ()


@pytest.mark.parametrize(
    "asked", [(0, 0, 10), (5, 1, 10), (0, 1, 0), (0, 1, 5000), (float("nan"), 1, 9), (0, 1e300, 9)]
)
def test_a_span_that_is_none_is_refused(asked: tuple[float, float, int]) -> None:
    with pytest.raises(InputError):
        Span.of(*asked)


def test_targets_are_a_matrix_of_nodes_and_containers() -> None:
    rows = [
        releases.target(250, "b"),
        releases.target(250, "a", container=None),
        releases.target(250, "a", effective=None),
    ]
    found = experiment.matrix(rows)
    assert found.containers == ("nova_compute", "the node itself")
    assert [(node, sorted(cells)) for node, cells in found.rows] == [
        ("a", ["nova_compute", "the node itself"]),
        ("b", ["nova_compute"]),
    ]


def test_markdown_of_a_card_makes_neither_elements_nor_links_that_run() -> None:
    made = render.markdown("<script>x</script> [a](javascript:x) ![p](https://192.0.2.1/p) *b*")
    assert "<script" not in made
    assert "javascript:x)" in made
    assert "<img" not in made
    assert "<img" not in render.markdown("![p](https://192.0.2.1/figures/a.png) ![p](figures/../x.png)", "/files/")
    assert 'src="/files/figures/a-1.png"' in render.markdown("![p](figures/a-1.png)", "/files/")
    assert 'href="/files/CHANGES.md"' in render.markdown("[c](CHANGES.md)", "/files/")
    assert 'href="https://doi.org/1"' in render.markdown("[c](https://doi.org/1)", "/files/")
    assert "<em>b</em>" in made


# --- who may change something -----------------------------------------------------------------------------------------


def test_a_token_is_good_for_its_person_for_half_a_day() -> None:
    made = token("secret", "ann", now=1000.0)
    check_token("secret", "ann", made, now=1000.0 + 11 * 3600)
    for secret, user, given, now in (
        ("secret", "bob", made, 1000.0),
        ("other", "ann", made, 1000.0),
        ("secret", "ann", made, 1000.0 + 13 * 3600),
        ("secret", "ann", "99999999999.0", 1000.0),
        ("secret", "ann", "", 1000.0),
        ("secret", "ann", "²." + made.partition(".")[2], 1000.0),
    ):
        with pytest.raises(CrossSiteError):
            check_token(secret, user, given, now=now)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "http://here", "host": "here"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "http://evil.example", "host": "here"},
        {"origin": "null", "host": "here"},
        {"host": "here"},
        {},
    ],
)
def test_a_change_from_elsewhere_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(CrossSiteError):
        check_origin(headers)


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "same-origin"}, {"origin": "http://here:8080", "host": "here:8080"}]
)
def test_a_change_from_our_pages_is_not(headers: dict[str, str]) -> None:
    check_origin(headers)


def test_our_pages_run_nothing_inline_and_ask_nobody_else() -> None:
    assert "unsafe-inline" not in security.POLICY
    assert "default-src 'none'" in security.POLICY


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_what_is_kept_stays_within_its_bounds() -> None:
    kept: Kept[bytes] = Kept(100, len)
    made: Iterator[int] = iter(range(1000))
    for key in range(50):
        kept.get(key, lambda: bytes(10 + 0 * next(made)))
    assert kept._weighs <= 100
    before = next(made)
    kept.get(49, lambda: bytes(10 + 0 * next(made)))
    assert next(made) == before + 1  # it was there


# --- all datasets -----------------------------------------------------------------------------------------------------


def test_the_overview_says_what_there_is_and_sees_what_changes(tmp_path: Path) -> None:
    (tmp_path / "catalog" / "not-built").mkdir(parents=True)
    (tmp_path / "catalog" / "not-built" / "experiment.yaml").touch()
    settings = Settings(str(tmp_path / "catalog"), str(tmp_path / "datasets"), inbox=str(tmp_path / "inbox"))
    releases.published(tmp_path / "datasets", "a")
    overviews = Overviews(lambda: settings)
    found = {one.slug: one for one in overviews.get().lines}
    assert Overviews(lambda: settings).get().lines == overviews.get().lines  # as a restart sees it
    (tmp_path / "datasets" / ".pages" / "held-1.json").write_text("[")
    assert Overviews(lambda: settings).get().lines == overviews.get().lines
    assert set(found) == {releases.SLUG, "not-built"}
    assert (found["not-built"].freshness, found["not-built"].latest) == ("no version", None)
    known = found[releases.SLUG]
    assert (known.latest, known.versions, known.freshness) == ("1.0.0", 1, "not in the catalog")
    assert known.held is not None
    assert (known.held.injections, dict(known.held.effects)) == (1, {"partial": 1})
    assert known.held.ran_at == releases.START

    content = releases.rows()
    content["injections"].append(releases.injection(500))
    content["triggers"] = [releases.trigger(250), releases.trigger(500)]
    releases.published(tmp_path / "datasets", "b", content)
    overviews.forget()
    after = {one.slug: one for one in overviews.get().lines}[releases.SLUG]
    assert (after.latest != "1.0.0", after.versions) == (True, 2)
    assert after.held is not None
    assert after.held.injections == 2


@pytest.fixture
def damaged(tmp_path: Path) -> Settings:
    """A root whose only dataset has a manifest that cannot be read."""
    (tmp_path / "catalog").mkdir()
    made = releases.published(tmp_path / "datasets", "a")
    path = tmp_path / "datasets" / releases.SLUG / made.version / "manifest.json"
    path.chmod(0o600)
    path.write_text("{")
    return Settings(str(tmp_path / "catalog"), str(tmp_path / "datasets"), inbox=str(tmp_path / "inbox"))


def test_a_damaged_dataset_is_named_and_hides_no_other(damaged: Settings) -> None:
    (found,) = Overviews(lambda: damaged).get().lines
    assert found.problem is not None
    assert "manifest" in found.problem


def test_a_candidate_that_waits_for_a_damaged_dataset_is_shown_with_it(damaged: Settings) -> None:
    candidate = candidate_folder(releases.SLUG, "b" * 64, damaged)
    candidate.mkdir(parents=True)
    (candidate / NOTE).touch()
    (found,) = Overviews(lambda: damaged).get().lines
    assert found.problem is not None
    assert found.waits is not None
    assert (found.waits.fingerprint, found.waits.number) == ("b" * 64, None)


def test_a_candidate_that_a_version_holds_already_waits_for_nobody(tmp_path: Path) -> None:
    settings = Settings(str(tmp_path / "catalog"), str(tmp_path / "datasets"), inbox=str(tmp_path / "inbox"))
    (tmp_path / "catalog").mkdir()
    releases.published(tmp_path / "datasets", "a")
    (version,) = release.versions(settings.datasets)
    candidate = candidate_folder(releases.SLUG, str(version.fingerprint), settings)
    candidate.mkdir(parents=True)
    (candidate / NOTE).touch()
    (found,) = Overviews(lambda: settings).get().lines
    assert found.waits is None
