"""Result JSON, YAML and hook scripts that want to run something, take forever, or pass for something else."""
# ruff: noqa: E501 (a line a case reads better than one wrapped)

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import samples
from faultset_cli import run
from hostile_entry import SECRET, held, inspected

Made = Callable[[], str | bytes]


def as_bytes(made: Made) -> bytes:
    data = made()
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data


def document(**changes: object) -> Made:
    return lambda: json.dumps(samples.results(**changes))


FINE_JSON = json.dumps(samples.RESULTS)
ROW = {"timestamp": 1574186023.0, "duration": 2.0, "error": [], "output": {}}
HOOK_RESULTS = samples.RESULTS["tasks"][0]["subtasks"][0]["workloads"][0]["hooks"]


def hook_result(**changes: object) -> Made:
    hooks = copy.deepcopy(HOOK_RESULTS)
    hooks[0]["results"][0].update(changes)
    return document(hooks=hooks)


RESULTS: dict[str, tuple[Made, int]] = {
    "nested 900 deep in a place nobody looks": (lambda: FINE_JSON[:-1] + ', "x": ' + "[" * 900 + "]" * 900 + "}", 0),
    "nested 100,000 deep in a place nobody looks": (lambda: FINE_JSON[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}", 2),
    "mappings nested 100,000 deep": (lambda: FINE_JSON[:-1] + ', "x": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}", 2),
    "an integer of 5,000 digits": (lambda: FINE_JSON[:-1] + ', "x": ' + "9" * 5000 + "}", 2),
    "an integer of 5,000 digits beside NaN": (lambda: FINE_JSON[:-1] + ', "y": NaN, "x": ' + "9" * 5000 + "}", 2),
    "duplicate tasks": (lambda: '{"tasks": [], ' + FINE_JSON[1:], 0),
    "two documents": (lambda: FINE_JSON + FINE_JSON, 2),
    "text behind the end": (lambda: FINE_JSON + "<script>alert(1)</script>", 2),
    "lone surrogates as keys": (lambda: FINE_JSON[:-1] + ', "\\ud800": 1}', 0),
    "lone surrogates as a scenario": (document(scenario={"\ud800.x": {}}), 0),
    "raw surrogate bytes": (lambda: FINE_JSON.encode().replace(b"Run script", b"\xed\xa0\x80"), 2),
    "overlong UTF-8": (lambda: FINE_JSON.encode().replace(b"Run script", b"\xc0\xaf\xc0\xaf"), 2),
    "UTF-7": (lambda: FINE_JSON.replace("Run script", "+ADw-script+AD4-"), 0),
    "markup as a scenario": (document(scenario={"<img src=x onerror=alert(1)>.x": {}}), 0),
    "terminal escapes as a status": (hook_result(status="\x1b[2J\x1b]0;x\x07"), 0),
    "a negative moment": (hook_result(started_at=-1), 2),
    "a moment that is an array": (hook_result(started_at=[1574186026.5]), 2),
    "an end before the start": (hook_result(started_at=1574186029.0, finished_at=1574186020.0), 0),
    "a trigger at minus one": (hook_result(triggered_by={"event_type": "iteration", "value": -1}), 2),
    "a trigger at 1e308": (hook_result(triggered_by={"event_type": "iteration", "value": 1e308}), 0),
    "a traceback as an error": (document(data=[{**ROW, "error": ["E", 'Traceback\n  File "/etc/passwd"', "t"]}]), 0),
    "a thousand million iterations claimed": (document(total_iteration_count=10**9), 0),
    "fewer iterations claimed than listed": (document(total_iteration_count=1), 2),
    "more workloads than allowed": (lambda: json.dumps({"tasks": [{"subtasks": [{"workloads": [
        samples.RESULTS["tasks"][0]["subtasks"][0]["workloads"][0] | {"data": [], "hooks": []}] * 1001}]}]}), 2),
    "more hooks than allowed": (document(hooks=[{**HOOK_RESULTS[0], "results": []}] * 1001), 2),
}  # fmt: skip


@pytest.mark.parametrize(("made", "code"), RESULTS.values(), ids=RESULTS)
def test_result_json_with(made: Made, code: int, tmp_path: Path):
    done = inspected(tmp_path, results=as_bytes(made))
    # What holds two truths of one run may be told so (a warning), but never stops the reading of the file itself.
    assert done.exit_code == code, done.stderr


NODES = samples.CLUSTER.split("containers:")[0]

CLUSTERS: dict[str, tuple[Made, int]] = {
    "a python object": (lambda: samples.CLUSTER + "x: !!python/object/apply:os.system ['touch owned']\n", 2),
    "a python name": (lambda: samples.CLUSTER + "x: !!python/name:os.system\n", 2),
    "a local tag": (lambda: samples.CLUSTER + "x: !vault |\n  6162\n", 2),
    "a declared tag": (lambda: "%TAG ! tag:yaml.org,2002:python/\n---\n" + samples.CLUSTER + "x: !object/new:os.system []\n", 2),
    "a binary value": (lambda: samples.CLUSTER + "x: !!binary aGVsbG8=\n", 2),
    "a set": (lambda: samples.CLUSTER + "x: !!set {a, b}\n", 2),
    "an alias of itself": (lambda: samples.CLUSTER + "x: &x [*x]\n", 2),
    "a thousand million laughs": (lambda: samples.CLUSTER + "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)), 2),
    "laughs through merge keys": (lambda: samples.CLUSTER + "m0: &m0 {" + ", ".join(f"k{n}: x" for n in range(100)) + "}\n" + "".join(
        f"m{n}: &m{n} {{<<: [{','.join([f'*m{n - 1}'] * 50)}]}}\n" for n in range(1, 6)), 2),
    "a merge of a text": (lambda: samples.CLUSTER + "x: {<<: text}\n", 2),
    "a merge that takes a key's place": (lambda: "base: &b {driver: evil}\n" + samples.CLUSTER.replace("driver: docker_container", "<<: *b\n    driver: docker_container"), 0),
    "a merge with itself": (lambda: samples.CLUSTER + "x: &x {<<: *x}\n", 2),
    "a key that is a list": (lambda: samples.CLUSTER + "? [a, b]\n: c\n", 2),
    "keys that are one in different notation": (lambda: samples.CLUSTER + '"\\x63ontainers": {}\n', 2),
    "nesting": (lambda: samples.CLUSTER + "x: " + "[" * 1000 + "]" * 1000 + "\n", 2),
    "nesting of blocks": (lambda: samples.CLUSTER + "".join(" " * n + "a:\n" for n in range(300)), 2),
    "more values than allowed": (lambda: samples.CLUSTER + "x: [" + "a," * 210_000 + "]\n", 2),
    "a number of a megabyte": (lambda: samples.CLUSTER + "x: " + "9" * 1_000_000 + "\n", 2),
    "a comment of a megabyte": (lambda: samples.CLUSTER + "#" * 1_000_000 + "\n", 0),
    "100,000 comments": (lambda: samples.CLUSTER + "# role: compute\n" * 100_000, 0),
    "a quote that is never closed": (lambda: samples.CLUSTER + "x: '" + "a" * 1_000_000, 2),
    "a file above its limit": (lambda: samples.CLUSTER + "#" * (8 * 1024**2), 2),
    "an indicator only": (lambda: "&", 2),
    "a directive that is none": (lambda: "%YAML 9.9\n---\n" + samples.CLUSTER, 2),
    "control characters": (lambda: samples.CLUSTER + "x: \x1b[2J\n", 2),
    "escaped control characters as a name": (lambda: samples.CLUSTER.replace("glance_api:\n", '"glance\\e[2J\\u202e":\n'), 0),
    "a node called like a path": (lambda: samples.CLUSTER.replace("fqdn: ctl1", "fqdn: ../../etc/passwd"), 2),
    "a node called like markup": (lambda: samples.CLUSTER.replace("fqdn: ctl1", "fqdn: '<script>alert(1)</script>'"), 2),
    "a node's name over two lines": (lambda: samples.CLUSTER.replace("fqdn: ctl1", 'fqdn: "a\\nb"'), 2),
    "a secret where an address belongs": (lambda: samples.CLUSTER.replace("ip: 192.0.2.1 ", f"ip: 'password={SECRET}' "), 2),
}  # fmt: skip


@pytest.mark.parametrize(("made", "code"), CLUSTERS.values(), ids=CLUSTERS)
def test_a_cluster_file_with(made: Made, code: int, tmp_path: Path):
    done = inspected(tmp_path, cluster=as_bytes(made))
    assert done.exit_code == code, done.stderr
    assert not list(tmp_path.rglob("owned"))


ENTRY = "title: t\ncluster: os-faults.yaml\nruns: [{report: report.html}]\n"

ENTRIES: dict[str, Made] = {
    "a tag": lambda: ENTRY + "description: !!python/object/apply:os.system [id]\n",
    "an unknown key with escapes": lambda: ENTRY + '"\\e[2Jx": 1\n',
    "a NUL in a path": lambda: ENTRY.replace("report.html", '"re\\0port.html"'),
    "a line feed in a path": lambda: ENTRY.replace("report.html", '"re\\nport.html"'),
    "a path of 5,000 letters": lambda: ENTRY.replace("report.html", "a" * 5000),
    "a host instead of a file": lambda: ENTRY.replace("report.html", "file://evil.example/share/x"),
    "a device as the report": lambda: ENTRY.replace("report.html", "/dev/zero"),
    "a folder as the report": lambda: ENTRY.replace("report.html", "/"),
    "a scheme of nobody": lambda: ENTRY.replace("report.html", "gopher://x/y"),
    "a pattern that walks the disk upwards": lambda: ENTRY + "telemetry: [{kind: metrics, files: '../nowhere/**/*.csv', time_zone: UTC}]\n",
    "a zone that is a path": lambda: ENTRY + "telemetry: [{kind: metrics, files: '*.csv', time_zone: ../../etc/passwd}]\n",
    "a licence that is markup": lambda: ENTRY + "license: '<script>'\n",
    "a file above its limit": lambda: ENTRY + "#" * 1_100_000,
}  # fmt: skip


@pytest.mark.parametrize("made", ENTRIES.values(), ids=ENTRIES)
def test_an_experiment_with(made: Made, tmp_path: Path):
    folder = tmp_path / "catalog" / "slug"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(samples.report())
    (folder / "os-faults.yaml").write_text(samples.CLUSTER)
    (folder / "experiment.yaml").write_bytes(as_bytes(made))
    done = run("build", "slug", "--catalog", str(tmp_path / "catalog"), "--datasets", str(tmp_path / "datasets"))
    held(done)
    assert done.exit_code == 2, done


@pytest.mark.parametrize(
    "slug", ["../x", "/etc", "a/b", "..", ".", "", "a\nb", "A", "-x", "a" * 101, "a\u202eb", "con\x00"]
)
def test_a_slug_that_is_a_path_names_nothing(slug: str, tmp_path: Path):
    for command in (["build"], ["publish"], ["rollback"], ["verify"], ["diff"]):
        more = {"rollback": ["1.0.0"], "diff": ["1.0.0", "1.0.1"]}.get(command[0], [])
        done = run(*command, "--catalog", str(tmp_path), "--datasets", str(tmp_path / "d"), "--", slug, *more)
        held(done)
        assert done.exit_code == 2, (command, done)


SCRIPTS: dict[str, Made] = {
    "a fork bomb": lambda: ":(){ :|:& };:\n",
    "a loop without end": lambda: "while true; do docker restart glance_api; done\n",
    "loops in loops": lambda: "for a in {1..9999}; do for b in {1..9999}; do for c in {1..9999}; do docker stop x; done; done; done\n",
    "braces in braces": lambda: "echo " + "{a,b}" * 60 + "\n",
    "a range of thousand millions": lambda: "for i in {1..999999999}; do docker stop x; done\n",
    "substitutions nested 5,000 deep": lambda: "echo " + "$(" * 5000 + "x" + ")" * 5000 + "\n",
    "groups nested 20,000 deep": lambda: "(" * 20_000 + "docker stop x" + ")" * 20_000 + "\n",
    "conditions nested 3,000 deep": lambda: "if x; then " * 3000 + "docker stop x" + "; fi" * 3000 + "\n",
    "a script that calls itself": lambda: "sh script0.sh\n" * 100,
    "a function that calls itself": lambda: "f() { f; f; docker stop x; }\nf\n",
    "a variable that doubles itself": lambda: "A=aaaaaaaa\n" + "A=$A$A\n" * 60 + "docker stop $A\n",
    "an alias of a variable": lambda: "A='$B'\nB='$A'\neval docker stop $A\n",
    "a here document that never ends": lambda: "ssh x <<EOF\n" + "docker stop x\n" * 10_000,
    "a quote that never ends": lambda: "docker stop '" + "x" * 900_000,
    "500,000 semicolons": lambda: ";" * 500_000,
    "500,000 backslashes": lambda: "\\" * 500_000,
    "100,000 pipes": lambda: "a|" * 100_000 + "a",
    "arithmetic of 100,000 brackets": lambda: "echo $((" + "(" * 100_000 + "1" + ")" * 100_000 + "))\n",
    "a binary": lambda: b"\x7fELF\x02\x01\x01" + bytes(2000),
    "another encoding": lambda: "docker stop x".encode("utf-16"),
    "terminal escapes": lambda: "docker stop '\x1b[2Jnova\u202e_compute'\n",
    "a NUL": lambda: "docker stop x\x00y\n",
    "a file above its limit": lambda: "#" * (1024**2 + 1),
    "what it would delete": lambda: "rm -rf /; touch owned; docker stop glance_api\n",
}  # fmt: skip


@pytest.mark.parametrize("made", SCRIPTS.values(), ids=SCRIPTS)
def test_a_hook_script_that_is(made: Made, tmp_path: Path):
    inspected(tmp_path, scripts=[as_bytes(made)])
    assert not Path("owned").exists()
