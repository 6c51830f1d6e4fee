"""Card and changes: complete, loadable, and inert whatever a report says."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import releases
from faultset import tables
from faultset.release import markdown
from releases import published

HOSTILE = (
    '<script>alert(1)</script> <img src=x onerror="alert(1)"> [click](javascript:alert(1)) ![x](http://evil.example/x)'
    " | `code` | *bold* __bold__ ~~gone~~ https://evil.example www.evil.example a@evil.example"
    "\n# heading\n---\n\x1b[31m\u202e"
)


def card(tmp_path: Path) -> str:
    return (published(tmp_path, "a").path / "README.md").read_text()


def test_the_head_is_what_dataset_hubs_read(tmp_path: Path) -> None:
    head = yaml.safe_load(card(tmp_path).split("---\n")[1])
    assert head["license"] == "cc-by-4.0"
    assert head["pretty_name"] == "Restart of nova_compute"
    assert "fault-injection" in head["tags"]
    assert [(entry["config_name"], entry["data_files"]) for entry in head["configs"]] == [
        (table.name, f"{table.name}.parquet") for table in tables.TABLES
    ]


def test_the_card_tells_what_how_and_what_for(tmp_path: Path) -> None:
    text = card(tmp_path)
    for heading in (
        "In numbers",
        "Injections",
        "Targets",
        "Findings",
        "How it was made",
        "What a label means",
        "Known limits",
        "How to load",
        "Data dictionary",
        "How to cite",
    ):
        assert re.search(rf"^##+ {heading}$", text, re.MULTILINE), heading
    assert releases.WARNING.message in text
    assert releases.WARNING.remedy in text
    assert "| boot.0.250 | wally113 | nova_compute | stop+start | no | yes | unknown | exact |" in text
    assert "1 planned triggers were not reached" in text
    assert "version 1.0.0, 2026-01-02. Fingerprint ca978112ca1bbdca" in text


def test_the_card_says_when_each_fault_ended_and_how_long_rows_stay_open(tmp_path: Path) -> None:
    content = releases.rows()
    open_end = {"fault_ended_at": None, "fault_end_uncertainty_s": None, "fault_end_source": "unknown"}
    why = "stop of nova_compute on wally117: nothing that is known undoes it"
    content["injections"].append(releases.injection(500, fault_end_reason=why, **open_end))
    text = (published(tmp_path, "a", content).path / "README.md").read_text()
    assert "| with the command |" in text
    assert "| unknown: stop of nova_compute on wally117: nothing that is known undoes it |" in text
    assert "1 injections have a fault whose end is unknown" in text
    assert "at most 3600 s, never beyond the end of the run" in text


def test_the_card_says_what_of_a_hook_was_not_read_and_what_follows_for_each_target(tmp_path: Path) -> None:
    content = releases.rows()
    unread = "./prepare.sh: no script of this name was given"
    content["triggers"] = [releases.trigger(250, commands_read="docker stop nova_compute", commands_unread=unread)]
    follows = "what ./prepare.sh did is unknown: other targets may have been hit"
    content["targets"] = [releases.target(250, "wally117", evidence=f"docker acted: 1 of 1; {follows}")]
    text = (published(tmp_path, "a", content).path / "README.md").read_text()
    section = text.split("### What of the hooks was read")[1].split("\n### ")[0]
    assert f"| boot.0 | 0: sys_call | docker stop nova_compute | {unread} |" in section
    assert f"| boot.0.250 | nova_compute on wally117 | yes | docker acted: 1 of 1 | {follows} |" in section


def test_the_card_says_so_where_all_of_a_hook_was_read(tmp_path: Path) -> None:
    content = releases.rows()
    content["triggers"] = [releases.trigger(250, commands_read="docker stop nova_compute")]
    text = (published(tmp_path, "a", content).path / "README.md").read_text()
    assert "| docker stop nova_compute | nothing |" in text
    assert "Nothing of them that may act was left unread." in text


def test_the_data_dictionary_has_every_column(tmp_path: Path) -> None:
    dictionary = card(tmp_path).split("## Data dictionary")[1]
    for table in tables.TABLES:
        section = dictionary.split(f"### {table.name}\n")[1].split("###")[0]
        for spec in tables.columns(table):
            assert re.search(rf"^\| {spec.name} \| ", section, re.MULTILINE), spec.name


def test_the_code_of_the_card_runs_in_the_folder_of_the_version(tmp_path: Path) -> None:
    folder = published(tmp_path, "a").path
    snippets = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert len(snippets) == 2
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(snippets)], cwd=folder, capture_output=True, text=True, check=True
    )
    assert "wally117" in done.stdout
    assert "wally113" not in done.stdout
    assert "injection_ids: list" in done.stdout


def test_text_of_catalog_and_report_is_never_live(tmp_path: Path) -> None:
    finding = dataclasses.replace(releases.WARNING, message=HOSTILE, remedy=HOSTILE)
    content = releases.rows()
    content["injections"] = [releases.injection(250, effect_reason=HOSTILE, hook_status=HOSTILE)]
    content["targets"] = [releases.target(250, HOSTILE, container=HOSTILE)]
    content["workloads"] = [releases.workload(workload_id=HOSTILE)]
    hostile = {
        "title": HOSTILE,
        "description": HOSTILE,
        "license": HOSTILE,
        "creators": ({"name": HOSTILE, "orcid": HOSTILE},),
        "validation": dataclasses.replace(releases.PASSED, findings=(finding,)),
    }
    published(tmp_path, "a")
    folder = published(tmp_path, "b", content, **hostile).path
    readme, changes = (folder / "README.md").read_text(), (folder / "CHANGES.md").read_text()
    assert yaml.safe_load(readme.split("---\n")[1])["pretty_name"].startswith("<script>alert(1)</script>")
    for text in (readme, changes):
        for live in ("<script", "<img", "](", "![", "`code`", "*bold*", "__bold__", "~~", "://", "www.evil", "a@evil"):
            assert live not in text, live
        assert "\n# heading" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
    widths = {line.count("|") for line in readme.split("### Targets")[1].split("##")[0].splitlines() if line}
    assert widths == {9}


@given(st.text(max_size=200))
def test_escaped_text_is_one_line_without_markup(text: str) -> None:
    shown = markdown.text(text)
    plain = re.sub(r"&(?:amp|lt|gt|#\d+);", "", shown)
    assert not re.search(r"[<>&`|\[\]\n\r\x00-\x1f*\\]|://", plain)
    assert not re.match(r"[#+=-]|\d{1,9}[.)](\s|$)", shown)


@pytest.mark.parametrize(
    "name", ["nova_compute", "sh ./restart-nova_compute.sh", "wally113 (10.0.0.1): 4/5, 0.5 s", "3.11.7"]
)
def test_ordinary_names_stay_readable(name: str) -> None:
    assert markdown.text(name) == name


def test_changes_are_told_in_rows_and_in_words(tmp_path: Path) -> None:
    published(tmp_path, "a")
    content = releases.rows()
    content["injections"].append(releases.injection(500))
    new = dataclasses.replace(releases.WARNING, severity="info", message="hosts that were not commanded")
    validation = dataclasses.replace(releases.PASSED, findings=(new,))
    text = (published(tmp_path, "b", content, validation=validation, title="New title").path / "CHANGES.md").read_text()
    assert "Since 1.0.0. A minor version: something was added and every old record is intact." in text
    assert "| injections | 1 | 2 | 1 | 0 | 0 |" in text
    assert "- injections: 1 added: boot.0.500." in text
    assert "- Input report.html (report) has other content: sha256 was ca978112ca1b and is 3e23e8160039." in text
    assert "- The title differs." in text
    assert "- New finding (info): hosts that were not commanded" in text
    assert "- Finding gone (warning): wally113 was commanded and does not run nova_compute" in text
    assert "Finding changed" not in text


def test_a_finding_that_concerns_other_rows_now_is_told_once(tmp_path: Path) -> None:
    published(tmp_path, "a")
    more = dataclasses.replace(releases.WARNING, message="wally113 and wally114 were commanded", count=2)
    other = dataclasses.replace(releases.WARNING, expectation="targets.unknown", message="one is unknown")
    first = dataclasses.replace(releases.PASSED, findings=(releases.WARNING, other))
    published(tmp_path, "b", validation=first)
    second = dataclasses.replace(releases.PASSED, findings=(more, other))
    text = (published(tmp_path, "c", validation=second).path / "CHANGES.md").read_text()
    assert "- Finding changed (warning), 1 rows before, 2 now: wally113 and wally114 were commanded" in text
    assert text.count("inding changed") == 1
    assert "New finding" not in text


def test_a_first_version_says_so(tmp_path: Path) -> None:
    text = (published(tmp_path, "a").path / "CHANGES.md").read_text()
    assert text.startswith("# Changes in 1.0.0\n\nThe first version")
    assert "| iterations | 3 |" in text


def test_many_targets_are_cut_and_counted(tmp_path: Path) -> None:
    content = releases.rows()
    content["targets"] = [releases.target(250, f"node{number:03}") for number in range(150)]
    text = (published(tmp_path, "a", content).path / "README.md").read_text()
    assert "The first 100 of 150; the table has all." in text
    assert "node099" in text
    assert "node100" not in text
