"""Limits: each can be raised, each is named where it is passed, and the reference page lists them all."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

import samples
from faultset.errors import InputError
from faultset.limits import Deadline, Limits
from faultset.settings import Settings, current, in_force
from faultset.sources.rally.report import read_report
from faultset.sources.rally.results import read_results

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("512M", 512 * 1024**2), ("2 GiB", 2 * 1024**3), ("7kb", 7168), ("1T", 1024**4), ("9B", 9)],
)
def test_a_limit_is_read_from_the_environment(text: str, value: int):
    assert Limits.from_mapping({"FAULTSET_LIMIT_REPORT_BYTES": text, "PATH": "/bin"}).report_bytes == value


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5G", "1e9", "0x10", "\u0661", "5 5"])
def test_what_is_no_limit_is_an_error_that_names_the_variable(text: str):
    with pytest.raises(InputError, match="FAULTSET_LIMIT_HOOKS"):
        Limits.from_mapping({"FAULTSET_LIMIT_HOOKS": text})


def test_a_limit_that_is_none_is_an_error():
    with pytest.raises(InputError, match="FAULTSET_LIMIT_HOKS: is no limit"):
        Limits.from_mapping({"FAULTSET_LIMIT_HOKS": "5"})


def test_an_empty_variable_is_none():
    assert Limits.from_mapping({"FAULTSET_LIMIT_HOOKS": " "}) == Limits()


def test_a_passed_limit_is_named_with_the_way_to_raise_it():
    Limits(hooks=5).check("hooks", 5, "a")
    with pytest.raises(InputError) as error:
        Limits(hooks=5).check("hooks", 6, "report.html")
    assert str(error.value) == (
        "report.html: passes the limit hooks: more than 5 hooks of a run; check that this is the right file; "
        "FAULTSET_LIMIT_HOOKS raises the limit"
    )


@pytest.mark.parametrize(
    "name", ["report_bytes", "json_groups", "hooks", "triggers", "iterations", "workloads", "read_seconds"]
)
def test_a_report_within_its_limits_is_read_and_one_beyond_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "report.html"
    path.write_text(samples.report([samples.scenario(), samples.scenario(pos="1")]))
    assert len(read_report(str(path)).workloads) == 2
    if name == "read_seconds":
        monkeypatch.setattr(
            Deadline, "__init__", lambda self, known, where: vars(self).update(_limits=known, _where=where, _end=0)
        )
    monkeypatch.setenv(f"FAULTSET_LIMIT_{name.upper()}", "1")
    with pytest.raises(InputError, match=f"the limit {name}"):
        read_report(str(path))


def test_result_json_has_its_own_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "results.json"
    path.write_text('{"tasks": []}')
    monkeypatch.setenv("FAULTSET_LIMIT_RESULTS_BYTES", "5")
    with pytest.raises(InputError, match="results_bytes"):
        read_results(str(path))


def test_the_limits_of_the_settings_in_force_hold_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "results.json"
    path.write_text('{"tasks": []}')
    monkeypatch.setenv("FAULTSET_LIMIT_RESULTS_BYTES", "5")
    wide = Settings(str(tmp_path), str(tmp_path), limits=Limits())
    with in_force(wide):
        with in_force(Settings(str(tmp_path), str(tmp_path))), pytest.raises(InputError, match="results_bytes"):
            read_results(str(path))  # the inner block read the environment when it was made
        with pytest.raises(InputError, match="no workload"):
            read_results(str(path))
    assert current().limits.results_bytes == 5


def test_blocks_of_two_threads_end_in_any_order_each_its_own(tmp_path: Path):
    one, other = (Settings(str(tmp_path), str(tmp_path / name)) for name in ("a", "b"))
    first, second = in_force(one), in_force(other)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert current() is other
    second.__exit__(None, None, None)
    assert current() is not other


def test_the_reference_page_lists_every_limit_with_its_meaning():
    page = (DOCS / "reference" / "limits.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+)(?: ([MG])iB)? \| (.+) \|$", page, re.MULTILINE)
    factor = {"": 1, "M": 1024**2, "G": 1024**3}
    listed = {name: (int(number.replace(",", "")) * factor[unit], meaning) for name, number, unit, meaning in rows}
    assert listed == {one.name: (one.default, one.metadata["meaning"]) for one in fields(Limits)}


def test_every_test_that_the_threat_model_names_is_there():
    root = DOCS.parent
    page = (DOCS / "explanation" / "threat-model.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "tests/" in line]
    named = set(re.findall(r"`(tests/[\w/.]+)`", page))
    assert len(rows) >= 13
    assert [path for path in named if not (root / path).is_file()] == []
    assert all("def test_" in (root / path).read_text(encoding="utf-8") for path in named)
