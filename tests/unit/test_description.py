"""The files that describe a version to other tools: complete, the same each time, and nothing but text."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import releases
from faultset import tables
from faultset.errors import InputError
from faultset.release import card, description
from faultset.release.commit import publish
from faultset.release.description import dictionary
from faultset.release.description.about import about, license_of
from faultset.release.manifest import DESCRIPTION, FileEntry, Manifest, decode

EVERY_TABLE = (*tables.EVERY_TABLE, *tables.TELEMETRY)
EVERY_COLUMN = [(table.name, spec) for table in EVERY_TABLE for spec in tables.columns(table)]
HOSTILE = (
    '"}</script><script>alert(1)</script> [x](javascript:alert(1)) ![x](http://evil.example/x) | `rm` \'"\\ {{7*7}} '
    "!!python/object:os.system &anchor *alias @id @type # comment: - item\n---\n...\n\x1b[31m\u202e\ud800"
)


def file(path: str, columns: dict[str, str] | None = None, rows: int = 3) -> FileEntry:
    schema = tuple({"name": name, "type": type_, "nullable": True} for name, type_ in (columns or {}).items())
    return FileEntry(path, 10, "ab" * 32, rows, schema)


def manifest(**changed: Any) -> Manifest:
    made = Manifest(
        slug="nova-restart",
        version="1.2.0",
        title="Restart of nova_compute",
        description="Each container is restarted.",
        license="CC-BY-4.0",
        creators=({"name": "A. Researcher", "orcid": "0000-0002-1825-0097"}, {"name": "A group", "orcid": None}),
        schema_version=tables.SCHEMA_VERSION,
        created_at="2026-01-02T03:04:05.000000Z",
        fingerprint="cd" * 32,
        previous=None,
        inputs=(releases.InputFile("report", "report.html", 5, "ef" * 32),),
        files=(file("triggers.parquet"), file("injections.parquet")),
        tools={},
        validation={},
        experiment={},
    )
    return dataclasses.replace(made, **changed)


def rendered(**changed: Any) -> dict[str, Any]:
    return parsed(description.render(manifest(**changed)))


def parsed(files: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        name: json.loads(data) if name.endswith(".json") else yaml.safe_load(data) if name.endswith(".cff") else data
        for name, data in files.items()
    }


# --- the one declaration --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "spec"), EVERY_COLUMN, ids=lambda value: getattr(value, "name", value))
def test_every_column_says_what_it_means_and_in_which_unit(table: str, spec: tables.ColumnSpec) -> None:
    assert re.fullmatch(r"\S.{8,}[.]", spec.column.description), f"{table}.{spec.name} has no sentence that explains it"
    assert spec.column.unit in tables.UNITS
    is_number = pa.types.is_integer(spec.arrow_type) or pa.types.is_floating(spec.arrow_type)
    assert bool(spec.column.unit) == is_number, f"{table}.{spec.name}: numbers have a unit, all else has none"
    assert (spec.column.unit == tables.SECONDS) == spec.name.endswith("_s")


def test_a_column_without_a_unit_cannot_be_declared() -> None:
    with pytest.raises(TypeError, match="unit"):
        tables.Column("Something.")  # type: ignore[call-arg]


@pytest.mark.parametrize("table", EVERY_TABLE, ids=lambda table: table.name)
def test_every_table_says_what_a_row_is_and_its_key_are_columns(table: tables.Table) -> None:
    assert table.description.endswith(".")
    assert set(table.key) <= {spec.name for spec in tables.columns(table)}


def test_a_column_named_as_the_key_of_another_table_points_there() -> None:
    points = {table.name: {k: v.name for k, v in tables.references(table).items()} for table in tables.EVERY_TABLE}
    assert points == {
        "workloads": {},
        "triggers": {"workload_id": "workloads"},
        "injections": {"trigger_id": "triggers", "workload_id": "workloads"},
        "targets": {"injection_id": "injections"},
        "iterations": {"workload_id": "workloads"},
        "impacts": {"injection_id": "injections"},
        "impact_tests": {"injection_id": "injections"},
    }


def test_the_reference_page_is_the_declaration() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "tables.md"
    assert page.read_text(encoding="utf-8") == dictionary.reference_page()


# --- a version ------------------------------------------------------------------------------------------------------


def test_a_version_holds_its_description_and_its_manifest_the_hashes(tmp_path: Path) -> None:
    folder = releases.published(tmp_path, "a").path
    described = decode((folder / "manifest.json").read_bytes(), folder)
    assert {*DESCRIPTION} <= {entry.path for entry in described.files}
    for name, data in description.render(described).items():
        assert (folder / name).read_bytes() == data


def test_what_could_not_be_published_is_given_back_without_a_description(tmp_path: Path) -> None:
    candidate = releases.candidate(tmp_path, "a")
    (candidate.folder / "workloads.parquet").write_bytes(b"no parquet")
    before = {path.name for path in candidate.folder.iterdir()}
    with pytest.raises(InputError, match="parquet"):
        publish(candidate, tmp_path, created_at=releases.NOW)
    assert {path.name for path in candidate.folder.iterdir()} == before


def test_the_same_manifest_gives_the_same_bytes() -> None:
    assert description.render(manifest()) == description.render(manifest())


def test_names_of_creators_and_what_identifies_them_are_in_every_form() -> None:
    files = rendered()
    orcid = "https://orcid.org/0000-0002-1825-0097"
    assert files["CITATION.cff"]["authors"] == [{"name": "A. Researcher", "orcid": orcid}, {"name": "A group"}]
    assert files["croissant.json"]["creator"] == [
        {"@type": "sc:Person", "name": "A. Researcher", "url": orcid},
        {"@type": "sc:Organization", "name": "A group"},
    ]
    assert [made["title"] for made in files["datapackage.json"]["contributors"]] == ["A. Researcher", "A group"]
    person, group = files["datacite.json"]["creators"]
    assert person["nameIdentifiers"][0]["nameIdentifier"] == orcid
    assert group == {"name": "A group"}


def test_the_citation_has_what_its_format_requires() -> None:
    for cff in (rendered()["CITATION.cff"], rendered(creators=(), license=None, description="")["CITATION.cff"]):
        assert cff["cff-version"] == "1.2.0"
        assert cff["type"] == "dataset"
        assert all(isinstance(cff[key], str) and cff[key] for key in ("message", "title", "version", "abstract"))
        assert cff["authors"]
        assert all(author["name"] for author in cff["authors"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", cff["date-released"])
        assert len(cff["keywords"]) == len(set(cff["keywords"]))


def test_a_registration_of_a_doi_finds_what_it_requires() -> None:
    for record in (rendered()["datacite.json"], rendered(creators=(), license=None, description="")["datacite.json"]):
        assert record["types"]["resourceTypeGeneral"] == "Dataset"
        assert record["schemaVersion"] == "http://datacite.org/schema/kernel-4"
        assert all(creator["name"] for creator in record["creators"])
        assert record["creators"]
        assert record["titles"][0]["title"]
        assert record["publisher"]["name"]
        assert record["publicationYear"] == "2026"
        assert record["version"] == "1.2.0"
        assert record["sizes"] == ["20 bytes", "6 rows", "2 files"]


def test_only_inputs_on_the_web_are_linked() -> None:
    inputs = tuple(
        releases.InputFile("report", uri, 5, "ef" * 32) for uri in ("../x/report.html", "https://x.example/r.html")
    )
    files = rendered(inputs=inputs)
    assert [source.get("path") for source in files["datapackage.json"]["sources"]] == [None, "https://x.example/r.html"]
    assert [one["relatedIdentifier"] for one in files["datacite.json"]["relatedIdentifiers"]] == [
        "https://x.example/r.html"
    ]


@pytest.mark.parametrize(
    ("declared", "name", "url"),
    [
        ("CC-BY-4.0", "CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0.html"),
        ("ODbL-1.0", "ODbL-1.0", "https://spdx.org/licenses/ODbL-1.0.html"),
        ("CC-BY-4.0 OR MIT", "CC-BY-4.0 OR MIT", None),
        ("Internal use only", "Internal use only", None),
    ],
)
def test_a_licence_is_linked_where_its_name_is_known(declared: str, name: str, url: str | None) -> None:
    known = license_of(declared)
    assert known is not None
    assert (known.name, known.url) == (name, url)
    files = rendered(license=declared)
    assert files["CITATION.cff"].get("license") == (name if url else None)
    assert (files["datapackage.json"]["licenses"][0].get("path")) == url


def test_without_a_licence_none_is_named() -> None:
    files = rendered(license=None)
    assert "license" not in files["croissant.json"]
    assert "licenses" not in files["datapackage.json"]
    assert "license" not in files["CITATION.cff"]
    assert files["datacite.json"]["rightsList"] == []


# --- telemetry ------------------------------------------------------------------------------------------------------


def test_files_of_one_layout_are_one_table_also_where_a_column_has_whole_numbers_only() -> None:
    whole = file("metrics/a.parquet", {"cpu": "int64", "mem": "int64", "node": "string"})
    other = file("metrics/b.parquet", {"cpu": "double", "mem": "int64", "node": "string"})
    (table,) = about(manifest(files=(other, whole))).tables
    assert (table.name, table.whole_folder) == ("metrics", True)
    assert [entry.path for entry in table.files] == ["metrics/a.parquet", "metrics/b.parquet"]
    assert {field.name: field.type for field in table.fields} == {"cpu": "double", "mem": "int64", "node": "string"}


def test_files_with_other_columns_are_a_table_of_their_own() -> None:
    files = (
        file("traces/a.parquet", {"Host": "string"}),
        file("traces/b.parquet", {"host": "string"}),
        file("traces/c.parquet", {"Host": "string"}),
    )
    known = about(manifest(files=files))
    assert [(table.name, [entry.path for entry in table.files]) for table in known.tables] == [
        ("traces-1", ["traces/a.parquet", "traces/c.parquet"]),
        ("traces-2", ["traces/b.parquet"]),
    ]
    head = yaml.safe_load("\n".join(card_head(manifest(files=files))[1:-1]))
    assert [config["data_files"] for config in head["configs"]] == [
        ["traces/a.parquet", "traces/c.parquet"],
        ["traces/b.parquet"],
    ]


def test_a_label_means_what_the_declaration_says_and_a_column_of_the_source_what_the_source_says() -> None:
    (table,) = about(manifest(files=(file("logs/a.parquet", {"Payload": "string", "phase": "string"}),))).tables
    own, label = table.fields
    assert own.column.unit == "as in the source"
    assert label.column.values == ("normal", "injection", "recovery")


# --- the card's head ------------------------------------------------------------------------------------------------


def card_head(described: Manifest) -> list[str]:
    return ["---", *card._head(described), "---"]


@pytest.mark.parametrize(
    ("rows", "size"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10_000, "10K<n<100K"), (10**12, "1B<n<10B")],
)
def test_the_head_says_how_many_rows_there_are(rows: int, size: str) -> None:
    head = yaml.safe_load("\n".join(card_head(manifest(files=(file("injections.parquet", rows=rows),)))[1:-1]))
    assert head["size_categories"] == [size]
    assert head["configs"] == [
        {"config_name": "injections", "data_files": "injections.parquet", "default": True},
    ]


@pytest.mark.parametrize(
    ("declared", "named"),
    [
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("ODbL-1.0", {"license": "odbl"}),
        ("Proprietary", {"license": "other", "license_name": "Proprietary"}),
        (None, {}),
    ],
)
def test_the_head_names_the_licence_as_hubs_do(declared: str | None, named: dict[str, str]) -> None:
    head = yaml.safe_load("\n".join(card_head(manifest(license=declared))[1:-1]))
    assert {key: value for key, value in head.items() if key.startswith("license")} == named


# --- untrusted text -------------------------------------------------------------------------------------------------


@functools.cache
def shape_of_harmless() -> tuple[Any, ...]:
    return shape(rendered(license="Other"))


def shape(value: Any) -> Any:
    """What a document is made of, without its texts."""
    if isinstance(value, dict):
        return tuple((key, shape(part)) for key, part in value.items())
    if isinstance(value, list):
        return tuple(shape(part) for part in value)
    return len(value.splitlines()) if isinstance(value, bytes) else type(value)


@given(st.one_of(st.text(min_size=1), st.just(HOSTILE)), st.one_of(st.text(), st.just(HOSTILE)))
def test_no_text_changes_what_the_files_are_made_of(text: str, other: str) -> None:
    text = f"x{text}"
    creators = ({"name": text, "orcid": "0000-0002-1825-0097"}, {"name": text, "orcid": other})
    hostile = manifest(title=text, description=other, license=text, creators=creators)
    files = description.render(hostile)
    assert all(data.isascii() for data in files.values())
    documents = parsed(files)
    assert shape(documents) == shape_of_harmless()
    assert documents["croissant.json"]["name"] == documents["CITATION.cff"]["title"] == about(hostile).title
    head = yaml.safe_load("\n".join(card_head(hostile)[1:-1]))
    assert head["license"] == "other"


@given(st.one_of(st.text(min_size=1), st.just(HOSTILE)))
def test_no_name_of_a_source_column_is_markup(name: str) -> None:
    page = description.render(manifest(files=(file("logs/a.parquet", {name: "string"}),)))["dictionary.md"].decode()
    (row,) = (line for line in page.splitlines() if "| as in the source |" in line)
    assert row.count("|") == 8
    assert not re.search(r"[<>`\[\]]|://", row)
