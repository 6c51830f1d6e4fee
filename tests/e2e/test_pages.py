"""The pages in a real Airflow: who may see and do what, and a run's whole way in a browser."""

from __future__ import annotations

import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Frame, Page, expect, sync_playwright

from e2e.conftest import PATIENCE_S, Airflow, running_airflow, wait_for
from faultset import pipeline, simulator
from faultset.settings import Settings

pytestmark = pytest.mark.e2e

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
SLUG = "seen"
UPLOADED = "from-a-browser"
SLOW_MS = PATIENCE_S * 1000


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Airflow]:
    base = tmp_path_factory.mktemp("pages")
    environment = {
        "FAULTSET_CATALOG": str(base / "catalog"),
        "FAULTSET_DATASETS": str(base / "datasets"),
        "FAULTSET_INBOX": str(base / "inbox"),
        "FAULTSET_INBOX_TIME_ZONE": "Europe/Berlin",
    }
    (base / "inbox").mkdir()
    simulator.simulate("glance-api-restart", base / "catalog" / SLUG, seed=1, iterations=40, metric_seconds=60)
    settings = Settings.from_environment(environment)
    lighten(base / "catalog" / SLUG)
    pipeline.publish_by_hand(pipeline.build(SLUG, settings), settings, reason="a test")
    with running_airflow(base / "airflow", environment, PARTS, migrated=migrated) as running:
        for dag_id in ("rebuild_datasets", "validate_reports", "publish_dataset"):
            wait_for(f"the DAG {dag_id}", lambda dag_id=dag_id: running.knows(dag_id))
        yield running


def lighten(run: Path) -> None:
    """Keep two files of metrics of a run's telemetry: each file is a task of its own."""
    kept = {"cmp01_metrics.csv", "ctl01_metrics.csv"}
    for path in [*run.glob("metrics/*"), *run.glob("logs/*"), *run.glob("traces/*")]:
        if path.name not in kept:
            path.unlink()
    entry = run / "experiment.yaml"
    if entry.exists():
        declared = yaml.safe_load(entry.read_text())
        declared["telemetry"] = [one for one in declared["telemetry"] if one["kind"] == "metrics"]
        declared.pop("reviewed_impacts", None)
        entry.write_text(yaml.safe_dump(declared))


def status(airflow: Airflow, path: str, method: str = "GET", token: str = "", **headers: str) -> int:
    """Return what is answered to a request; ``token``: in the cookie that a browser sends."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        given["cookie"] = f"_token={token}"
    request = urllib.request.Request(f"http://127.0.0.1:{airflow.port}{path}", method=method, headers=given)
    if method in ("POST", "PUT"):
        request.data = b"name=x&report=x&chosen=approve&fingerprint=x&reason=x"
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


READ = [
    "/", "/findings", "/validation", f"/datasets/{SLUG}", f"/datasets/{SLUG}/versions", f"/datasets/{SLUG}/1.0.0",
    f"/datasets/{SLUG}/approval", f"/datasets/{SLUG}/1.0.0/injections/1", f"/datasets/{SLUG}/1.0.0/timeline.json",
    f"/datasets/{SLUG}/1.0.0/series.json?tracks=0&from=1&to=2&pixels=9", f"/datasets/{SLUG}/diff?a=1.0.0&b=1.0.0",
    f"/datasets/{SLUG}/1.0.0/files/manifest.json", "/assets/pages.css", "/from/dag?dag_id=publish_dataset",
    "/validation/progress/run?name=x&since=1", "/validation/progress/run.json?name=x&since=1",
]  # fmt: skip
NOWHERE = ["/validation/none", f"/pictures/{SLUG}/{'0' * 64}/overview.png", "/validation/none/files/index.html"]
ACT = [
    f"/datasets/{SLUG}/1.0.0/verify", f"/datasets/{SLUG}/1.0.0/rollback", f"/datasets/{SLUG}/1.0.0/withdraw",
    f"/datasets/{SLUG}/approval", f"/datasets/{SLUG}/propose", f"/datasets/{SLUG}/rebuild", "/uploads",
    f"/uploads/{'0' * 32}/finish", "/validation/named",
]  # fmt: skip


def test_every_route_is_in_these_lists() -> None:
    from faultset.pages.web import Setup, create

    app = create(Setup(lambda: Settings("", ""), lambda _dag_id: lambda: None, lambda _request: None))  # type: ignore[arg-type, return-value]
    routes = {route.path for route in app.routes if hasattr(route, "methods")}
    known = [*READ, *NOWHERE, *ACT, f"/uploads/{'0' * 32}", "/run", "/run.json"]
    patterns = {
        path: re.compile(re.sub(r"\{\w+:path\}", ".+", re.sub(r"\{\w+\}", "[^/]+", path)) + r"(\?.*)?")
        for path in routes
    }
    assert [path for path, pattern in patterns.items() if not any(map(pattern.fullmatch, known))] == []


def test_nobody_sees_a_page_without_a_login(airflow: Airflow) -> None:
    assert {path: status(airflow, f"/faultset{path}") for path in [*READ, *NOWHERE]} == dict.fromkeys(
        [*READ, *NOWHERE], 401
    )
    own = {"sec_fetch_site": "same-origin"}
    assert {path: status(airflow, f"/faultset{path}", "POST", **own) for path in ACT} == dict.fromkeys(ACT, 401)
    assert status(airflow, f"/faultset/uploads/{'0' * 32}?file=x", "PUT", **own) == 401


def test_a_viewer_reads_everything_and_changes_nothing(airflow: Airflow) -> None:
    token = airflow.token_of("vera")
    assert {path: status(airflow, f"/faultset{path}", token=token) for path in READ} == dict.fromkeys(READ, 200)
    assert {path: status(airflow, f"/faultset{path}", token=token) for path in NOWHERE} == dict.fromkeys(NOWHERE, 404)
    own = {"sec_fetch_site": "same-origin"}
    assert {path: status(airflow, f"/faultset{path}", "POST", token, **own) for path in ACT} == dict.fromkeys(ACT, 403)


def test_a_change_that_no_page_of_ours_sent_is_refused(airflow: Airflow) -> None:
    token = airflow.token_of("admin")
    for headers in (
        {"sec_fetch_site": "cross-site"},
        {"origin": "https://evil.example"},
        {"sec_fetch_site": "same-origin"},
        {},
    ):
        found = {path: status(airflow, f"/faultset{path}", "POST", token, **headers) for path in ACT}
        assert found == dict.fromkeys(ACT, 403), headers


@pytest.mark.parametrize("name", ["..%2f", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c", "%00", "..%252f"])
def test_no_name_in_an_address_is_a_path(airflow: Airflow, name: str) -> None:
    token = airflow.token_of("admin")
    for path in (
        f"/datasets/{name}",
        f"/datasets/{SLUG}/{name}",
        f"/datasets/{SLUG}/1.0.0/files/{name}",
        f"/validation/{name}",
        f"/assets/{name}",
    ):
        assert status(airflow, f"/faultset{path}", token=token) == 404, path


@pytest.fixture
def page(airflow: Airflow) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True).new_page()
        opened.set_default_timeout(SLOW_MS)
        yield opened
        browser.close()


def log_in(page: Page, airflow: Airflow, user: str) -> None:
    page.goto(f"http://localhost:{airflow.port}/")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", airflow.password_of(user))
    page.keyboard.press("Enter")
    page.wait_for_selector("a[href*='/plugin/faultset'], [aria-label*='Faultset'], :text('Faultset')")


def inside(page: Page) -> Frame:
    """Return the frame in which Airflow shows our pages."""
    frame = page.wait_for_selector("iframe[title='Faultset']").content_frame()
    assert frame is not None
    return frame


def test_a_run_goes_its_whole_way_in_the_browser(airflow: Airflow, page: Page, tmp_path: Path) -> None:
    """Upload, verdict, candidate, approval, new version, download, verify."""
    simulator.simulate("nova-compute-restart", tmp_path / "run", seed=3, iterations=40, metric_seconds=60)
    (tmp_path / "run" / "experiment.yaml").unlink()
    lighten(tmp_path / "run")
    archive = shutil.make_archive(str(tmp_path / UPLOADED), "zip", tmp_path / "run")
    log_in(page, airflow, "admin")
    page.get_by_text("Faultset", exact=True).first.click()
    frame = inside(page)
    expect(frame.get_by_role("heading", name="Datasets")).to_be_visible(timeout=SLOW_MS)

    frame.get_by_role("link", name="Validation").click()
    frame.set_input_files("input[type=file]", archive)
    expect(frame.locator("#upload input[name=name]")).to_have_value(UPLOADED)
    frame.get_by_role("button", name="Upload and validate").click()
    expect(frame.get_by_text("accepted", exact=True).first).to_be_visible(timeout=SLOW_MS)

    # rebuild_datasets makes the candidate, publish_dataset asks about it.
    frame.get_by_role("link", name="approval", exact=True).click()
    frame.wait_for_url(re.compile("/approval$"))
    approve = frame.get_by_role("button", name=re.compile("Approve and publish"))
    wait_for("the question", lambda: approve.is_visible() or not frame.goto(frame.url))
    frame.fill("textarea[name=reason]", "seen in the browser")
    approve.click()
    frame.wait_for_url(re.compile(rf"/datasets/{UPLOADED}/versions"))
    frame.get_by_role("link", name="1.0.0", exact=True).click()
    expect(frame.get_by_text("approved by")).to_contain_text("seen in the browser")

    settings = Settings.from_environment(airflow.environment)
    published = Path(settings.datasets) / UPLOADED / "1.0.0"
    frame.locator("summary", has_text="files,").click()
    with page.expect_download() as download:
        frame.get_by_role("link", name="injections.parquet", exact=True).first.click()
    assert download.value.path().read_bytes() == (published / "injections.parquet").read_bytes()

    frame.get_by_role("button", name="Verify", exact=True).click()
    expect(frame.locator("#said")).to_contain_text("as it was published", timeout=SLOW_MS)
    with (published / "README.md").open("r+b") as card:
        card.write(b"damage")
    frame.get_by_role("button", name="Verify", exact=True).click()
    expect(frame.locator("#said")).to_contain_text("README.md", timeout=SLOW_MS)


def test_airflows_own_pages_lead_to_ours_and_logs_name_them(airflow: Airflow, page: Page) -> None:
    run = airflow.run("rebuild_datasets", {"experiments": [SLUG]})
    log_in(page, airflow, "vera")
    page.goto(f"http://localhost:{airflow.port}/dags/rebuild_datasets/plugin/faultset-dag")
    expect(inside(page).get_by_role("heading", name="Datasets")).to_be_visible(timeout=SLOW_MS)
    page.goto(f"http://localhost:{airflow.port}/dags/rebuild_datasets/runs/{run['dag_run_id']}/plugin/faultset-run")
    expect(inside(page).get_by_role("heading", name=SLUG)).to_be_visible(timeout=SLOW_MS)
    where = f"http://localhost:{airflow.port}/plugin/faultset/faultset/datasets/{SLUG}"
    logs = [path.read_text() for path in (airflow.home / "logs").rglob("*task_id=report*/**/*.log")]
    assert any(where in text for text in logs)
    page.goto(where)
    expect(inside(page).get_by_role("region", name="Timeline")).to_be_visible(timeout=SLOW_MS)
