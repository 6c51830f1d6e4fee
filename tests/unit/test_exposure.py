"""A secret of the inputs that stands in a table, whatever way it came there, stops the dataset."""

# ruff: noqa: E501 (lists of one thing after another)

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import samples
from expectation_samples import TRUTH
from faultset import catalog
from faultset.expectations import check
from faultset.pipeline.exposure import exposures, known_secrets
from faultset.records.evidence import Evidence
from faultset.records.telemetry import Exposure
from faultset.sources.kit.redaction import SUSPECT, redact

SECRET = "hunter2-Zq9!x"
EVIDENCE = Evidence((), None, {}, ())


@pytest.fixture
def experiment(tmp_path: Path) -> catalog.Experiment:
    folder = tmp_path / "slug"
    folder.mkdir()
    source = json.loads(json.dumps(samples.SOURCE).replace("sh ./restart.sh", "sshpass -p 'Task-pw-77' ssh x"))
    (folder / "report.html").write_text(samples.report(source=source))
    (folder / "os-faults.yaml").write_text(
        samples.CLUSTER.replace("sample-password", SECRET, 1) + "x: {tokens: [openstack, 'Listed-1token', 12345678]}\n"
    )
    (folder / "restart.sh").write_text("sshpass -p 'Script-pw-1' ssh ctl1 docker restart glance_api\n")
    (folder / "experiment.yaml").write_text(
        "title: t\ncluster: os-faults.yaml\nruns: [{report: report.html, hook_scripts: [restart.sh]}]\n"
    )
    return catalog.read_experiment(str(tmp_path), "slug")


def test_distinct_secrets_of_every_input_are_known(experiment: catalog.Experiment):
    assert known_secrets(experiment) == {SECRET, "sample-password", "Task-pw-77", "Script-pw-1", "Listed-1token"}


def test_a_secret_is_found_in_whatever_column_or_note_it_stands(tmp_path: Path):
    (tmp_path / "logs").mkdir()
    pl.DataFrame(
        {"a": [1, 2, 3], "text": ["x", f"said {SECRET} twice: {SECRET}", None], "fine": ["", "", ""]}
    ).write_parquet(tmp_path / "logs" / "o.parquet")
    note = tmp_path / "entry.json"
    note.write_text(json.dumps({"description": 'the password is quote"d-1'}))
    found = exposures(frozenset({SECRET, 'quote"d-1'}), tmp_path, [note, tmp_path / "none.json"])
    assert found == (Exposure("logs/o.parquet", "text", 1), Exposure("entry.json", "text", 1))
    assert exposures(frozenset({"another-1"}), tmp_path, [note]) == ()


def test_a_known_secret_in_a_table_is_a_critical_finding():
    validation = check(TRUTH, EVIDENCE, None, exposed=[Exposure("logs/o.parquet", "Payload", 3)])
    assert not validation.passed
    [finding] = [finding for finding in validation.findings if finding.expectation == "secrets.none_comes_out"]
    assert finding.severity == "critical"
    assert finding.message == "logs/o.parquet: Payload holds a secret of the inputs in 3 rows"


PIECES = [
    "password", "=", ":", " ", "'", '"', "\\", "\n", "sshpass", " -p", " -i ", "ssh ", "token", "--", "echo ", "| sudo -S",
    "://", "u:", "@", "Authorization: ", "Bearer ", "x" * 20, "mysql -p", "curl -u ", "AKIAABCDEFGHIJKLMNOP", "key_file",
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "login u ", "docker login", "identified by ", "pass:",
    "hooks.slack.com/services/", "eyJhbGciOiJI.eyJhbGci.xx", "cookie: ", "\\\n", "--api-key", "ipmitool -P ", "| chpasswd",
]  # fmt: skip


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)))
def test_what_is_told_apart_by_its_look_holds_every_text_that_is_redacted(text: str):
    assert redact(text) == text or pl.Series([text]).str.contains(SUSPECT)[0]
