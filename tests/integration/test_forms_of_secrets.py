"""A catalog of hooks in all forms that hold a secret: none is found in anything that is stored, shown or logged.

The whole way is gone: inspect, validate, build, publish, a dropped run with its verdict, pages, pictures, and what the
commands print with --debug.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from faultset.pipeline import claiming, judging
from faultset.settings import Settings
from faultset_cli import Done, run
from rally_samples import call_chart, firing, hook_result, iteration, page, results, scenario, shown, task, workload
from secret_forms import COMMANDS, DESCRIPTIONS, OUTPUTS, SCRIPTS, secret

pytestmark = pytest.mark.integration

CLUSTER = """
cloud_management: {driver: universal}
node_discover:
  driver: node_list
  args:
    - {ip: 192.0.2.11, fqdn: ctl01.cloud.example}  # role: controller
    - {ip: 192.0.2.21, fqdn: cmp01.cloud.example}  # role: compute
containers:
  nova_compute: {driver: docker_container, args: {container_name: nova_compute}, hosts: [192.0.2.21]}
  mariadb: {driver: docker_container, args: {container_name: mariadb}, hosts: [192.0.2.11]}
  rabbitmq: {driver: docker_container, args: {container_name: rabbitmq}, hosts: [192.0.2.11]}
"""
START = 1795445840
FAILED = "Command '{}' failed: Subprocess returned 1"


@dataclass(frozen=True)
class Planted:
    """A hook with its secrets: the command's, the description's and the output's."""

    command: str
    description: str
    stdout: str
    stderr: str


def planted() -> tuple[list[Planted], dict[str, str], frozenset[str]]:
    """All hooks, the scripts by name, and every part of every secret."""
    seeds = iter(range(10_000))
    secrets: set[str] = set()

    def fill(form: str) -> str:
        hidden = secret(next(seeds))
        secrets.add(hidden)
        return form.format(s=hidden)

    scripts = {f"hook{number}.sh": fill(form) for number, form in enumerate(SCRIPTS)}
    commands = [*map(fill, COMMANDS), *(f"sh ./{name}" for name in scripts)]
    hooks = [
        Planted(
            command,
            fill(DESCRIPTIONS[number % len(DESCRIPTIONS)]),
            fill(OUTPUTS[number % len(OUTPUTS)]),
            fill(OUTPUTS[(number + 3) % len(OUTPUTS)]),
        )
        for number, command in enumerate(commands)
    ]
    parts = {part for hidden in secrets for part in re.split(r"[-_.!]", hidden)}
    return hooks, scripts, frozenset(parts)


def config_of(hook: Planted) -> dict[str, Any]:
    return {
        "description": hook.description,
        "action": {"sys_call": hook.command},
        "trigger": {"event": {"unit": "iteration", "at": [5]}},
    }


def chart_of(hook: Planted) -> dict[str, Any]:
    return call_chart(hook.command, 0, hook.stdout, hook.stderr)


def report_of(hooks: list[Planted], fired: int) -> str:
    config = task(hooks=[config_of(hook) for hook in hooks])
    seen = [shown([firing(charts=[chart_of(hook)])], hook.description) for hook in hooks[-fired:]]
    return page([scenario(config=config, hooks=seen)], json.dumps(config))


def result_of(hook: Planted) -> dict[str, Any]:
    return hook_result(
        output={"additive": [], "complete": [{**chart_of(hook), "chart_plugin": "TextArea"}]},
        error={"etype": "n/a", "msg": FAILED.format(hook.command), "details": hook.stderr},
    )


def results_of(hooks: list[Planted], fired: int) -> dict[str, Any]:
    recorded = [
        {"config": config_of(hook), "results": [result_of(hook)] if hook in hooks[-fired:] else []} for hook in hooks
    ]
    errors = [
        iteration(START + 0.5 + number, error=["ScriptError", FAILED.format(hooks[number].command), "x"])
        for number in range(10)
    ]
    return results(workload(hooks=recorded, data=errors, failed_iteration_count=10))


def written(folder: Path, hooks: list[Planted], scripts: dict[str, str], fired: int = 1000) -> None:
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(report_of(hooks, fired))
    (folder / "results.json").write_text(json.dumps(results_of(hooks, fired)))
    (folder / "os-faults.yaml").write_text(CLUSTER)
    (folder / "scripts").mkdir()
    for name, text in scripts.items():
        (folder / "scripts" / name).write_text(text)


def entry(folder: Path, scripts: dict[str, str]) -> None:
    (folder / "metrics").mkdir()
    header = "now,cpu.user,mem.used,load.cpucore,load.min1,load.min5,load.min15"
    moments = [f"2026-11-23 14:{minute}:{second:02} UTC" for minute in range(55, 60) for second in range(60)]
    rows = [f"{moment},{number % 7}.5,{4096 * (number % 5)},8,1.0,1.0,1.0" for number, moment in enumerate(moments)]
    (folder / "metrics" / "cmp01_metrics.csv").write_text("\n".join([header, *rows]) + "\n")
    declared = {
        "title": "Hooks with secrets",
        "cluster": "os-faults.yaml",
        "runs": [
            {
                "report": "report.html",
                "results": "results.json",
                "hook_scripts": [f"scripts/{name}" for name in scripts],
            }
        ],
        "telemetry": [{"kind": "metrics", "files": "metrics/*.csv", "time_zone": "UTC"}],
    }
    (folder / "experiment.yaml").write_text(json.dumps(declared))


def texts_in(path: Path) -> Iterator[str]:
    """The texts of a file: its bytes, and what is packed within."""
    data = path.read_bytes()
    yield data.decode("latin-1")
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield repr(table.schema) + repr(table.schema.metadata)
        yield repr(table.to_pylist())
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            yield from (packed.read(name).decode("latin-1") for name in packed.namelist())
    elif path.suffix == ".png":
        for start in (match.end() for match in re.finditer(rb"zTXt|iTXt|IDAT", data)):
            try:
                yield zlib.decompressobj().decompress(data[start:]).decode("latin-1")
            except zlib.error:
                continue


def leaks(secrets: frozenset[str], *texts: str) -> set[str]:
    together = "\n".join(texts)
    return {hidden for hidden in secrets if hidden in together}


def leaks_in(secrets: frozenset[str], folder: Path) -> dict[str, set[str]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    found = {str(path): leaks(secrets, str(path), *texts_in(path)) for path in files}
    return {path: hidden for path, hidden in found.items() if hidden}


def said(*done: Done) -> list[str]:
    assert not [one for one in done if one.exit_code not in (0, 1)], done
    return [text for one in done for text in (one.stdout, one.stderr)]


def test_no_form_of_a_secret_is_shown_or_logged(tmp_path: Path) -> None:
    hooks, scripts, secrets = planted()
    folder = tmp_path / "run"
    written(folder, hooks, scripts)
    assert len(hooks) >= 90
    inputs = [path.read_text() for path in folder.rglob("*") if path.suffix in (".json", ".sh")]
    assert leaks(secrets, *inputs) == secrets  # the look finds what is there
    given = ["--cluster", str(folder / "os-faults.yaml")]
    given += [part for name in scripts for part in ("--hook-script", str(folder / "scripts" / name))]
    report, recorded = str(folder / "report.html"), str(folder / "results.json")
    spoken = said(
        run("--debug", "inspect", report, "--results", recorded, *given),
        run("--debug", "--json", "inspect", report, *given),
        run("--debug", "--json", "inspect", recorded, *given),
        run("--debug", "--json", "inspect", recorded),
        run("--debug", "--json", "validate", recorded, *given),
    )
    assert not leaks(secrets, *spoken)


def test_no_form_of_a_secret_is_stored_or_published(tmp_path: Path) -> None:
    hooks, scripts, secrets = planted()
    folder = tmp_path / "catalog" / "leaks"
    written(folder, hooks, scripts, fired=len(SCRIPTS) + 3)  # each firing gets a picture
    entry(folder, scripts)
    datasets = tmp_path / "datasets"
    options = ("--debug", "--catalog", str(tmp_path / "catalog"), "--datasets", str(datasets))
    assert not leaks(secrets, *said(run(*options, "build", "leaks")))
    assert leaks_in(secrets, datasets) == {}
    spoken = said(
        run(*options, "--json", "publish", "leaks", "--approve"),
        run(*options, "versions", "leaks"),
        run(*options, "--json", "verify"),
    )
    assert not leaks(secrets, *spoken)
    assert leaks_in(secrets, datasets) == {}
    version = datasets / "leaks" / "1.0.0"
    actions = pq.read_table(version / "triggers.parquet", columns=["action"])["action"].to_pylist()
    assert "ssh …@cmp01 docker restart nova_compute" in actions
    injection = pq.read_table(version / "injections.parquet", columns=["injection_id"])["injection_id"][0].as_py()
    assert not leaks(secrets, *said(run(*options, "why", "leaks", injection)))


def test_no_form_of_a_secret_is_in_the_verdict_of_a_dropped_run(tmp_path: Path) -> None:
    hooks, scripts, secrets = planted()
    settings = Settings(
        catalog=str(tmp_path / "catalog"),
        datasets=str(tmp_path / "datasets"),
        inbox=str(tmp_path / "inbox"),
        inbox_settle_s=0,
    )
    Path(settings.catalog).mkdir()
    written(tmp_path / "inbox" / "dropped", hooks, scripts)
    (verdict,) = (judging.judge(arrival, settings) for arrival in claiming.take(settings).arrivals)
    assert verdict is not None
    raw = {*scripts, "report.html", "results.json"}
    inputs_aside = {
        path: hidden for path, hidden in leaks_in(secrets, Path(settings.inbox)).items() if Path(path).name not in raw
    }
    assert inputs_aside == {}
    assert not leaks(secrets, repr(verdict))
