"""From a candidate to a version that never changes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import faultset
import releases
from faultset import release, tables
from faultset.errors import AnswerIsNo, InputError, SetupError
from faultset.records.validation import Finding, Validation
from faultset.release.commit import latest_manifest, publish
from faultset.release.verify import verify
from releases import NOW, SLUG, candidate, published


def load(path: Path) -> Any:
    return json.loads(path.read_bytes())


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def more_injections(*values: float) -> dict[str, list[Any]]:
    content = releases.rows()
    content["injections"] += [releases.injection(value) for value in values]
    return content


def test_the_first_version_has_everything_that_a_consumer_reads(tmp_path: Path) -> None:
    made = candidate(tmp_path, "a")
    result = publish(made, tmp_path, created_at=NOW)
    assert (result.version, result.new, result.path) == ("1.0.0", True, tmp_path / SLUG / "1.0.0")
    names = set(snapshot(result.path))
    assert names == {f"{table.name}.parquet" for table in tables.TABLES} | {
        "manifest.json",
        "README.md",
        "CHANGES.md",
        "CITATION.cff",
        "croissant.json",
        "datacite.json",
        "datapackage.json",
        "dictionary.md",
        "ro-crate-metadata.json",
        "workflow.cwl",
        "validation/results.json",
    }
    assert not made.folder.exists()


def test_the_manifest_names_every_file_with_hash_rows_and_columns(tmp_path: Path) -> None:
    result = published(tmp_path, "a")
    manifest = load(result.path / "manifest.json")
    files = {entry["path"]: entry for entry in manifest["files"]}
    on_disk = snapshot(result.path)
    assert set(files) == set(on_disk) - {"manifest.json"}
    for name, entry in files.items():
        assert entry["bytes"] == len(on_disk[name])
        assert entry["sha256"] == hashlib.sha256(on_disk[name]).hexdigest()
    assert files["targets.parquet"]["rows"] == 2
    assert files["targets.parquet"]["schema"][0] == {"name": "injection_id", "type": "string", "nullable": False}
    assert files["README.md"]["rows"] is None


def test_the_manifest_says_where_the_version_comes_from(tmp_path: Path) -> None:
    manifest = load(published(tmp_path, "a").path / "manifest.json")
    assert (manifest["slug"], manifest["version"], manifest["previous"]) == (SLUG, "1.0.0", None)
    assert manifest["created_at"] == "2026-01-02T03:04:05.000000Z"
    assert manifest["inputs"][0] == {"role": "report", "uri": "report.html", "bytes": 1234} | {
        "sha256": hashlib.sha256(b"a").hexdigest()
    }
    assert manifest["tools"]["faultset"] == faultset.__version__
    assert set(manifest["tools"]) == {
        *("faultset", "python", "pyarrow", "polars", "pandas", "numpy", "scipy", "matplotlib", "great-expectations")
    }
    summary = manifest["validation"]
    assert {key: summary[key] for key in ("passed", "critical", "warning", "info", "expectations")} == {
        "passed": True,
        "critical": 0,
        "warning": 1,
        "info": 0,
        "expectations": 17,
    }
    assert summary["findings"][0]["message"] == releases.WARNING.message


def test_pointer_and_index_name_the_version(tmp_path: Path) -> None:
    result = published(tmp_path, "a")
    digest = hashlib.sha256((result.path / "manifest.json").read_bytes()).hexdigest()
    assert result.manifest_sha256 == digest
    assert load(tmp_path / SLUG / "latest.json") == {"version": "1.0.0", "manifest_sha256": digest}
    (dataset,) = load(tmp_path / "index.json")["datasets"]
    assert dataset["slug"] == SLUG
    assert [(entry["version"], entry["manifest_sha256"]) for entry in dataset["versions"]] == [("1.0.0", digest)]


def test_a_time_of_publication_in_another_zone_is_written_as_utc(tmp_path: Path) -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    result = publish(candidate(tmp_path, "a"), tmp_path, created_at=NOW.astimezone(zone))
    assert load(result.path / "manifest.json")["created_at"] == "2026-01-02T03:04:05.000000Z"


def test_the_same_fingerprint_gives_no_new_version_and_writes_nothing(tmp_path: Path) -> None:
    published(tmp_path, "a")
    again = candidate(tmp_path, "a")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    result = publish(again, tmp_path, created_at=NOW + dt.timedelta(days=1))
    assert (result.version, result.new) == ("1.0.0", False)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_numbers_follow_from_the_records(tmp_path: Path) -> None:
    changed = more_injections(500)
    changed["injections"][0] = releases.injection(250, effect="none")
    results = [
        published(tmp_path, "a"),
        published(tmp_path, "b", more_injections(500)),
        published(tmp_path, "c", more_injections(500), title="Another title"),
        published(tmp_path, "d", changed),
        published(tmp_path, "e"),
    ]
    assert [result.version for result in results] == ["1.0.0", "1.1.0", "1.1.1", "2.0.0", "3.0.0"]
    assert [result.changes for result in results] == [
        "first version",
        "minor: injections +1",
        "patch: no record differs",
        "major: injections ~1",
        "major: injections -1 ~1",
    ]
    assert load(results[1].path / "manifest.json")["previous"] == {
        "version": "1.0.0",
        "manifest_sha256": results[0].manifest_sha256,
    }
    assert verify(tmp_path) == ()


def test_a_version_never_changes(tmp_path: Path) -> None:
    first = published(tmp_path, "a")
    before = snapshot(first.path)
    published(tmp_path, "b", more_injections(500))
    publish(candidate(tmp_path, "b"), tmp_path, created_at=NOW)
    assert snapshot(first.path) == before


def test_the_same_candidate_gives_the_same_bytes_everywhere(tmp_path: Path) -> None:
    one, two = published(tmp_path / "one", "a"), published(tmp_path / "two", "a")
    assert snapshot(one.path) == snapshot(two.path)
    assert snapshot(tmp_path / "one" / SLUG) == snapshot(tmp_path / "two" / SLUG)


def test_a_candidate_that_failed_its_validation_is_refused(tmp_path: Path) -> None:
    critical = Finding("critical", "injections.start_before_end", "injections", None, "it ends first", (), 1, "mend it")
    made = candidate(tmp_path, "a", validation=Validation(False, (critical,), 17, None))
    with pytest.raises(AnswerIsNo, match="1 critical findings: it ends first; mend it") as caught:
        publish(made, tmp_path, created_at=NOW)
    assert caught.value.exit_code == 1
    assert made.folder.is_dir()
    assert release.versions(tmp_path) == []


def test_an_incomplete_candidate_is_given_back_as_it_was(tmp_path: Path) -> None:
    made = candidate(tmp_path, "a")
    (made.folder / "targets.parquet").unlink()
    before = snapshot(made.folder)
    with pytest.raises(InputError, match=r"no targets\.parquet"):
        publish(made, tmp_path, created_at=NOW)
    assert snapshot(made.folder) == before
    assert release.leftovers(tmp_path) == []


def test_a_link_in_a_candidate_is_refused(tmp_path: Path) -> None:
    made = candidate(tmp_path, "a")
    (made.folder / "validation" / "link").symlink_to("/etc")
    with pytest.raises(InputError, match="no ordinary file"):
        publish(made, tmp_path, created_at=NOW)
    assert made.folder.is_dir()


def test_a_candidate_that_is_gone_is_one_clear_line(tmp_path: Path) -> None:
    made = candidate(tmp_path, "a")
    shutil.rmtree(made.folder)
    with pytest.raises(SetupError, match="the candidate is gone"):
        publish(made, tmp_path, created_at=NOW)


def test_a_candidate_whose_content_is_published_need_not_be_there(tmp_path: Path) -> None:
    made = candidate(tmp_path, "a")
    publish(made, tmp_path, created_at=NOW)
    assert not publish(made, tmp_path, created_at=NOW).new


def test_a_name_that_leaves_the_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no name for an experiment or its dataset"):
        publish(dataclasses.replace(candidate(tmp_path, "a"), slug="../x"), tmp_path, created_at=NOW)


def test_steps_are_told(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    publish(candidate(tmp_path, "a"), tmp_path, created_at=NOW, progress=lambda *step: told.append(step))
    assert [(done, total) for done, total, _ in told] == [(0, 3), (1, 3), (2, 3)]


# --- what a crash leaves --------------------------------------------------------------------------------------------


def without_second_pointer(tmp_path: Path) -> None:
    """Two versions, and pointer and index as they were before the second was shown."""
    published(tmp_path, "a")
    kept = {name: (tmp_path / name).read_bytes() for name in (f"{SLUG}/latest.json", "index.json")}
    published(tmp_path, "b", more_injections(500))
    for name, data in kept.items():
        (tmp_path / name).write_bytes(data)


def test_a_version_that_the_pointer_does_not_name_yet_is_listed_and_no_damage(tmp_path: Path) -> None:
    without_second_pointer(tmp_path)
    assert [(record.version, record.latest) for record in release.versions(tmp_path)] == [
        ("1.0.0", True),
        ("1.1.0", False),
    ]
    assert verify(tmp_path) == ()
    assert latest_manifest(tmp_path, SLUG) is None


def test_publishing_the_same_again_moves_pointer_and_index(tmp_path: Path) -> None:
    without_second_pointer(tmp_path)
    result = published(tmp_path, "b", more_injections(500))
    assert (result.version, result.new) == ("1.1.0", False)
    assert load(tmp_path / SLUG / "latest.json")["version"] == "1.1.0"
    assert [entry["version"] for entry in load(tmp_path / "index.json")["datasets"][0]["versions"]] == [
        "1.0.0",
        "1.1.0",
    ]
    assert verify(tmp_path) == ()


def test_publishing_something_else_goes_on_from_the_newest_version(tmp_path: Path) -> None:
    without_second_pointer(tmp_path)
    assert published(tmp_path, "c", more_injections(500, 750)).version == "1.2.0"
    assert verify(tmp_path) == ()


def test_the_number_of_a_version_that_a_person_removed_is_not_used_again(tmp_path: Path) -> None:
    published(tmp_path, "a")
    shutil.rmtree(published(tmp_path, "b", more_injections(500)).path)
    result = published(tmp_path, "a")
    # Whoever had 1.1.0 may miss its records in the next one.
    assert (result.version, result.new) == ("2.0.0", True)
    assert verify(tmp_path) == ()


def test_a_lost_pointer_and_a_lost_index_are_written_anew(tmp_path: Path) -> None:
    published(tmp_path, "a")
    before = {name: (tmp_path / name).read_bytes() for name in (f"{SLUG}/latest.json", "index.json")}
    for name in before:
        (tmp_path / name).write_bytes(b"\xff{")
    assert not published(tmp_path, "a").new
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_nothing_is_built_on_a_damaged_version(tmp_path: Path) -> None:
    path = published(tmp_path, "a").path / "manifest.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"Restart", b"Restore"))
    made = candidate(tmp_path, "b")
    with pytest.raises(InputError, match=r"not the manifest that latest\.json names; run faultset verify"):
        publish(made, tmp_path, created_at=NOW)
    assert made.folder.is_dir()
    path.unlink()
    with pytest.raises(InputError, match="has no manifest"):
        publish(made, tmp_path, created_at=NOW)


# --- lists ----------------------------------------------------------------------------------------------------------


def test_versions_are_listed_by_number(tmp_path: Path) -> None:
    for number in range(12):
        published(tmp_path, str(number), more_injections(*range(500, 500 + number)))
    records = release.versions(tmp_path, SLUG)
    assert [record.version for record in records] == [f"1.{minor}.0" for minor in range(12)]
    assert [record.latest for record in records] == [False] * 11 + [True]
    assert records[-1].rows == {"workloads": 1, "triggers": 2, "injections": 12, "targets": 2, "iterations": 3}
    assert records[-1].findings == {"critical": 0, "warning": 1, "info": 0}
    assert records[0].created_at == "2026-01-02T03:04:05.000000Z"


def test_a_version_with_a_damaged_manifest_is_listed_beside_the_others(tmp_path: Path) -> None:
    path = published(tmp_path, "a").path / "manifest.json"
    published(tmp_path, "b", more_injections(500))
    path.chmod(0o644)
    path.write_bytes(b"{")
    assert [(record.version, record.fingerprint is None) for record in release.versions(tmp_path)] == [
        ("1.0.0", True),
        ("1.1.0", False),
    ]


def test_an_unknown_dataset_or_version_is_named(tmp_path: Path) -> None:
    published(tmp_path, "a")
    with pytest.raises(InputError, match="nova-restat: there is no dataset of this name"):
        release.versions(tmp_path, "nova-restat")
    with pytest.raises(InputError, match=r"there is no such version; there are 1\.0\.0"):
        release.version_folder(tmp_path, SLUG, "../1.0.0")
    assert release.version_folder(tmp_path, SLUG, "1.0.0") == tmp_path / SLUG / "1.0.0"


def test_the_latest_manifest_is_the_file(tmp_path: Path) -> None:
    assert latest_manifest(tmp_path, SLUG) is None
    result = published(tmp_path, "a")
    assert latest_manifest(tmp_path, SLUG) == load(result.path / "manifest.json")
