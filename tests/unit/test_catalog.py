"""What the catalog accepts, and how it says what is wrong: one line with file, line, key and the nearest valid name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultset import catalog
from faultset.errors import FaultsetError, InputError, SetupError

FULL = """\
title: Restart of nova_compute on the compute nodes
description: Stopped and started twice.
cluster: os-faults.yaml
runs:
  - report: report.html
    results: results.json
    hook_scripts: [restart.sh, commands.sh]
  - report: second.html
telemetry:
  - {kind: metrics, files: "metrics/*.csv", time_zone: Europe/Berlin}
  - {kind: traces, files: traces.csv, time_zone: UTC}
reviewed_impacts: impacts.csv
components: {my_agent: nova}
license: CC-BY-4.0
creators: [{name: A group, orcid: 0000-0002-1825-0097}]
"""
SMALL = "title: A title\ncluster: os-faults.yaml\nruns:\n  - report: report.html\n"
FILES = (
    "os-faults.yaml",
    "report.html",
    "second.html",
    "results.json",
    "restart.sh",
    "commands.sh",
    "traces.csv",
    "impacts.csv",
    "metrics/wally117_metrics.csv",
    "metrics/wally113_metrics.csv",
)


def write(root: Path, slug: str, text: str | bytes) -> Path:
    folder = root / slug
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("content")
    path = folder / "experiment.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(root: Path, text: str | bytes) -> catalog.Experiment:
    write(root, "nova", text)
    return catalog.read_experiment(str(root), "nova")


def refused(root: Path, text: str | bytes) -> str:
    with pytest.raises(InputError) as caught:
        read(root, text)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(root / "nova" / "experiment.yaml"))
    return line.removeprefix(str(root / "nova" / "experiment.yaml"))


# --- what is read ---------------------------------------------------------------------------------------------------


def test_every_key_of_an_experiment_is_read(tmp_path):
    experiment = read(tmp_path, FULL)
    assert experiment.slug == "nova"
    assert experiment.folder == str(tmp_path / "nova")
    assert experiment.title == "Restart of nova_compute on the compute nodes"
    assert [run.report for run in experiment.runs] == ["report.html", "second.html"]
    assert experiment.runs[0].results == "results.json"
    assert experiment.runs[0].hook_scripts == ("restart.sh", "commands.sh")
    assert [(source.kind, source.time_zone) for source in experiment.telemetry] == [
        ("metrics", "Europe/Berlin"),
        ("traces", "UTC"),
    ]
    assert experiment.reviewed_impacts == "impacts.csv"
    assert experiment.components == {"my_agent": "nova"}
    assert experiment.license == "CC-BY-4.0"
    assert experiment.creators[0].orcid == "0000-0002-1825-0097"


def test_title_cluster_and_one_run_are_enough(tmp_path):
    experiment = read(tmp_path, SMALL)
    assert experiment.telemetry == ()
    assert experiment.description == ""
    assert experiment.runs[0].results is None


def test_an_experiment_cannot_be_changed(tmp_path):
    experiment = read(tmp_path, SMALL)
    with pytest.raises(ValueError, match="frozen"):
        experiment.title = "another"


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbf" + SMALL.encode()).title == "A title"


def test_references_are_relative_to_the_file_absolute_or_uris(tmp_path):
    outside = tmp_path / "shared" / "report.html"
    outside.parent.mkdir()
    outside.write_text("content")
    text = (
        "title: A title\ncluster: ../shared/report.html\nruns:\n"
        f"  - report: {outside}\n  - report: file://{outside.parent}/report.html\n"
    )
    experiment = read(tmp_path, text)
    assert Path(catalog.resolve(experiment, experiment.cluster)).read_text() == "content"
    assert catalog.resolve(experiment, experiment.runs[0].report) == str(outside)
    assert catalog.resolve(experiment, experiment.runs[1].report) == f"file://{outside}"


def test_a_file_of_telemetry_has_one_kind_and_one_zone(tmp_path):
    one = '{kind: metrics, files: "metrics/*.csv", time_zone: Europe/Berlin}'
    same = '{kind: metrics, files: "metrics/wally113*", time_zone: Europe/Berlin}'
    other = '{kind: metrics, files: "metrics/wally113*", time_zone: UTC}'
    assert read(tmp_path, SMALL + f"telemetry:\n  - {one}\n  - {same}\n").telemetry
    with pytest.raises(
        InputError, match=r"telemetry\[1\].files fits .*which telemetry\[0\] declares as metrics in Europe"
    ):
        read(tmp_path, SMALL + f"telemetry:\n  - {one}\n  - {other}\n")


def test_telemetry_files_are_found_by_pattern_and_sorted(tmp_path):
    experiment = read(tmp_path, FULL)
    found = catalog.telemetry_files(experiment, experiment.telemetry[0])
    assert [Path(name).name for name in found] == ["wally113_metrics.csv", "wally117_metrics.csv"]
    assert found[0] == str(tmp_path / "nova" / "metrics" / "wally113_metrics.csv")


def test_an_orcid_may_be_written_as_its_address(tmp_path):
    experiment = read(tmp_path, FULL.replace("0000-0002-1825-0097", "https://orcid.org/0000-0002-1825-0097"))
    assert experiment.creators[0].orcid == "0000-0002-1825-0097"


@pytest.mark.parametrize("text", ["MIT", "CC-BY-4.0", "Apache-2.0 OR MIT", "GPL-2.0-only WITH Classpath-exception-2.0"])
def test_a_licence_is_an_spdx_expression(tmp_path, text):
    assert read(tmp_path, f"{SMALL}license: {text}\n").license == text


# --- what is wrong is said in one line ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param(
            "titel: x\ncluster: os-faults.yaml\nruns: [{report: report.html}]",
            ':1: unknown key "titel" (did you mean title?); ',
            id="mistyped key",
        ),
        pytest.param(
            f"{SMALL}owner: me", ':5: unknown key "owner"; the keys expected here are title, ', id="unknown key"
        ),
        pytest.param(f"{SMALL}slug: nova", ':5: unknown key "slug"', id="the folder is the name"),
        pytest.param(
            f"{SMALL}    result: results.json",
            ':5: unknown key "result" in runs[0] (did you mean results?)',
            id="mistyped key in a run",
        ),
        pytest.param(
            f"{SMALL}telemetry:\n  - kind: metrics\n    files: traces.csv\n    timezone: UTC",
            ':8: unknown key "timezone" in telemetry[0] (did you mean time_zone?)',
            id="mistyped key in telemetry",
        ),
        pytest.param(f"{SMALL}1: x", ':5: unknown key "1"', id="key that is a number"),
        pytest.param(
            "cluster: os-faults.yaml\nruns:\n  - report: report.html",
            ':1: key "title" is missing; add title: a title',
            id="no title",
        ),
        pytest.param("title: x\ncluster: os-faults.yaml", ':1: key "runs" is missing', id="no runs"),
        pytest.param(
            "title: x\ncluster: os-faults.yaml\nruns:\n  - results: results.json",
            ':4: key "report" is missing in runs[0]; add report: the path or URI',
            id="run without a report",
        ),
        pytest.param(
            "title: x\ncluster: os-faults.yaml\nruns: []",
            ":3: runs is empty; expected a list with at least one run",
            id="runs empty",
        ),
        pytest.param("title: x\ncluster: os-faults.yaml\nruns:", ":3: runs is empty; expected a list", id="runs null"),
        pytest.param(
            "title: x\ncluster: os-faults.yaml\nruns: report.html",
            ':3: runs is the text "report.html"; expected a list',
            id="runs a text",
        ),
        pytest.param(
            "title: x\ncluster: os-faults.yaml\nruns: {report: report.html}",
            ":3: runs is a mapping; expected a list",
            id="runs a mapping",
        ),
        pytest.param(
            "title: x\ncluster: os-faults.yaml\nruns:\n  - report.html",
            ':4: runs[0] is the text "report.html"; expected a mapping with at least report',
            id="run a text",
        ),
        pytest.param(
            SMALL.replace("A title", "2019"), ":1: title is the number 2019; expected a title", id="title a number"
        ),
        pytest.param(SMALL.replace("A title", "yes"), ":1: title is ", id="title a truth value"),
        pytest.param(SMALL.replace("A title", "'  '"), ":1: title is ", id="title blank"),
        pytest.param(
            f"{SMALL}    hook_scripts: restart.sh",
            ':5: runs[0].hook_scripts is the text "restart.sh"; expected a list',
            id="scripts a text",
        ),
        pytest.param(
            f"{SMALL}    hook_scripts: [restart.sh, 3]",
            ":5: runs[0].hook_scripts[1] is the number 3; expected a list of paths",
            id="script a number",
        ),
        pytest.param(
            f"{SMALL}components: [nova]", ":5: components is a list; expected a mapping", id="components a list"
        ),
        pytest.param(
            f"{SMALL}components: {{my_agent: 3}}",
            ":5: components.my_agent is the number 3; expected a mapping",
            id="service a number",
        ),
        pytest.param(f"{SMALL}license: CC BY 4.0 (see below)!", ":5: license is the text", id="licence in prose"),
        pytest.param(
            f"{SMALL}creators: [{{orcid: 0000-0002-1825-0097}}]",
            ':5: key "name" is missing in creators[0]',
            id="creator without a name",
        ),
        pytest.param(
            f"{SMALL}creators: [{{name: x, orcid: 1825-0097}}]",
            ':5: creators[0].orcid: "1825-0097" is no ORCID iD',
            id="orcid too short",
        ),
        pytest.param(
            f"{SMALL}creators: [{{name: x, orcid: 0000-0002-1825-0079}}]",
            "its check digit does not fit",
            id="orcid mistyped",
        ),
        pytest.param(
            f"{SMALL}telemetry: [{{kind: metric, files: traces.csv, time_zone: UTC}}]",
            ':5: telemetry[0].kind is "metric" (did you mean metrics?); expected metrics, logs or traces',
            id="kind mistyped",
        ),
        pytest.param(
            f"{SMALL}telemetry: [{{kind: logs, files: '*.log', time_zone: UTC}}]",
            ':5: no file fits telemetry[0].files "*.log"',
            id="pattern that fits nothing",
        ),
        pytest.param(
            f"{SMALL}telemetry: [{{kind: logs, files: metrics, time_zone: UTC}}]",
            ':5: no file fits telemetry[0].files "metrics"',
            id="pattern that fits a folder only",
        ),
        pytest.param(
            SMALL.replace("os-faults", "os-fault"),
            ':2: cluster names "os-fault.yaml", and there is no such file (did you mean os-faults.yaml?)',
            id="cluster file missing",
        ),
        pytest.param(
            SMALL.replace("report.html", "reprot.html"),
            ':4: runs[0].report names "reprot.html", and there is no such file (did you mean report.html?)',
            id="report missing",
        ),
        pytest.param(
            SMALL.replace("report.html", "metrics"),
            ':4: runs[0].report names "metrics", and there is no such file',
            id="report a folder",
        ),
        pytest.param(
            f"{SMALL}    results: nothing.json",
            ':5: runs[0].results names "nothing.json", and there is no such file',
            id="results missing",
        ),
        pytest.param(
            f"{SMALL}    hook_scripts:\n      - restart.sh\n      - comands.sh",
            ":7: runs[0].hook_scripts[1] names",
            id="script missing",
        ),
        pytest.param(f"{SMALL}reviewed_impacts: impact.csv", ":5: reviewed_impacts names", id="impacts missing"),
        pytest.param(
            f"{SMALL}  - report: report.html",
            ':5: runs[1].report "report.html" is declared already, in runs[0]',
            id="report twice",
        ),
        pytest.param(
            f"{SMALL}reviewed_impacts: {'x' * 1999}", ":5: reviewed_impacts names", id="name too long for the disk"
        ),
        pytest.param(
            f"{SMALL}reviewed_impacts: {'x' * 2001}", ":5: reviewed_impacts is the text", id="name too long at all"
        ),
        pytest.param(f'{SMALL}reviewed_impacts: "a\\0b"', ":5: reviewed_impacts is the text", id="NUL in a name"),
        pytest.param(
            f"{SMALL}reviewed_impacts: 'http://[x'",
            ':5: reviewed_impacts: "http://[x" is no valid URI',
            id="no valid URI",
        ),
        pytest.param("- a\n- b", ":1: the file holds a list, no mapping", id="list"),
        pytest.param("just text", ":1: the file holds the text", id="text"),
        pytest.param(b"title: \xff\xfe", ":1: is not UTF-8 text", id="encoding"),
        pytest.param("", ": is empty", id="no content"),
    ],
)
def test_an_error_names_file_line_key_and_what_is_expected(tmp_path, wrong, said):
    assert said in refused(tmp_path, wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "title: [",
        "title: x\ntitle: y\ncluster: os-faults.yaml\nruns: [{report: report.html}]",
        "a: &a [*a]",
        "title: !!python/object/apply:os.system [true]\n",
        "title: x\n\tcluster: y",
        "[" * 5000,
        "# only a comment",
        "title: \x07",
    ],
)
def test_what_is_no_clean_yaml_is_one_line(tmp_path, wrong):
    refused(tmp_path, wrong)


def test_an_abbreviation_is_no_time_zone(tmp_path):
    # The files say CEST and mean Berlin wall-clock time, which was UTC+1: only a zone tells.
    said = refused(tmp_path, f"{SMALL}telemetry: [{{kind: metrics, files: traces.csv, time_zone: CEST}}]")
    assert ':5: telemetry[0].time_zone: "CEST" is no IANA time zone; expected an IANA time zone such as' in said


@pytest.mark.parametrize("zone", ["localtime", "/etc/localtime", "../Europe/Berlin", "posix/UTC", "UTC+1", "''"])
def test_a_time_zone_means_the_same_on_every_machine(tmp_path, zone):
    said = refused(tmp_path, f"{SMALL}telemetry: [{{kind: metrics, files: traces.csv, time_zone: {zone}}}]")
    assert "is no IANA time zone" in said


@pytest.mark.parametrize("zone", ["europe/berlin", "Europe/Berln"])
def test_a_mistyped_time_zone_is_answered_with_the_nearest(tmp_path, zone):
    said = refused(tmp_path, f"{SMALL}telemetry: [{{kind: metrics, files: traces.csv, time_zone: {zone}}}]")
    assert "(did you mean Europe/Berlin?)" in said


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(FULL)), flipped=st.integers(0, 255), at=st.integers(0, len(FULL) - 1))
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path, cut, flipped, at):
    damaged = bytearray(FULL.encode())
    damaged[at] = flipped
    try:
        read(tmp_path, bytes(damaged[:cut]))
    except FaultsetError as error:
        refusal: FaultsetError | None = error
    else:
        refusal = None
    assert refusal is None or (refusal.exit_code == 2 and "\n" not in str(refusal))


# --- the catalog's folders ------------------------------------------------------------------------------------------


def test_experiments_are_the_folders_with_the_file_sorted(tmp_path):
    for slug in ("neutron", "glance", "nova-2"):
        write(tmp_path, slug, SMALL)
    (tmp_path / "notes").mkdir()
    write(tmp_path, ".trash", SMALL)
    assert catalog.list_slugs(str(tmp_path)) == ["glance", "neutron", "nova-2"]


def test_a_folder_with_a_bad_name_is_listed_and_refused_by_name(tmp_path):
    write(tmp_path, "Nova Restart", SMALL)
    assert catalog.list_slugs(str(tmp_path)) == ["Nova Restart"]
    with pytest.raises(InputError, match=r"^Nova Restart: this is no name for an experiment .*; use small letters"):
        catalog.read_experiment(str(tmp_path), "Nova Restart")


@pytest.mark.parametrize("slug", ["", "-a", "a/b", "..", "../nova", "A", "a" * 101, "a\n", "ä", "a_b", "/"])
def test_no_slug_leads_out_of_the_catalog(tmp_path, slug):
    write(tmp_path, "nova", SMALL)
    with pytest.raises(InputError, match="no name for an experiment"):
        catalog.read_experiment(str(tmp_path / "catalog"), slug)


def test_an_unknown_experiment_is_answered_with_the_nearest(tmp_path):
    write(tmp_path, "nova-restart", SMALL)
    with pytest.raises(InputError, match=r'no experiment "nova-restat" in the catalog \(did you mean nova-restart\?\)'):
        catalog.read_experiment(str(tmp_path), "nova-restat")


def test_a_catalog_that_is_not_there_is_the_callers_error(tmp_path):
    with pytest.raises(InputError, match="the catalog cannot be listed"):
        catalog.list_slugs(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("root", ["s3://user:secret@bucket/experiments", "https://user:secret@host/x?token=secret"])
def test_an_address_with_a_secret_is_refused_without_showing_it(root):
    with pytest.raises(InputError) as caught:
        catalog.list_slugs(root)
    assert "secret" not in str(caught.value)


def test_a_catalog_may_be_named_by_its_file_uri(tmp_path):
    write(tmp_path, "nova", SMALL)
    assert catalog.list_slugs(f"file://{tmp_path}") == ["nova"]


# --- what goes into the fingerprint ---------------------------------------------------------------------------------


def test_the_canonical_form_is_the_same_wherever_the_checkout_lies(tmp_path):
    texts = []
    for place in ("here", "there"):
        write(tmp_path / place, "nova", FULL.replace("report.html", str(tmp_path / place / "nova" / "report.html"), 1))
        texts.append(catalog.read_experiment(str(tmp_path / place), "nova").canonical_json())
    assert texts[0] == texts[1]
    assert str(tmp_path) not in texts[0]


def test_the_canonical_form_ignores_layout_comments_and_defaults(tmp_path):
    plain = read(tmp_path, SMALL).canonical_json()
    other = "# a comment\nruns: [{report: 'report.html', hook_scripts: []}]\ntitle: A title\ncluster: os-faults.yaml\n"
    assert read(tmp_path, other).canonical_json() == plain


def test_the_canonical_form_changes_with_what_is_declared(tmp_path):
    texts = [SMALL, FULL, SMALL.replace("A title", "Another"), SMALL.replace("report.html", "second.html")]
    forms = {read(tmp_path, text).canonical_json() for text in texts}
    assert len(forms) == len(texts)
    assert all(json.loads(form)["runs"] for form in forms)


@pytest.mark.parametrize(
    ("reference", "public"),
    [
        ("metrics/wally113.csv", "metrics/wally113.csv"),
        ("/data/runs/report.html", "report.html"),
        ("file:///data/runs/a%20report.html", "a report.html"),
        ("s3://bucket/runs/report.html", "s3://bucket/runs/report.html"),
        ("https://user:secret@host/report.html?token=secret#secret", "https://host/report.html"),
    ],
)
def test_a_public_name_holds_no_machine_path_and_no_credentials(reference, public):
    assert catalog.public_name(reference) == public


# --- a new experiment -----------------------------------------------------------------------------------------------


@pytest.fixture
def inputs(tmp_path) -> Path:
    write(tmp_path, "inputs", SMALL)
    return tmp_path / "inputs"


def test_a_new_experiment_can_be_read_and_names_all_that_was_given(tmp_path, inputs):
    path = catalog.new_experiment(
        str(tmp_path / "catalog"),
        "nova-restart",
        str(inputs / "report.html"),
        str(inputs / "os-faults.yaml"),
        str(inputs / "results.json"),
        hook_scripts=[str(inputs / "restart.sh")],
        title="Restart: nova # twice ✓",
    )
    assert path == str(tmp_path / "catalog" / "nova-restart" / "experiment.yaml")
    experiment = catalog.read_experiment(str(tmp_path / "catalog"), "nova-restart")
    assert experiment.title == "Restart: nova # twice ✓"
    run = experiment.runs[0]
    assert run.report == "../../inputs/report.html"
    named = [catalog.resolve(experiment, one) for one in (run.report, run.results, *run.hook_scripts)]
    assert [Path(one).resolve() for one in named] == [
        inputs / "report.html",
        inputs / "results.json",
        inputs / "restart.sh",
    ]


def test_files_that_do_not_lie_beside_the_catalog_are_named_by_their_whole_path(tmp_path, inputs):
    root = tmp_path / "elsewhere" / "catalog"
    catalog.new_experiment(str(root), "nova", str(inputs / "report.html"), str(inputs / "os-faults.yaml"))
    experiment = catalog.read_experiment(str(root), "nova")
    assert (experiment.runs[0].report, experiment.cluster) == (
        str(inputs / "report.html"),
        str(inputs / "os-faults.yaml"),
    )


def test_a_new_experiment_names_its_telemetry_and_the_zone_of_its_times(tmp_path, inputs):
    for name in ("metrics/a.csv", "logs/a.csv"):
        (inputs / name).parent.mkdir(exist_ok=True)
        (inputs / name).touch()
    catalog.new_experiment(
        str(tmp_path / "catalog"),
        "nova",
        str(inputs / "report.html"),
        str(inputs / "os-faults.yaml"),
        telemetry=[("metrics", str(inputs / "metrics/*.csv")), ("logs", str(inputs / "logs/a.csv"))],
        time_zone="Europe/Berlin",
    )
    telemetry = catalog.read_experiment(str(tmp_path / "catalog"), "nova").telemetry
    assert [(one.kind, one.files, one.time_zone) for one in telemetry] == [
        ("metrics", "../../inputs/metrics/*.csv", "Europe/Berlin"),
        ("logs", "../../inputs/logs/a.csv", "Europe/Berlin"),
    ]


def test_a_pattern_that_no_file_fits_is_said_at_once(tmp_path, inputs):
    with pytest.raises(InputError, match="no file fits this pattern"):
        catalog.new_experiment(
            str(tmp_path / "catalog"),
            "nova",
            str(inputs / "report.html"),
            str(inputs / "os-faults.yaml"),
            telemetry=[("metrics", str(inputs / "metricks/*.csv"))],
        )
    assert not (tmp_path / "catalog").exists()


def test_the_comments_of_a_new_experiment_are_valid_once_uncommented(tmp_path, inputs):
    folder = tmp_path / "catalog" / "nova"
    shutil.copytree(inputs, folder)
    (folder / "experiment.yaml").unlink()
    catalog.new_experiment(
        str(tmp_path / "catalog"), "nova", str(folder / "report.html"), str(folder / "os-faults.yaml")
    )
    path = folder / "experiment.yaml"
    text = path.read_text().replace("an ORCID iD", "0000-0002-1825-0097")
    first, *lines = text.splitlines()
    path.write_text("\n".join([first, *(line.removeprefix("# ") for line in lines)]))
    experiment = catalog.read_experiment(str(tmp_path / "catalog"), "nova")
    assert experiment.description
    assert experiment.telemetry[0].time_zone == "Europe/Berlin"
    assert experiment.components == {"my_agent": "nova"}
    assert experiment.creators


def test_files_inside_of_the_new_experiments_folder_are_named_relative_to_it(tmp_path, inputs, monkeypatch):
    folder = tmp_path / "catalog" / "nova"
    shutil.copytree(inputs, folder)
    (folder / "experiment.yaml").unlink()
    monkeypatch.chdir(tmp_path)
    catalog.new_experiment("catalog", "nova", "catalog/nova/report.html", "catalog/nova/os-faults.yaml")
    experiment = catalog.read_experiment("catalog", "nova")
    assert (experiment.runs[0].report, experiment.cluster) == ("report.html", "os-faults.yaml")
    assert experiment.title == "Nova"


def test_an_experiment_is_never_overwritten(tmp_path, inputs):
    before = (inputs / "experiment.yaml").read_bytes()
    with pytest.raises(InputError, match="the experiment is there already"):
        catalog.new_experiment(str(tmp_path), "inputs", str(inputs / "report.html"), str(inputs / "os-faults.yaml"))
    assert (inputs / "experiment.yaml").read_bytes() == before


def test_nothing_is_written_where_a_file_is_missing(tmp_path, inputs):
    with pytest.raises(InputError, match=r"no such file \(did you mean report.html\?\)"):
        catalog.new_experiment(str(tmp_path), "nova", str(inputs / "raport.html"), str(inputs / "os-faults.yaml"))
    assert not (tmp_path / "nova").exists()


def test_a_new_experiment_needs_a_valid_name(tmp_path, inputs):
    with pytest.raises(InputError, match="no name for an experiment"):
        catalog.new_experiment(str(tmp_path), "../up", str(inputs / "report.html"), str(inputs / "os-faults.yaml"))


def test_a_catalog_that_cannot_be_written_is_the_environments_error(tmp_path, inputs):
    (tmp_path / "catalog").write_text("a file where a folder should be")
    with pytest.raises(SetupError, match="cannot be written"):
        catalog.new_experiment(
            str(tmp_path / "catalog"), "nova", str(inputs / "report.html"), str(inputs / "os-faults.yaml")
        )


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("{guard_before: 3}", "did you mean guard_before_s?"),
        ("{cooldown_after_s: -1}", "expected seconds from 0 to 86400"),
        ("{cooldown_after_s: soon}", "expected seconds from 0 to 86400"),
        ("{guard_before_s: .inf}", "expected seconds from 0 to 86400"),
        ("7", "expected a mapping with guard_before_s and cooldown_after_s"),
    ],
)
def test_a_guard_that_is_none_is_named(tmp_path, labels, said):
    write(tmp_path, "inputs", SMALL + f"labels: {labels}\n")
    with pytest.raises(InputError) as caught:
        catalog.read_experiment(str(tmp_path), "inputs")
    assert said in str(caught.value)


def test_a_guard_and_a_cooldown_can_be_set(tmp_path):
    write(tmp_path, "inputs", SMALL + "labels: {guard_before_s: 10, cooldown_after_s: 2.5}\n")
    experiment = catalog.read_experiment(str(tmp_path), "inputs")
    assert (experiment.labels.guard_before_s, experiment.labels.cooldown_after_s) == (10.0, 2.5)
    assert json.loads(experiment.canonical_json())["labels"] == {"guard_before_s": 10.0, "cooldown_after_s": 2.5}
