"""The commands that take back, and what ``doctor --fix`` mends, as the command line answers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import meanwhile
import releases
from faultset.pipeline import operating
from faultset.release.verify import verify
from faultset.settings import Settings
from faultset_cli import Done, run
from releases import SLUG, published


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = releases.rows()
    rows["injections"].append(releases.injection(500))
    published(tmp_path, "a")
    published(tmp_path, "b", rows)
    return tmp_path


def ask(root: Path, *arguments: str) -> Done:
    return run(*arguments, "--datasets", str(root), "--json")


def answer(root: Path, *arguments: str) -> Any:
    done = ask(root, *arguments)
    assert (done.exit_code, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def test_rollback_withdraw_and_cite_say_what_is_the_latest(root: Path) -> None:
    done = answer(root, "rollback", SLUG, "1.0.0", "--reason", "late labels", "--by", "A. Person")
    assert done == {
        "slug": SLUG,
        "version": "1.0.0",
        "latest": "1.0.0",
        "why": "rollback of 1.0.0 by A. Person: late labels",
    }
    answer(root, "rollback", SLUG, "1.1.0", "--reason", "it was right")
    assert answer(root, "withdraw", SLUG, "1.1.0", "--reason", "late labels")["latest"] == "1.0.0"
    answer(root, "cite", SLUG, "1.0.0", "--doi", "10.5281/zenodo.1")
    first, second = answer(root, "versions")["versions"]
    assert (first["latest"], first["withdrawn"], first["cited"]) == (True, None, ["10.5281/zenodo.1"])
    assert (second["latest"], second["withdrawn"], second["cited"]) == (False, "late labels", [])


def test_people_see_what_was_decided(root: Path) -> None:
    run("withdraw", SLUG, "1.1.0", "--reason", "late \x1b[31mlabels", "--datasets", str(root))
    run("cite", SLUG, "1.0.0", "--doi", "10.5281/zenodo.1", "--datasets", str(root))
    shown = run("versions", "--datasets", str(root)).stdout
    assert "withdrawn: late [31mlabels" in shown
    assert "latest, cited: 10.5281/zenodo.1" in shown
    assert "\x1b" not in shown


def test_what_may_not_be_done_is_no_and_what_is_wrong_is_named(root: Path) -> None:
    done = ask(root, "rollback", SLUG, "1.1.0", "--reason", "why")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"error: {SLUG} 1.1.0: it is the latest already; see faultset versions {SLUG}\n"
    assert ask(root, "rollback", SLUG, "7.0.0", "--reason", "why").exit_code == 2
    assert ask(root, "withdraw", SLUG, "1.0.0", "--reason", "").exit_code == 2
    assert ask(root, "prune", "--keep", "0").exit_code == 2


def test_a_rollback_needs_no_reason(root: Path) -> None:
    assert ask(root, "rollback", SLUG, "1.0.0").exit_code == 0
    assert next(one["latest"] for one in json.loads(ask(root, "versions", SLUG).stdout)["versions"])


def test_prune_removes_only_when_told_to(root: Path) -> None:
    planned = answer(root, "prune", "--keep", "1")
    assert [(row["version"], row["kept"]) for row in planned["versions"]] == [("1.0.0", False), ("1.1.0", True)]
    assert (root / SLUG / "1.0.0").is_dir()
    kept = answer(root, "prune", SLUG, "--keep", "1", "--keep-days", "36500")
    assert [row["kept"] for row in kept["versions"]] == [True, True]
    assert answer(root, "prune", SLUG, "--keep", "1", "--remove")["removed"]
    assert not (root / SLUG / "1.0.0").exists()
    assert verify(root) == ()


def test_doctor_fix_mends_what_killed_writers_left_and_touches_no_version(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (root / SLUG).glob("*/**/*")}
    pointer = (root / SLUG / "latest.json").read_bytes()
    (root / SLUG / "latest.json").write_bytes(b"{")
    (root / "index.json").unlink()
    for name in (".staging/left/file", ".builds/x/dead/file", ".builds/x/living/file"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    long_ago = 1_000_000_000
    for path in (root / ".builds/x/dead/file", root / ".builds/x/dead"):
        os.utime(path, (long_ago, long_ago))
    found = {check["check"]: check for check in json.loads(ask(root, "doctor").stdout)["checks"]}
    assert not found["leftovers"]["ok"]
    assert not found["versions"]["ok"]
    mended = json.loads(ask(root, "doctor", "--fix").stdout)
    assert mended["done"] == [
        f"{SLUG}/latest.json: written anew",
        "index.json: written anew",
        ".staging/left: removed",
        ".builds/x/dead: removed",
    ]
    found = {check["check"]: check for check in mended["checks"]}
    assert found["leftovers"]["ok"]
    assert found["versions"]["ok"]
    assert (root / SLUG / "latest.json").read_bytes() == pointer
    assert (root / ".builds/x/living/file").exists()
    assert {path: path.stat().st_mtime_ns for path in (root / SLUG).glob("*/**/*")} == before
    assert json.loads(ask(root, "doctor", "--fix").stdout)["done"] == []


def test_two_doctors_do_not_stumble_over_one_another(root: Path) -> None:
    dead = root / ".builds" / "x" / "dead"
    dead.mkdir(parents=True)
    os.utime(dead, (1_000_000_000, 1_000_000_000))
    settings = Settings(str(root / "catalog"), str(root))
    with meanwhile.after(operating.dead_builds, dead.rmdir):
        operating.mend(settings)
    assert not dead.exists()


def test_doctor_fix_drops_what_a_person_removed_from_the_index(root: Path) -> None:
    for path in sorted((root / SLUG).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (root / SLUG).rmdir()
    assert verify(root) != ()
    assert json.loads(ask(root, "doctor", "--fix").stdout)["done"] == ["index.json: written anew"]
    assert verify(root) == ()
