"""The description is valid by its formats' own validators, and their readers give the rows that are in the files."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import logging
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import consumer
import releases
from faultset import tables
from faultset.release import description, parquet
from faultset.release.commit import publish
from faultset.release.manifest import Manifest, decode

frictionless = pytest.importorskip("frictionless")
mlcroissant = pytest.importorskip("mlcroissant")

pytestmark = pytest.mark.integration

HOSTILE = "\"}</script><script>alert(1)</script> {{7*7}} '\\ @id @type # - \n--- | \x1b[31m\u202e"
TABLES = tuple(table.name for table in tables.EVERY_TABLE)
RECORD_SETS = (*TABLES, "metrics", "logs", "traces-1", "traces-2")


def content() -> dict[str, list[Any]]:
    """Rows of every table; each column that can be null is null once, and each list is empty, long and null."""
    rows = releases.rows()
    for table in tables.TABLES:
        rows[table.name] = [*rows[table.name], with_nulls(table, rows[table.name][-1])]
    rows["iterations"].append(releases.iteration(260, injection_ids=["boot.0.250", "boot.0.500"]))
    rows["impacts"] = [releases.impact("cpu.user"), with_nulls(tables.IMPACTS, releases.impact("mem.used"))]
    rows["impact_tests"] = [
        releases.impact_test("cpu.user"),
        with_nulls(tables.IMPACT_TESTS, releases.impact_test("x")),
    ]
    return rows


def with_nulls(table: tables.Table, row: Any) -> Any:
    """Return a row with another key, an empty text where a text must be, and null wherever a null can be."""
    changed: dict[str, Any] = {spec.name: None for spec in tables.columns(table) if spec.nullable}
    names = {"workload_id": "boot.1", "trigger_id": "boot.1.1", "injection_id": "boot.1.1", "evidence": ""}
    changed |= {name: value for name, value in names.items() if hasattr(row, name)}
    return dataclasses.replace(row, **changed)


def telemetry(folder: Path) -> None:
    whole_numbers = {"cpu.user": pa.array(np.arange(5)), "timestamp": pa.nulls(5, pa.timestamp("us", tz="UTC"))}
    write(folder, "metrics/wally117.parquet", releases.telemetry_rows(250))
    write(folder, "metrics/wally122.parquet", releases.telemetry_rows(5, **whole_numbers))
    write(folder, "logs/wally117.parquet", releases.telemetry_rows(3).append_column(HOSTILE, pa.array(["a", None, ""])))
    write(folder, "traces/boot.parquet", releases.telemetry_rows(2).rename_columns(["Host", *labels()]))
    write(folder, "traces/osprofiler.parquet", releases.telemetry_rows(2).rename_columns(["host", *labels()]))


def labels() -> list[str]:
    return releases.telemetry_rows(1).column_names[1:]


def write(folder: Path, path: str, data: pa.Table) -> None:
    releases.write_telemetry(folder, path, data)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version with every kind of file, and text that nobody should trust."""
    root = tmp_path_factory.mktemp("full")
    rows = content()
    candidate = releases.candidate(
        root,
        "a",
        rows,
        title=HOSTILE,
        description=f"{HOSTILE} in words",
        creators=({"name": HOSTILE, "orcid": "0000-0002-1825-0097"}, {"name": "A group"}),
    )
    parquet.write_table(tables.IMPACTS, rows["impacts"], candidate.folder / "impacts.parquet")
    parquet.write_table(tables.IMPACT_TESTS, rows["impact_tests"], candidate.folder / "impact_tests.parquet")
    telemetry(candidate.folder)
    return publish(candidate, root, created_at=releases.NOW).path


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version with nothing in its tables, no licence, no creator and no description."""
    root = tmp_path_factory.mktemp("bare")
    nothing: dict[str, list[Any]] = {table.name: [] for table in tables.TABLES}
    candidate = releases.candidate(root, "a", nothing, title="Bare", description="", license=None, creators=())
    return publish(candidate, root, created_at=releases.NOW).path


# --- Croissant ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(full: Path) -> Any:
    return mlcroissant.Dataset(str(full / "croissant.json"))


def test_croissant_is_valid_without_a_warning(full: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(str(full / "croissant.json"))
    assert dataset.metadata.ctx.issues.report() == ""
    assert not caplog.records
    assert dataset.metadata.ctx.is_v1_1()
    assert tuple(record_set.id for record_set in dataset.metadata.record_sets) == RECORD_SETS


@pytest.mark.parametrize("name", RECORD_SETS)
def test_croissant_loads_the_rows_of_the_files(full: Path, loaded: Any, name: str) -> None:
    found = [
        {unquote(key.partition("/")[2]): plain(value) for key, value in record.items()}
        for record in loaded.records(name)
    ]
    files = {"metrics": "metrics/*", "logs": "logs/*", "traces-1": "traces/b*", "traces-2": "traces/o*"}
    wanted = [
        row for path in sorted(full.glob(f"{files.get(name, name)}.parquet")) for row in pq.read_table(path).to_pylist()
    ]
    assert wanted
    assert found == wanted


def plain(value: Any) -> Any:
    """Return what the reader gives, texts as bytes and moments as pandas knows them, as Python's own values."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [plain(part) for part in value]
    if hasattr(value, "to_pydatetime"):
        moment: dt.datetime = value.to_pydatetime()
        return moment
    return value.item() if hasattr(value, "item") else value


def test_croissant_names_every_table_file_with_its_hash(full: Path) -> None:
    document = json.loads((full / "croissant.json").read_text())
    described = {
        entry["contentUrl"]: (entry["sha256"], entry["contentSize"])
        for entry in document["distribution"]
        if entry["@type"] == "cr:FileObject"
    }
    manifest = decode((full / "manifest.json").read_bytes(), full)
    assert described == {
        file.path: (file.sha256, f"{file.bytes} B") for file in manifest.files if file.rows is not None
    }


def test_croissant_of_a_version_without_anything_is_valid_and_says_that_no_licence_is_named(bare: Path) -> None:
    dataset = mlcroissant.Dataset(str(bare / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert "schema.org/license" in dataset.metadata.ctx.issues.report()
    assert len(dataset.metadata.ctx.issues.warnings) == 1
    assert list(dataset.records("injections")) == []


@settings(max_examples=10, deadline=None)
@given(st.text(), st.text(), st.text(min_size=1))
def test_croissant_is_valid_and_says_the_same_whatever_the_texts_are(
    bare: Path, title: str, words: str, name: str
) -> None:
    described: Manifest = decode((bare / "manifest.json").read_bytes(), bare)
    only = tuple(file for file in described.files if file.path == "workloads.parquet")
    hostile = dataclasses.replace(
        described, title=title, description=words, license=name, creators=({"name": name},), files=only
    )
    document = json.loads(description.render(hostile)["croissant.json"])
    metadata = mlcroissant.Dataset(document).metadata
    assert metadata.name == document["name"]
    assert metadata.description == document["description"]


# --- Data Package ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["full", "bare"])
def test_the_data_package_is_valid_with_its_rows_keys_and_hashes(which: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(which)
    report = frictionless.Package(str(folder / "datapackage.json")).validate()
    assert report.valid, report.flatten(["name", "rowNumber", "fieldName", "note"])
    assert not report.warnings
    assert {task.name for task in report.tasks} >= {table.name for table in tables.TABLES}


@pytest.mark.parametrize("name", [name for name in TABLES if name != "iterations"])
def test_the_data_package_reads_the_rows_of_the_tables(full: Path, name: str) -> None:
    package = frictionless.Package(str(full / "datapackage.json"))
    read = [row.to_dict() for row in package.get_resource(name).read_rows()]
    assert [{column: known(value) for column, value in row.items()} for row in read] == pq.read_table(
        full / f"{name}.parquet"
    ).to_pylist()


def known(value: Any) -> Any:
    """Return what the reader gives, which knows a null of a number as NaN and one of a moment as NaT."""
    return None if pd.isna(value) else value


def changed(full: Path, folder: Path, path: str, data: pa.Table) -> list[str]:
    """Return what the validator says of a copy of the version in which one file is another one."""
    copy = folder / "copy"
    shutil.copytree(full, copy, copy_function=shutil.copyfile)
    pq.write_table(data, copy / path)
    report = frictionless.Package(str(copy / "datapackage.json")).validate()
    return [error[0] for error in report.flatten(["type"])]


def test_the_validator_sees_a_changed_file_of_telemetry(full: Path, tmp_path: Path) -> None:
    found = changed(full, tmp_path, "metrics/wally122.parquet", releases.telemetry_rows(6))
    assert set(found) == {"hash-count", "byte-count"}


def test_the_validator_sees_what_the_declaration_does_not_allow(full: Path, tmp_path: Path) -> None:
    rows = [releases.injection(250, effect="some"), releases.injection(500, trigger_id="nowhere")]
    data = tables.to_arrow(tables.INJECTIONS, rows)
    found = changed(full, tmp_path, "injections.parquet", data)
    assert {"constraint-error", "foreign-key"} <= set(found)


# --- RO-Crate and what responsible AI asks ----------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["full", "bare"])
def test_the_crate_is_a_workflow_run_by_its_validator(which: str, request: pytest.FixtureRequest) -> None:
    found = consumer.run("run_ro_crate.py", request.getfixturevalue(which))
    assert found["issues"]["REQUIRED"] == []
    assert found["steps"] == ["extract", "decide", "label", "validate", "publish"]


def test_the_crate_names_every_table_and_every_input(full: Path) -> None:
    graph = {one["@id"]: one for one in json.loads((full / "ro-crate-metadata.json").read_text())["@graph"]}
    manifest = decode((full / "manifest.json").read_bytes(), full)
    held = {unquote(part["@id"]) for part in graph["./"]["hasPart"]}
    assert held == {"README.md", "workflow.cwl"} | {file.path for file in manifest.files if file.rows is not None}
    assert all((full / path).is_file() for path in held)
    assert len(graph["#run"]["object"]) == len(manifest.inputs)


def test_croissant_answers_what_responsible_ai_asks(full: Path, loaded: Any) -> None:
    metadata = loaded.metadata
    for name in (
        "data_collection", "data_limitations", "data_biases", "personal_sensitive_information", "data_use_cases",
        "data_social_impact", "data_annotation_protocol",
    ):  # fmt: skip
        assert getattr(metadata, name), name
    manifest = decode((full / "manifest.json").read_bytes(), full)
    assert f"{manifest.rows['injections']} injections" in str(metadata.data_collection)
