"""Runs hostile files through the command line, in this process, and holds what must hold for every one of them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import samples
from faultset_cli import Done, run

LONGEST_S = 10.0
SECRET = "hunter2-Zq9!x"


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def inspected(
    folder: Path,
    *,
    report: bytes | None = None,
    results: bytes | None = None,
    cluster: bytes | None = None,
    scripts: Sequence[bytes] = (),
    secrets: Sequence[str] = (SECRET, "sample-password"),
) -> Done:
    """Inspect the files given, the sample's where none is given, both as tables and as JSON; return the latter."""
    written = {
        "report.html": samples.report().encode() if report is None else report,
        **({"results.json": results} if results is not None else {}),
        "os-faults.yaml": samples.CLUSTER.encode() if cluster is None else cluster,
        **{f"script{number}.sh": script for number, script in enumerate(scripts)},
    }
    for name, data in written.items():
        (folder / name).write_bytes(data)
    before = listing(folder.parent)
    arguments = ["inspect", str(folder / "report.html"), "--cluster", str(folder / "os-faults.yaml")]
    arguments += ["--results", str(folder / "results.json")] if results is not None else []
    arguments += [part for name in written if name.startswith("script") for part in ("--hook-script", folder / name)]
    started = time.process_time()
    shown, done = run(*map(str, arguments)), run(*map(str, arguments), "--json")
    assert time.process_time() - started < 2 * LONGEST_S
    held(shown, secrets)
    held(done, secrets)
    assert (shown.exit_code, shown.stderr) == (done.exit_code, done.stderr)
    assert all(line.isprintable() for line in shown.stdout.splitlines())
    assert listing(folder.parent) == before
    if done.exit_code == 0:
        json.loads(done.stdout)
    return done


def held(done: Done, secrets: Sequence[str] = (SECRET,)) -> None:
    """Hold what must hold for every call, whatever it reads."""
    assert done.exit_code in {0, 1, 2}, done
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "internal:" not in said, done.stderr
    assert not [secret for secret in secrets if secret in said]
    lines = done.stderr.splitlines()
    assert all(line.isprintable() for line in lines), lines
    if done.exit_code == 2:
        assert len(lines) == 1
        assert lines[0].startswith("error: ")
        assert done.stdout == ""
