"""Every page that is made of hostile input, opened in a browser: nothing runs, nothing is fetched, all of it is text.

The pages are opened without their own Content-Security-Policy, which would hide a hole instead of showing it.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from marko.ext.gfm import gfm
from playwright.sync_api import BrowserContext, sync_playwright

import samples
from faultset import pipeline
from faultset.inbox import filing
from faultset.pipeline import claiming, judging
from faultset.settings import Settings

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SLUG = "hostile"
RUN = "top.ran=1"
PAYLOADS = {
    "script": f"<script>{RUN}</script>",
    "broken": f"\"'><img src=x onerror={RUN}><b",
    "svg": f"<svg onload={RUN}><animate onbegin={RUN} attributeName=x>",
    "math": f'<math><mtext><style><img title="</style><img src=x onerror={RUN}>">',
    "frame": f"<iframe srcdoc='<script>{RUN}</script>'></iframe><object data=x></object>",
    "link": f"<a href=javascript:{RUN}>x</a> [x](javascript:{RUN}) ![x](https://192.0.2.9/x)",
    "template": "{{constructor.constructor('top.ran=1')()}} ${7*7} {% raw %} #{7*7}",
    "entity": f"&lt;img src=x onerror={RUN}&gt; &#60;b&#62; &amp",
    "ender": f"--> ]]> */ </style></title></textarea></script><script>{RUN}</script>",
    "marks": "\u202egnp.exe\u2066 \x1b[31mred\x1b]0;title\x07 \u2028 \ufeff`code` | *b* _i_ # h",
    "reference": "<meta http-equiv=refresh content=0;url=https://192.0.2.9/><base href=https://192.0.2.9/>",
}
ALL = " ".join(PAYLOADS.values())
NAMED = f"<img src=x onerror={RUN}> {{{{7*7}}}} ${{7}} &lt;b&gt;"  # as a file may be called
ELEMENTS = (
    "script, iframe, frame, object, embed, base, form, input, link, math, animate, foreignObject, audio, video, b"
)
# What the page holds that it must not, and everything that could start it, started.
LOOK = """elements => {
  const found = [...document.querySelectorAll(elements)].map(one => one.outerHTML.slice(0, 120));
  for (const one of document.querySelectorAll('*')) {
    for (const {name, value} of one.attributes)
      if (name.startsWith('on') || name === 'srcdoc' || /^\\s*(javascript|data|https?):/i.test(value))
        if (!(name === 'xmlns')) found.push(name + '=' + value.slice(0, 120));
    for (const event of ['mouseover', 'focus', 'error', 'load', 'toggle', 'begin']) one.dispatchEvent(new Event(event));
  }
  return {found, ran: String(window.ran), text: document.body.innerText};
}"""


@dataclass
class Opened:
    """What became of a page in the browser."""

    text: str
    found: list[str]
    ran: str
    events: list[str] = field(default_factory=list)


def hostile_report(payload: str) -> str:
    """The sample report with ``payload`` wherever a person or a program writes text into it."""
    name = f"Dummy.{payload}"
    quoted = json.dumps(name)[1:-1]
    source = json.loads(json.dumps(samples.SOURCE).replace("Dummy.dummy", quoted))
    scenario = copy.deepcopy(samples.SCENARIO)
    scenario.update(met=payload, name=name, description=payload)
    scenario["config"] = scenario["config"].replace("Dummy.dummy", json.dumps(quoted)[1:-1])
    chart = scenario["hooks"][0]["complete"][0]["charts"][0]
    chart["data"] = ["RetCode: 1", f"StdOut: glance_api\n{ALL}\n", f"StdErr: {ALL}"]
    scenario["errors"][0].update(type=payload, message=ALL, traceback=ALL)
    return samples.report([scenario], source)


def write_run(folder: Path, **entry: Any) -> None:
    """A run that can become a dataset, hostile in all of its texts."""
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(hostile_report(PAYLOADS["script"]))
    (folder / "os-faults.yaml").write_text(
        f"# role: {ALL!r}\n".replace("\x1b", "").replace("\x07", "")
        + samples.CLUSTER
        + f"  {json.dumps(PAYLOADS['broken'])}:\n    driver: docker_container\n"
        f"    args: {{container_name: {json.dumps(PAYLOADS['svg'])}}}\n    hosts: [192.0.2.2]\n"
    )
    for name in ("ctl1", "cmp1"):
        moments = (f"2019-11-19 17:{tick // 3:02}:{tick % 3 * 20:02}" for tick in range(45 * 3, 59 * 3))
        rows = [f"{moment},{len(moment)},1,1,1,1,1" for moment in moments]
        header = "now,cpu.user,mem.used,load.cpucore,load.min1,load.min5,load.min15"
        (folder / f"{name}_{NAMED}.csv").write_text("\n".join([header, *rows, ""]))
    declared = {
        "title": PAYLOADS["script"],
        "description": ALL,
        "cluster": "os-faults.yaml",
        "runs": [{"report": "report.html"}],
        "telemetry": [{"kind": "metrics", "files": "*.csv", "time_zone": "UTC"}],
        "components": {PAYLOADS["broken"]: PAYLOADS["svg"]},
        "creators": [{"name": PAYLOADS["link"]}],
        "expectations": {"notes.none": {"severity": "warning", "reason": PAYLOADS["ender"]}},
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump({**declared, **entry}))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Name -> HTML of every page: of two versions, of a proposal, and of four verdicts."""
    root = tmp_path_factory.mktemp("pages")
    settings = Settings(str(root / "catalog"), str(root / "datasets"), inbox=str(root / "inbox"))
    write_run(root / "catalog" / SLUG)
    pipeline.publish_by_hand(pipeline.build(SLUG, settings), settings, reason="a test")
    shutil.rmtree(root / "catalog" / SLUG)
    write_run(root / "catalog" / SLUG, title=PAYLOADS["entity"], expectations={}, components={})
    built = pipeline.build(SLUG, settings)
    proposed = pipeline.propose(SLUG, settings)
    assert proposed is not None
    texts = {"proposal": pipeline.page(proposed, settings)}
    pipeline.publish_by_hand(built, settings, reason="a test")
    for made in judge_hostile_runs(root / "inbox", settings):
        texts |= made
    for path in (root / "datasets").rglob("*.md"):
        texts[str(path.relative_to(root))] = path.read_text("utf-8")
    rendered = {name: gfm.convert(re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)) for name, text in texts.items()}
    shown = {
        name: f"<!DOCTYPE html><meta charset=utf-8><title>x</title><body>{body}" for name, body in rendered.items()
    }
    for path in root.rglob("*.html"):
        if path.parts[-2] in ("verdict", "data_docs") or "validation" in path.parts:
            shown[str(path.relative_to(root))] = path.read_text("utf-8")
    return shown


def judge_hostile_runs(inbox: Path, settings: Settings) -> Iterator[dict[str, str]]:
    """Drop a run that is accepted, one whose entry is refused, one with a strange table, and one of no run at all."""
    write_run(inbox / f"good {NAMED}")
    write_run(inbox / f"mistyped {NAMED}", **{PAYLOADS["ender"]: PAYLOADS["link"]})
    write_run(inbox / f"column {NAMED}")
    broken = inbox / f"column {NAMED}" / f"ctl1_{NAMED}.csv"
    broken.write_text(f'now,"{PAYLOADS["svg"]}"\n{PAYLOADS["script"]},1\n')
    (inbox / f"empty {NAMED}").mkdir()
    (inbox / f"empty {NAMED}" / f"{NAMED}.txt").write_text(ALL)
    words = set()
    for arrival in claiming.take(settings, time.time() + 1000).arrivals:
        judging.judge(arrival, settings)
        verdict = filing.recorded_of(inbox, arrival)
        assert verdict is not None
        words.add((verdict.name.partition(" ")[0], verdict.accepted))
        yield {}
    assert words == {("good", True), ("mistyped", False), ("column", False), ("empty", False)}


@pytest.fixture(scope="module")
def opened(pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Opened]:
    """Each page as one browser shows it."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    folder = tmp_path_factory.mktemp("opened")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            context = browser.new_context(offline=True)
            return {name: look(context, folder / f"{n}.html", text) for n, (name, text) in enumerate(pages.items())}
        finally:
            browser.close()


def look(context: BrowserContext, place: Path, text: str) -> Opened:
    place.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text, count=1), encoding="utf-8")
    events: list[str] = []
    page = context.new_page()
    page.on("dialog", lambda dialog: (events.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: events.append(f"error {error}"))
    page.on("console", lambda message: events.append(f"console {message.text}") if message.type == "error" else None)
    page.on("request", lambda request: events.append(request.url) if request.url != place.as_uri() else None)
    page.on("popup", lambda popup: events.append(f"popup {popup.url}"))
    page.goto(place.as_uri())
    seen = page.evaluate(LOOK, ELEMENTS)
    page.close()
    return Opened(seen["text"], seen["found"], seen["ran"], events)


def test_pages_of_every_kind_were_opened(opened: dict[str, Opened]) -> None:
    kinds = ("README.md", "CHANGES.md", "dictionary.md", "proposal", "verdict/index.html", "data_docs/index.html")
    for kind in kinds:
        assert any(name.endswith(kind) for name in opened), kind
    assert sum(name.endswith("verdict/index.html") for name in opened) == 4
    assert sum("/expectations/" in name or "/validations/" in name for name in opened) > 10


def test_nothing_ran_and_no_request_left(opened: dict[str, Opened]) -> None:
    figures = re.compile(r"/figures/[\w.-]+\.png$")
    for name, page in opened.items():
        events = [event for event in page.events if not figures.search(event) and "ERR_FILE_NOT_FOUND" not in event]
        assert (page.ran, events) == ("undefined", []), name


def test_no_element_and_no_handler_was_made_of_a_payload(opened: dict[str, Opened]) -> None:
    for name, page in opened.items():
        assert page.found == [], name


def test_every_page_of_ours_forbids_scripts_and_fetching_on_its_own(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        if name.endswith(".html"):
            assert "default-src 'none'" in text, name


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("verdict/index.html", f"good {NAMED}"),
        ("verdict/index.html", f"mistyped {NAMED}"),
        ("verdict/index.html", f"empty {NAMED}"),
        ("verdict/index.html", f"Dummy.{PAYLOADS['script']}"),
        ("verdict/index.html", "</title></textarea></script>"),
        ("data_docs/index.html", "</title></textarea></script>"),
        ("1.0.0/README.md", PAYLOADS["script"]),
        ("1.0.0/README.md", "<svg onload="),
        ("1.0.0/README.md", "</title></textarea></script>"),
        ("CHANGES.md", "Dummy._script_top.ran_1_script_"),
        ("1.0.0/README.md", "Expectations set otherwise"),
        ("CHANGES.md", "Expectation notes.none: severity is as usual again"),
        ("data_docs/index.html", "Set otherwise by the experiment"),
        ("verdict/index.html", "notes.none: severity is warning here, usually info"),
        ("proposal", "Dummy._script_top.ran_1_script_"),
    ],
)
def test_what_was_written_is_to_be_read_as_text(opened: dict[str, Opened], kind: str, payload: str) -> None:
    assert any(payload in page.text for name, page in opened.items() if name.endswith(kind))


def test_no_page_holds_what_turns_text_around_or_drives_a_terminal(opened: dict[str, Opened]) -> None:
    for name, page in opened.items():
        assert not set("\u202e\u2066\x1b\x07\u2028\ufeff") & set(page.text), name
