"""The pages as a browser meets them, on data that is hostile in all its texts; Airflow, which adds logins, is not here.

What only Airflow has (runs, questions) is refused here, as the pages have to bear at any time.
"""

from __future__ import annotations

import http.client
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI, Request
from playwright.sync_api import Browser, Page, sync_playwright
from test_pages_in_a_browser import CHROMIUM, NAMED, PAYLOADS, SLUG, write_run

from faultset import pipeline
from faultset.inbox import filing
from faultset.pages.web import Setup, create
from faultset.pages.workflow import Person, RefusedError
from faultset.pipeline import claiming, judging
from faultset.settings import Settings

pytestmark = pytest.mark.integration


class NoAirflow:
    """Refuses all that only Airflow can answer."""

    def __getattr__(self, _name: str) -> Any:
        async def refuse(*_given: Any, **_named: Any) -> NoReturn:
            raise RefusedError("Airflow", "there is none here", "start it", 502)

        return refuse


@dataclass(frozen=True)
class Site:
    """The pages on a port of this machine, and what lies behind them."""

    port: int
    settings: Settings
    arrival: str

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/faultset{path}"

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and content; the path goes out exactly as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, f"/faultset{path}", body, headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def person(_dag_id: str) -> Any:
    def somebody(request: Request) -> Person:
        return Person("ann", "Ann", request.headers.get("x-may-act") != "no", "a secret")

    return somebody


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("served")
    settings = Settings(str(root / "catalog"), str(root / "datasets"), inbox=str(root / "inbox"))
    write_run(root / "catalog" / SLUG)
    pipeline.publish_by_hand(pipeline.build(SLUG, settings), settings, reason=PAYLOADS["script"])
    shutil.rmtree(root / "catalog" / SLUG)
    write_run(root / "catalog" / SLUG, title=PAYLOADS["entity"], expectations={}, components={}, approval="always")
    pipeline.build(SLUG, settings)
    assert pipeline.propose(SLUG, settings, pictures=f"/faultset/pictures/{SLUG}") is not None
    write_run(root / "inbox" / f"good {NAMED}")
    (root / "inbox" / f"empty {NAMED}").mkdir()
    (root / "inbox" / f"empty {NAMED}" / "x.txt").write_text(PAYLOADS["script"])
    taken = claiming.take(settings, time.time() + 1000).arrivals
    for arrival in taken:
        judging.judge(arrival, settings)
    app = FastAPI()
    app.mount("/faultset", create(Setup(lambda: settings, person, lambda _request: NoAirflow())))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    verdicts = [filing.recorded_of(root / "inbox", arrival) for arrival in taken]
    good = next(one.arrival for one in verdicts if one is not None and one.accepted)
    yield Site(server.servers[0].sockets[0].getsockname()[1], settings, good)
    server.should_exit = True
    thread.join(20)


PAGES = {
    "datasets": "/",
    "findings": "/findings",
    "experiment": f"/datasets/{SLUG}",
    "injection": f"/datasets/{SLUG}/1.0.0/injections/1",
    "versions": f"/datasets/{SLUG}/versions",
    "version": f"/datasets/{SLUG}/1.0.0",
    "diff": f"/datasets/{SLUG}/diff?a=1.0.0&b=1.0.0",
    "approval": f"/datasets/{SLUG}/approval",
    "validation": "/validation",
    "verdict": "/validation/ARRIVAL",
    "progress": "/validation/progress/run?name=x&since=2",
    "run": f"/run?dag_id=rebuild_datasets&run_id=x&slug={SLUG}",
    "nothing matches": "/?q=no+such+dataset",
    "not there": "/datasets/no-such-dataset",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def opened(browser: Browser, site: Site, path: str, **context: Any) -> tuple[Page, list[str]]:
    """Open a page; return it with what it did that a page must not do."""
    events: list[str] = []
    page = browser.new_context(**context).new_page()
    page.on("dialog", lambda dialog: (events.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: events.append(f"error {error}"))
    page.on("console", lambda said: events.append(f"console {said.text}") if said.type == "error" else None)
    page.on("request", lambda made: events.append(made.url) if not made.url.startswith(site.url("")) else None)
    page.goto(site.url(path.replace("ARRIVAL", site.arrival)))
    page.wait_for_load_state("networkidle")
    # A browser asks for the server's own picture, and tells of an answer that is an error page.
    return page, [one for one in events if "favicon" not in one and "404 (Not Found)" not in one]


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_good_in_light_and_dark_on_wide_and_narrow_windows(browser: Browser, site: Site, name: str) -> None:
    for scheme, width in (("light", 1440), ("dark", 420)):
        page, events = opened(browser, site, PAGES[name], color_scheme=scheme, viewport={"width": width, "height": 900})
        trouble = [one for one in events if "502" not in one]  # Airflow's answer, which is told on the page
        assert (page.evaluate("String(window.ran)"), trouble) == ("undefined", []), (scheme, width)
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (scheme, width)
        bad = [
            f"{found['id']}: {found['nodes'][0]['html'][:200]} {found['nodes'][0]['failureSummary'][:200]}"
            for found in Axe().run(page).response["violations"]
            if found["impact"] in ("serious", "critical")
        ]
        assert bad == [], (scheme, width)
        page.context.close()


def test_texts_of_reports_are_text(browser: Browser, site: Site) -> None:
    for name, payload in (
        ("experiment", PAYLOADS["entity"]),
        ("version", PAYLOADS["script"]),
        ("verdict", f"good {NAMED}"),
    ):
        page, _ = opened(browser, site, PAGES[name])
        if name != "experiment":
            assert payload in page.inner_text("body"), name
        assert (
            page.evaluate("document.querySelectorAll('main script:not([src]), main iframe, main object, base').length")
            == 0
        )
        page.context.close()


def test_the_keyboard_alone_zooms_and_opens_an_injections_evidence(browser: Browser, site: Site) -> None:
    page, events = opened(browser, site, PAGES["experiment"], viewport={"width": 1440, "height": 900})
    whole = page.inner_text("#span")
    page.focus("#timeline")
    page.keyboard.press("+")
    assert page.inner_text("#span") != whole
    page.keyboard.press("0")
    assert page.inner_text("#span") == whole
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('injection')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#evidence #part")
    assert "What could have hidden".casefold() in page.inner_text("#evidence").casefold()
    assert page.evaluate("document.activeElement.closest('#evidence') !== null")
    page.click("[data-close]")
    assert page.is_hidden("#evidence")
    assert events == []


def test_charts_are_drawn_and_dragging_zooms_all_of_them(browser: Browser, site: Site) -> None:
    page, _ = opened(browser, site, PAGES["experiment"], viewport={"width": 1440, "height": 900})
    page.select_option("#filter", "all")
    page.wait_for_selector(".track canvas")
    whole = page.inner_text("#span")
    box = page.locator(".track .u-over").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 20)
    page.mouse.up()
    page.wait_for_function("before => document.getElementById('span').textContent !== before", arg=whole)
    page.click("[data-move=back]")
    assert page.inner_text("#span") == whole


TRAVERSALS = [
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f",
    "..%5c..%5cx",
    "..%252f",
    "%00",
    "/etc/passwd",
    "....//",
    "~",
    "%c0%ae/",
]


@pytest.mark.parametrize("name", TRAVERSALS)
@pytest.mark.parametrize(
    "path",
    [
        "/datasets/{}", "/datasets/{}/versions", "/datasets/{}/1.0.0", "/datasets/{}/1.0.0/files/README.md",
        "/datasets/{}/approval", f"/datasets/{SLUG}/{{}}", f"/datasets/{SLUG}/{{}}/files/README.md",
        f"/datasets/{SLUG}/1.0.0/files/{{}}", f"/datasets/{SLUG}/{{}}/timeline.json",
        f"/datasets/{SLUG}/diff?a={{}}&b=1.0.0", f"/pictures/{{}}/{'0' * 64}/overview.png",
        f"/pictures/{SLUG}/{{}}/overview.png", f"/pictures/{SLUG}/{'0' * 64}/{{}}",
        "/validation/{}", "/validation/ARRIVAL/files/{}", "/assets/{}",
    ],
)  # fmt: skip
def test_no_name_in_an_address_is_ever_a_path(site: Site, path: str, name: str) -> None:
    status, _, content = site.ask(path.format(name).replace("ARRIVAL", site.arrival))
    assert status == 404, content[:200]
    assert b"root:" not in content


@pytest.mark.parametrize("path", sorted({*PAGES.values()}))
def test_every_answer_has_the_headers_that_protect_it(site: Site, path: str) -> None:
    _, headers, _ = site.ask(path.replace("ARRIVAL", site.arrival))
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_pages_of_verdicts_and_versions_run_nothing(site: Site) -> None:
    for path in (
        "/validation/ARRIVAL/files/validation/data_docs/index.html",
        f"/datasets/{SLUG}/1.0.0/files/validation/data_docs/index.html",
    ):
        status, headers, _ = site.ask(path.replace("ARRIVAL", site.arrival))
        assert status == 200
        assert headers["content-security-policy"].endswith("sandbox allow-same-origin")
        assert "default-src 'none'" in headers["content-security-policy"]


ACTIONS = [
    f"/datasets/{SLUG}/1.0.0/verify", f"/datasets/{SLUG}/1.0.0/rollback", f"/datasets/{SLUG}/1.0.0/withdraw",
    f"/datasets/{SLUG}/approval", f"/datasets/{SLUG}/propose", f"/datasets/{SLUG}/rebuild", "/uploads",
    "/validation/named",
]  # fmt: skip
FORM = "name=x&report=x&chosen=approve&fingerprint=x&reason=x"


def own(site: Site, **changed: str) -> dict[str, str]:
    """Headers of a change from a page of ours."""
    text = site.ask(f"/datasets/{SLUG}/1.0.0")[2].decode()
    token = text.partition('data-token="')[2].partition('"')[0]
    return {
        "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin", "x-faultset-token": token,
        **changed,
    }  # fmt: skip


@pytest.mark.parametrize("path", ACTIONS)
def test_a_change_needs_the_right_a_page_of_ours_and_its_token(site: Site, path: str) -> None:
    for changed in (
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"x-faultset-token": ""},
        {"x-faultset-token": "9999999999.0"}, {"x-may-act": "no"},
    ):  # fmt: skip
        status, _, content = site.ask(path, "POST", own(site, **changed), FORM)
        assert status == 403, (changed, content)
    if not path.endswith("/approval"):  # a page, too
        assert site.ask(path, "GET")[0] in (404, 405)


def test_a_form_on_another_site_changes_nothing(browser: Browser, site: Site, tmp_path: Path) -> None:
    page = browser.new_context().new_page()
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(answer.status) if "/withdraw" in answer.url else None)
    (tmp_path / "evil.html").write_text(
        f"<form method=post action='{site.url(f'/datasets/{SLUG}/1.0.0/withdraw')}'><input name=reason value=x></form>"
        "<script>document.forms[0].submit()</script>"
    )
    page.goto((tmp_path / "evil.html").as_uri())
    page.wait_for_load_state("networkidle")
    assert answers == [403]
    assert pipeline.versions(site.settings, SLUG)[0]["withdrawn"] is None


def test_files_are_sent_whole_or_by_ranges_and_are_what_was_published(site: Site) -> None:
    folder = Path(site.settings.datasets) / SLUG / "1.0.0"
    path = f"/datasets/{SLUG}/1.0.0/files/"
    for name in ("injections.parquet", "README.md", "manifest.json"):
        want = (folder / name).read_bytes()
        status, headers, content = site.ask(path + name)
        assert (status, content) == (200, want)
        assert headers["content-disposition"].startswith("attachment")
        for asked, part in (("bytes=0-9", want[:10]), ("bytes=5-", want[5:]), ("bytes=-7", want[-7:])):
            status, headers, content = site.ask(path + name, headers={"range": asked})
            assert (status, content) == (206, part)
            assert headers["content-range"].endswith(f"/{len(want)}")
        assert site.ask(path + name, headers={"range": f"bytes={len(want)}-"})[0] == 416


def test_an_upload_lies_whole_in_the_inbox_and_never_elsewhere(site: Site) -> None:
    inbox = Path(site.settings.inbox)
    status, _, content = site.ask("/uploads", "POST", own(site), "name=run-9")
    assert status == 200
    upload = content.decode().split('"')[3]
    for name in ("../evil", "..", ".hidden", "_COMPLETE", "a/../../b\x00", "x" * 300):
        status, _, _ = site.ask(f"/uploads/{upload}?file={quote(name)}", "PUT", own(site), b"x")
        assert (status, name) == (400 if name != "../evil" else 200, name)
    assert site.ask(f"/uploads/{upload}?file=report.html", "PUT", own(site), b"abc")[0] == 200
    assert site.ask(f"/uploads/{upload}?file=report.html", "PUT", own(site), b"abc")[0] == 400
    assert site.ask(f"/uploads/{'0' * 32}?file=report.html", "PUT", own(site), b"abc")[0] == 400
    assert not (inbox.parent / "evil").exists()
    assert not (inbox / "run-9").exists()
    assert site.ask(f"/uploads/{upload}/finish", "POST", own(site), "name=..%2frun")[0] == 400
    site.ask(f"/uploads/{upload}/finish", "POST", own(site), "name=run-9")
    held = {path.name: path.read_bytes() for path in (inbox / "run-9").iterdir()}
    assert held == {"_COMPLETE": b"", "report.html": b"abc", "evil": b"x"}
    shutil.rmtree(inbox / "run-9")


def test_what_is_sent_for_a_timeline_is_bounded(site: Site) -> None:
    path = f"/datasets/{SLUG}/1.0.0"
    told = site.ask(f"{path}/timeline.json")[2]
    assert len(told) < 1_000_000
    asked = f"{path}/series.json?from=1574184000&to=1574187600&pixels={{}}&tracks={{}}"
    status, _, content = site.ask(asked.format(1200, "0,1,2"))
    assert status == 200
    assert len(content) < 3 * 1200 * 60
    for pixels, chosen in ((1201, "0"), (100, ",".join(["0"] * 25)), (100, "999999"), (100, "x"), (100, "")):
        assert site.ask(asked.format(pixels, chosen))[0] == 404
