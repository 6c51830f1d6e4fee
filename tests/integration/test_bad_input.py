"""Bad input, kind by kind: one line that names the file, exit code 2, no traceback, nothing on stdout, no secret."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import samples
from faultset_cli import run

pytestmark = pytest.mark.integration

Kind = Callable[[], bytes | None]
FINE = samples.report().encode()
HOOKED = samples.SCENARIO["hooks"][0]


def html(*scenarios: object, **more: object) -> Kind:
    return lambda: samples.report(list(scenarios), **more).encode()  # type: ignore[arg-type]


def changed(**changes: object) -> Kind:
    return html(samples.scenario(**changes))


def fired(**changes: object) -> Kind:
    firing = {key: value for key, value in {**samples.FIRED, **changes}.items() if value is not ...}
    return changed(hooks=[{**HOOKED, "complete": [firing]}])


def replaced(old: str, new: str) -> Kind:
    assert old in FINE.decode()
    return lambda: FINE.decode().replace(old, new).encode()


REPORTS: dict[str, Kind] = {
    "no such file": lambda: None,
    "empty": lambda: b"",
    "only white space": lambda: b"   \n\n",
    "binary": lambda: bytes(range(256)) * 40,
    "gzip": lambda: gzip.compress(FINE),
    "utf-16": lambda: samples.report().encode("utf-16"),
    "broken utf-8 in the data": lambda: FINE.replace(b"Run script", b"Run \xff\xfe"),
    "not rally's": lambda: b"<html><head><title>News</title></head><body>Hello</body></html>",
    "plain text": lambda: b"Dear all, please find the report attached.",
    "generator of something else": replaced("Rally version 1.5.1", "Hugo 0.120"),
    "trends report": lambda: (samples.HEAD.format(version="1.5.1") + "$scope.data = [];\n" + samples.FOOT).encode(),
    "verification report": lambda: (
        samples.HEAD.format(version="1.5.1")
        + '      $scope.data = {"uuids": [], "verifications": {}, "tests": {}};\n'
        + samples.FOOT
    ).encode(),
    "no scenarios": html(),
    "scenarios is a mapping": lambda: samples.report({"a": 1}).encode(),
    "scenarios is null": replaced("$scope.scenarios = [", "$scope.scenarios = null; ["),
    "a scenario is a text": html("NovaServers"),
    "a scenario without a name": changed(cls=..., met=...),
    "name is a number": changed(cls=1, met=2),
    "pos is no number": changed(pos="first"),
    "pos is negative": changed(pos="-1"),
    "iterations_count missing": changed(iterations_count=...),
    "iterations_count is a text": changed(iterations_count="many"),
    "iterations_count is negative": changed(iterations_count=-4),
    "iterations_count is huge": changed(iterations_count=10**40),
    "iterations_count is not whole": changed(iterations_count=1.5),
    "load_duration is NaN": changed(load_duration=float("nan")),
    "load_duration is infinite": changed(load_duration=float("inf")),
    "load_duration is a list": changed(load_duration=[1]),
    "created_at is no time": changed(created_at="yesterday"),
    "hooks is a mapping": changed(hooks={"sys_call": []}),
    "a hook is a text": changed(hooks=["sys_call"]),
    "complete is a text": changed(hooks=[{**HOOKED, "complete": "none"}]),
    "started_at missing": fired(started_at=...),
    "started_at is no time": fired(started_at="2019-13-45 99:00:00"),
    "started_at is a number": fired(started_at=1574186026.5),
    "started_at in the year 1": fired(started_at="0001-01-01 00:00:00"),
    "triggered_by has no value": fired(triggered_by="iteration"),
    "triggered_by is of an unknown unit": fired(triggered_by="moonphase: 3"),
    "triggered_by is NaN": fired(triggered_by="iteration: NaN"),
    "status is a list": fired(status=["success"]),
    "errors is a text": changed(errors="none"),
    "an error's iteration is a text": changed(errors=[{**samples.SCENARIO["errors"][0], "iteration": "two"}]),
    "an error's timestamp is no time": changed(errors=[{**samples.SCENARIO["errors"][0], "timestamp": "noon"}]),
    "iteration series of wrong shape": changed(iterations={"iter": [["duration", [1, 2]]], "pie": []}),
    "config is no json and the source neither": lambda: samples.report(
        [samples.scenario(config="{{{")], "{% for x in y %}: [:"
    ).encode(),
    "trigger of negative step": lambda: (
        FINE.decode()
        .replace(
            '\\"event\\": {\\"unit\\": \\"iteration\\", \\"at\\": [2, 9]}',
            '\\"periodic\\": {\\"unit\\": \\"iteration\\", \\"step\\": -1}',
        )
        .encode()
    ),
    "deeply nested": lambda: (
        samples.report().replace("$scope.scenarios = [", "$scope.scenarios = " + "[" * 200_000).encode()
    ),
    "nan for a count": replaced('"iterations_count": 4', '"iterations_count": NaN'),
}

JSON_FINE = json.dumps(samples.RESULTS).encode()
HOOK_RESULT = samples.RESULTS["tasks"][0]["subtasks"][0]["workloads"][0]["hooks"][0]


def document(**changes: object) -> Kind:
    return lambda: json.dumps(samples.results(**changes)).encode()


RESULTS: dict[str, Kind] = {
    "no such file": lambda: None,
    "empty": lambda: b"",
    "cut off": lambda: JSON_FINE[: len(JSON_FINE) // 2],
    "html": lambda: FINE,
    "a list of numbers": lambda: b"[1, 2, 3]",
    "a number": lambda: b"42",
    "no tasks": lambda: b'{"info": {}, "tasks": []}',
    "no tasks key": lambda: b'{"info": {}}',
    "another tool's": lambda: b'{"results": [], "version": 3}',
    "latin-1": lambda: JSON_FINE.replace(b"Run script", "Dr\u00fcck".encode("latin-1")),
    "deeply nested": lambda: b"[" * 300_000,
    "start_time is a text": document(start_time="noon"),
    "timestamp is NaN": document(data=[{"timestamp": float("nan"), "duration": 1.0, "error": []}]),
    "timestamp in the year 9999": document(data=[{"timestamp": 253402300799.0, "duration": 1.0, "error": []}]),
    "timestamp is huge": document(data=[{"timestamp": 1e300, "duration": 1.0, "error": []}]),
    "duration is infinite": document(data=[{"timestamp": 1574186023.0, "duration": float("inf"), "error": []}]),
    "data is a mapping": document(data={"a": 1}),
    "hooks is null and so is data": document(hooks=3, data=None),
    "a hook result has no times": document(hooks=[{**HOOK_RESULT, "results": [{"status": "success"}]}]),
    "runner is a list": document(runner=[]),
    "scenario is a text": document(scenario="Dummy"),
}

CLUSTERS: dict[str, Kind] = {
    "no such file": lambda: None,
    "empty": lambda: b"",
    "binary": lambda: bytes(range(256)),
    "a list": lambda: b"- a\n- b\n",
    "a text": lambda: b"hello",
    "a tab": lambda: b"containers:\n\tglance_api: {}\n",
    "not closed": lambda: b"node_discover: {driver: node_list, args: [\n",
    "duplicate keys": lambda: samples.CLUSTER.encode() + b"containers: {}\n",
    "a python tag": lambda: b"node_discover: !!python/object/apply:os.system ['true']\n",
    "an unknown alias": lambda: b"node_discover: *nobody\n",
    "an alias bomb": lambda: (
        b"a: &a [x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b", ".join([b"*%c" % (97 + i)] * 9)) for i in range(9))
    ),
    "deep": lambda: b"node_discover: " + b"[" * 5_000,
    "two documents": lambda: samples.CLUSTER.encode() + b"---\na: 1\n",
    "nodes is a text": lambda: b"node_discover: {driver: node_list, args: everything}\n",
    "a node without ip and fqdn": lambda: b"node_discover: {driver: node_list, args: [{auth: {username: x}}]}\n",
    "a node's ip is a number": lambda: b"node_discover: {driver: node_list, args: [{ip: 5}]}\n",
    "containers is a list": lambda: samples.CLUSTER.split("containers:")[0].encode() + b"containers: [glance_api]\n",
    "hosts is a text": lambda: samples.CLUSTER.replace("[192.0.2.1]", "192.0.2.1").encode(),
    "hosts holds a mapping": lambda: samples.CLUSTER.replace("[192.0.2.1]", "[{ip: 192.0.2.1}]").encode(),
    "no driver": lambda: samples.CLUSTER.replace("driver: docker_container", "drivr: docker_container").encode(),
    "utf-16": lambda: samples.CLUSTER.encode("utf-16"),
}


def assert_refused(arguments: list[str], named: Path) -> str:
    done = run(*arguments)
    assert done.exit_code == 2, done
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert re.match(r"error: .+: .+; .+", lines[0]), lines[0]
    assert str(named.name) in lines[0]
    assert "Traceback" not in lines[0]
    assert "sample-password" not in lines[0]
    return lines[0]


def written(folder: Path, name: str, kind: Kind) -> Path:
    path = folder / name
    data = kind()
    if data is not None:
        path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", REPORTS.values(), ids=REPORTS)
def test_a_report_that_is(kind: Kind, tmp_path: Path):
    path = written(tmp_path, "report.html", kind)
    assert_refused(["inspect", str(path), "--json"], path)


@pytest.mark.parametrize("kind", RESULTS.values(), ids=RESULTS)
def test_result_json_that_is(kind: Kind, tmp_path: Path):
    report = written(tmp_path, "report.html", lambda: FINE)
    path = written(tmp_path, "results.json", kind)
    assert_refused(["inspect", str(report), "--results", str(path), "--json"], path)


@pytest.mark.parametrize("kind", CLUSTERS.values(), ids=CLUSTERS)
def test_a_cluster_file_that_is(kind: Kind, tmp_path: Path):
    report = written(tmp_path, "report.html", lambda: FINE)
    path = written(tmp_path, "os-faults.yaml", kind)
    assert_refused(["inspect", str(report), "--cluster", str(path), "--json"], path)


def test_a_report_that_is_cut_off_at_any_byte(tmp_path: Path):
    """Before the data's end every cut is refused; behind it nothing that matters is lost."""
    end_of_data = FINE.index(b"\n", FINE.index(b"$scope.scenarios")) - 1
    path = tmp_path / "report.html"
    for cut in [*range(1, end_of_data, 97), end_of_data - 1]:
        path.write_bytes(FINE[:cut])
        assert_refused(["inspect", str(path), "--json"], path)


def test_the_sample_that_all_of_these_change_is_fine(tmp_path: Path):
    report = written(tmp_path, "report.html", lambda: FINE)
    results = written(tmp_path, "results.json", lambda: JSON_FINE)
    cluster = written(tmp_path, "os-faults.yaml", lambda: samples.CLUSTER.encode())
    script = written(tmp_path, "restart.sh", lambda: samples.SCRIPT.encode())
    done = run(
        "inspect",
        str(report),
        "--results",
        str(results),
        "--cluster",
        str(cluster),
        "--hook-script",
        str(script),
        "--json",
    )
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    [injection] = document["injections"]
    assert injection["started_at"] == "2019-11-19T17:53:46.522152Z"
    assert injection["effect"] == "full"
    [target] = document["targets"]
    assert (target["node"], target["container"], target["effective"]) == ("ctl1", "glance_api", True)
    assert [t["outcome"] for t in document["triggers"]] == ["fired", "not_reached"]
    assert "sample-password" not in done.stdout
