"""The commands that validate and publish, run for real in a process, as an operator runs them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from faultset import simulator

pytestmark = pytest.mark.integration

INCLUDE = Path(__file__).parents[2] / "include"
COMMAND = "import sys; from faultset.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A catalog with one sound and one broken experiment, beside a root for datasets."""
    root = tmp_path_factory.mktemp("place")
    simulator.simulate("nova-compute-restart", root / "catalog" / "nova", seed=1, iterations=60)
    simulator.simulate("glance-api-restart", root / "catalog" / "broken", seed=1, iterations=60)
    (root / "catalog" / "broken" / "report.html").write_bytes(b"<html>cut off")
    return root


def faultset(place: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    places = {"FAULTSET_CATALOG": str(place / "catalog"), "FAULTSET_DATASETS": str(place / "datasets")}
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **places, "PYTHONPATH": str(INCLUDE)},
    )


def document(done: subprocess.CompletedProcess[str], code: int = 0):
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_one_broken_experiment_fails_alone_and_is_named(place):
    done = faultset(place, "build", "--json")
    answer = document(done, code=2)
    assert [(built["slug"], built["injections"]) for built in answer["built"]] == [("nova", 2)]
    assert [failed["slug"] for failed in answer["failed"]] == ["broken"]
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "report.html" in errors[0]


def test_on_a_terminal_the_findings_are_shown_and_a_person_decides(place):
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    places = {"FAULTSET_CATALOG": str(place / "catalog"), "FAULTSET_DATASETS": str(place / "undecided")}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "publish", "nova"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, **places, "PYTHONPATH": str(INCLUDE), "TERM": "dumb"},
    )
    os.close(theirs)
    shown = said_on(ours)
    stdout, _ = process.communicate(timeout=60)
    assert "Findings" in shown
    assert "Publish nova? [y/N]: " in shown
    assert "error: nova: not published, as you answered" in shown
    assert stdout == b""
    assert process.returncode == 1
    assert not (place / "undecided" / "nova").exists()


def said_on(terminal: int) -> str:
    """Return all that is said on a terminal until the last process at its other end is gone."""
    said = b""
    try:
        while data := os.read(terminal, 65_536):
            said += data
    except OSError:  # how Linux tells that nobody is at the other end
        pass
    finally:
        os.close(terminal)
    return said.decode()


def test_a_dataset_is_published_once_verified_and_found_damaged(place):
    first = document(faultset(place, "publish", "nova", "--approve", "--json"))
    assert (first["version"], first["new"]) == ("1.0.0", True)
    assert Path(first["folder"], "injections.parquet").is_file()
    assert (place / "datasets" / first["path"]).is_dir()

    again = document(faultset(place, "publish", "nova", "--json"))
    assert (again["version"], again["new"]) == ("1.0.0", False)
    listed = document(faultset(place, "versions", "nova", "--json"))["versions"]
    assert [(row["version"], row["latest"]) for row in listed] == [("1.0.0", True)]
    assert document(faultset(place, "verify", "nova", "1.0.0", "--json"))["intact"]

    card = Path(first["folder"], "README.md")
    content = card.read_bytes()
    card.chmod(0o644)
    card.write_bytes(content + b"x")
    damaged = document(faultset(place, "verify", "--json"), code=1)
    assert [damage["path"] for damage in damaged["damages"]] == ["nova/1.0.0/README.md"]
    assert "README.md" in faultset(place, "verify").stdout
    card.write_bytes(content)


def test_a_difference_is_told_in_words(place):
    document(faultset(place, "publish", "nova", "--json"))
    described = place / "catalog" / "nova" / "experiment.yaml"
    described.write_text(f"{described.read_text()}\ncomponents: {{nova_compute: another}}\n")
    second = document(faultset(place, "publish", "nova", "--json"))
    assert second["new"]
    answer = document(faultset(place, "diff", "nova", "1.0.0", second["version"], "--json"))
    assert answer["words"]
    shown = faultset(place, "diff", "nova", "1.0.0", second["version"]).stdout
    assert f"- {answer['words'][0]}" in shown.splitlines()


def test_a_report_is_validated_with_its_cluster(place):
    folder = place / "catalog" / "nova"
    answer = document(
        faultset(place, "validate", folder / "report.html", "--cluster", folder / "os-faults.yaml", "--json")
    )
    assert answer["passed"]
    assert {"severity", "expectation", "table", "column", "message", "where", "count"} <= set(answer["findings"][0])
    shown = faultset(place, "validate", "nova")
    assert shown.returncode == 0
    assert "passed: " in shown.stdout


def test_a_critical_finding_is_the_answer_no(place):
    # The results of another run: the two files disagree on what happened.
    other = place / "other"
    simulator.simulate("glance-api-restart", other, seed=2, iterations=60)
    folder = place / "catalog" / "nova"
    cluster = ["--cluster", folder / "os-faults.yaml"]
    done = faultset(place, "validate", folder / "report.html", *cluster, "--results", other / "results.json", "--json")
    answer = document(done, code=1)
    assert not answer["passed"]
    assert answer["findings"][0]["severity"] == "critical"


def test_no_secret_of_the_inputs_is_printed_or_kept(place):
    done = faultset(place, "publish", "nova", "--json")
    assert document(done)["version"]
    kept = b"".join(path.read_bytes() for path in (place / "datasets").rglob("*") if path.is_file())
    for secret in simulator.SECRETS:
        assert secret not in done.stdout + done.stderr
        assert secret.encode() not in kept
