"""Makes the pictures in docs/images/pages-*.png from a running Airflow, as a user would come to see the pages.

make up                                   # in another terminal
tools/run python docs/screenshots.py      # a few minutes: it uploads a run and waits for what becomes of it
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Frame, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
SHOWN, UPLOADED = "nova-compute-restart", "glance-again"
WAIT_MS = 900_000


def main() -> int:
    """Make all pictures; return the exit code."""
    home = Path(os.environ.get("FAULTSET_AIRFLOW_HOME", ROOT / ".airflow"))
    port = os.environ.get("FAULTSET_AIRFLOW_PORT", "8080")
    password = json.loads((home / "simple_auth_manager_passwords.json.generated").read_text())["admin"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(WAIT_MS)
        log_in(page, f"http://localhost:{port}", password)
        take(page, f"http://localhost:{port}/plugin/faultset/faultset")
        browser.close()
    return 0


def log_in(page: Page, address: str, password: str) -> None:
    """Log in as people do."""
    page.goto(address)
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", password)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"^{re.escape(address)}/(?!auth)"))
    page.wait_for_load_state("networkidle")


def take(page: Page, address: str) -> None:
    """Take the pictures one after the other; the run that waits for approval is uploaded where it was not yet."""
    opened(page, f"{address}/datasets/{SHOWN}").wait_for_selector(".track canvas")
    keep(page, "experiment")
    frame = opened(page, f"{address}/datasets/{SHOWN}?injection=1")
    frame.wait_for_selector("#evidence #part")
    keep(page, "evidence")
    frame = opened(page, f"{address}/datasets/{UPLOADED}/approval")
    if frame.get_by_text("There is no").or_(frame.get_by_text("Nothing waits")).count():
        upload(opened(page, f"{address}/validation"))
    frame = opened(page, f"{address}/datasets/{UPLOADED}/approval")
    while not frame.get_by_role("button", name=re.compile("Approve and publish")).count():
        page.wait_for_timeout(3000)
        frame = opened(page, f"{address}/datasets/{UPLOADED}/approval")
    keep(page, "approval")
    opened(page, f"{address}/validation")
    keep(page, "validation")
    opened(page, f"{address}/")
    keep(page, "datasets")
    opened(page, f"{address}/datasets/{SHOWN}/1.0.0")
    keep(page, "version")


def opened(page: Page, address: str) -> Frame:
    """Return the frame in which Airflow shows a page of ours."""
    page.goto(address)
    frame = page.wait_for_selector("iframe[title='Faultset']").content_frame()
    if frame is None:
        raise RuntimeError(f"{address} shows no page")
    frame.wait_for_selector("main")
    frame.wait_for_load_state("networkidle")
    return frame


def upload(frame: Frame) -> None:
    """Upload a run on the page that is shown, and wait for its verdict."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        shutil.copytree(ROOT / "experiments" / "glance-api-restart", run)
        archive = shutil.make_archive(str(Path(folder) / UPLOADED), "zip", run)
        frame.set_input_files("input[type=file]", archive)
        frame.get_by_role("button", name="Upload and validate").click()
        frame.wait_for_url(re.compile("/validation/[0-9]"))


def keep(page: Page, name: str) -> None:
    """Keep what is shown as a picture."""
    page.wait_for_timeout(1200)  # charts are drawn a moment after their numbers came
    page.screenshot(path=IMAGES / f"pages-{name}.png")


if __name__ == "__main__":
    sys.exit(main())
