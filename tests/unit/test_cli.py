"""The command line's border: what goes to which stream, in which form, with which exit code."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultset import pipeline, simulator
from faultset.cli import main
from faultset.cli.call import plain
from faultset.errors import AnswerIsNo, InputError, SetupError

INCLUDE = Path(__file__).parents[2] / "include"


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    """A small experiment of the simulator; its files are found through its own experiment.yaml."""
    folder = tmp_path_factory.mktemp("catalog") / "nova-restart"
    simulator.simulate("nova-compute-restart", folder, seed=1, iterations=60)
    return folder


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one error line; nothing else was written."""
        assert self.out == ""
        assert self.err.startswith("error: ")
        assert self.err.count("\n") == 1
        assert self.err.endswith("\n")
        return self.err.removeprefix("error: ").rstrip("\n")


@pytest.fixture
def run(capsys):
    def call(*arguments: object) -> Outcome:
        code = main([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return call


def process(*arguments: object, encoding_of_streams: str = "utf-8") -> subprocess.Popen[bytes]:
    code = "import sys; from faultset.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(INCLUDE), "PYTHONIOENCODING": encoding_of_streams},
    )


def raising(error: BaseException):
    def use_case(*_arguments, **_options):
        raise error

    return use_case


# --- calls that are wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["instpect"], "faultset: No such command 'instpect'. Did you mean 'inspect'?; see faultset --help"),
        (["inspect"], "faultset inspect: Missing argument 'REPORT'; see faultset inspect --help"),
        (["inspect", "r.html", "--clster", "x"], "No such option '--clster'. Did you mean '--cluster'?"),
        (["inspect", "r.html", "--cluster"], "Option '--cluster' requires an argument"),
        (["verify", "a", "1.0.0", "more"], "Got unexpected extra argument (more)"),
        (["simulate"], "A scenario and --to FOLDER are needed, or --list"),
        (["simulate", "nova", "--to", "x", "--iterations", "many"], "'many' is not a valid integer"),
        (["new", "nova", "--report", "r.html"], "r.html: there is no such file; correct the path"),
        (["new", "nova", "--report", __file__], "is declared together with its cluster; add --cluster FILE"),
        (["validate", "report.html"], "a report is validated together with its cluster; add --cluster FILE"),
        (["validate", "nova", "--results", "r.json"], "a report is validated together with its cluster"),
        (["withdraw", "nova", "1.0.0"], "Missing option '--reason'"),
    ],
)
def test_a_wrong_call_is_one_line_with_the_nearest_name_and_exit_code_2(run, arguments, said):
    outcome = run(*arguments)
    assert said in outcome.error
    assert outcome.code == 2


def test_a_call_without_a_command_shows_the_help_as_an_error(run):
    outcome = run()
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Commands:" in outcome.err


@pytest.mark.parametrize("command", [[], ["inspect"], ["validate"], ["build"], ["publish"], ["doctor"]])
def test_help_is_an_answer(run, command):
    outcome = run(*command, "--help")
    assert outcome.code == 0
    assert "Usage: faultset" in outcome.out
    assert outcome.err == ""


def test_the_version_is_an_answer(run):
    outcome = run("--version")
    assert outcome.code == 0
    assert outcome.out.startswith("faultset ")


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_report_that_is_not_there_is_one_line_and_exit_code_2(run, tmp_path, form):
    outcome = run("inspect", tmp_path / "nowhere.html", *form)
    assert outcome.error.startswith(f"{tmp_path / 'nowhere.html'}: ")
    assert outcome.code == 2


def test_debug_shows_the_traceback_before_the_line(run, tmp_path):
    for arguments in (["--debug", "inspect"], ["inspect", "--debug"]):
        outcome = run(*arguments, tmp_path / "nowhere.html")
        assert "Traceback" in outcome.err
        assert outcome.err.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize(
    ("error", "code"), [(AnswerIsNo("a", "b", "c"), 1), (InputError("a", "b", "c"), 2), (SetupError("a", "b", "c"), 3)]
)
def test_each_kind_of_error_has_its_exit_code(run, monkeypatch, error, code):
    monkeypatch.setattr(pipeline, "inspect", raising(error))
    outcome = run("inspect", "report.html", "--json")
    assert outcome.error == "a: b; c"
    assert outcome.code == code


def test_what_nobody_foresaw_is_one_line_without_a_traceback(run, monkeypatch):
    monkeypatch.setattr(pipeline, "inspect", raising(RuntimeError("first\nsecond \x1b[31m")))
    outcome = run("inspect", "report.html")
    assert outcome.error == "internal: RuntimeError: first second [31m; run again with --debug and report it"
    assert outcome.code == 3


def test_a_full_disk_is_the_environments_error(run, monkeypatch):
    monkeypatch.setattr(pipeline, "inspect", raising(OSError(28, "No space left on device", "/data/x.parquet")))
    outcome = run("inspect", "report.html")
    assert outcome.error.startswith("/data/x.parquet: No space left on device; ")
    assert outcome.code == 3


def test_an_interrupt_is_clean(run, monkeypatch):
    monkeypatch.setattr(pipeline, "inspect", raising(KeyboardInterrupt()))
    outcome = run("inspect", "report.html")
    assert outcome.err == "\nerror: interrupted\n"  # the first line ends the one on which the terminal shows ^C
    assert outcome.code == 130


@pytest.mark.parametrize("arguments", [["inspect", "--json"], ["inspect"]])
def test_a_reader_that_goes_away_is_no_error(sample, arguments):
    with process(*arguments, sample / "report.html") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        err = running.stderr.read()
    assert err == b""
    assert running.returncode == 141


def test_a_name_outside_of_the_terminals_encoding_is_shown_as_far_as_it_goes(tmp_path):
    (tmp_path / "catalog" / "nova").mkdir(parents=True)
    (tmp_path / "catalog" / "nova" / "experiment.yaml").write_text("tïtel: x")
    arguments = ["doctor", "--catalog", tmp_path / "catalog", "--datasets", tmp_path / "datasets"]
    with process(*arguments, encoding_of_streams="ascii") as running:
        out, err = running.communicate()
    assert b"t?tel" in out
    assert err == b""
    assert running.returncode == 1


def test_terminal_codes_in_an_argument_do_not_reach_the_terminal(run):
    outcome = run("inspect", "evil\x1b]0;title\x07\u202e.html")
    assert "\x1b" not in outcome.err
    assert "\u202e" not in outcome.err
    assert outcome.code == 2


# --- answers --------------------------------------------------------------------------------------------------------


def test_json_is_one_document_and_nothing_else(run, sample, monkeypatch):
    real = pipeline.inspect

    def chatty(*arguments, **options):
        print("a library talks")
        return real(*arguments, **options)

    monkeypatch.setattr(pipeline, "inspect", chatty)
    outcome = run("inspect", sample / "report.html", "--json")
    assert outcome.code == 0
    assert set(outcome.document) >= {"rally_version", "workloads", "triggers", "injections", "targets"}
    assert outcome.err == "a library talks\n"


def test_inspect_shows_the_truth_of_the_sample(run, sample):
    plan = ["--results", sample / "results.json", "--cluster", sample / "os-faults.yaml"]
    outcome = run("inspect", sample / "report.html", *plan)
    assert outcome.code == 0
    for word in ("Workloads", "Triggers", "fired", "Injections", "Targets", "nova_compute", "inferred"):
        assert word in outcome.out


def test_report_content_is_never_markup_nor_a_terminal_code(run, monkeypatch):
    document = {
        "tools": ["rally [bold]1[/bold]\x1b[31m"],
        "workloads": [],
        "triggers": [],
        "injections": [],
        "targets": [],
        "notes": ["[red]note[/red] :smile: \x9b31m \u202e"],
    }
    monkeypatch.setattr(pipeline, "inspect", lambda *_arguments, **_options: document)
    outcome = run("inspect", "report.html")
    assert "rally [bold]1[/bold] [31m" in outcome.out
    assert "note: [red]note[/red] :smile: 31m" in outcome.out
    assert not set(outcome.out) & {"\x1b", "\x9b", "\u202e"}


def test_a_trigger_that_was_not_reached_is_shown(run, tmp_path):
    simulator.simulate("unreached-triggers", tmp_path, seed=1, iterations=60)
    outcome = run("inspect", tmp_path / "report.html")
    assert "not_reached" in outcome.out


def test_a_catalog_entry_is_written_and_read_again(run, sample, tmp_path):
    arguments = ["--report", sample / "report.html", "--cluster", sample / "os-faults.yaml", "--catalog", tmp_path]
    outcome = run("new", "another", *arguments, "--json")
    assert outcome.code == 0
    assert Path(outcome.document["path"]).is_file()
    again = run("new", "another", *arguments)
    assert "the experiment is there already" in again.error
    assert again.code == 2


def test_the_options_override_the_environment(run, tmp_path, monkeypatch):
    monkeypatch.setenv("FAULTSET_CATALOG", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("FAULTSET_DATASETS", str(tmp_path / "elsewhere"))
    (tmp_path / "catalog").mkdir()
    outcome = run("build", "--catalog", tmp_path / "catalog", "--datasets", tmp_path / "datasets")
    assert outcome.error.startswith(f"{tmp_path / 'catalog'}: the catalog holds no experiment")
    assert "elsewhere" in run("build").error


def test_no_datasets_are_no_versions_and_no_damage(run, tmp_path):
    assert run("versions", "--datasets", tmp_path, "--json").document == {"versions": []}
    assert run("verify", "--datasets", tmp_path, "--json").document == {"intact": True, "damages": []}
    assert "Versions: none" in run("versions", "--datasets", tmp_path).out


def test_scenarios_are_listed(run):
    names = run("simulate", "--list", "--json").document["scenarios"]
    assert {"nova-compute-restart", "glance-api-restart", "neutron-agents-restart"} <= set(names)
    assert run("simulate", "--list").out.split() == names


def test_the_same_seed_simulates_the_same_report(run, tmp_path):
    for name in ("one", "two"):
        outcome = run(
            "simulate", "glance-api-restart", "--to", tmp_path / name, "--seed", 7, "--iterations", 60, "--json"
        )
        assert outcome.code == 0
        assert outcome.document["seed"] == 7
    assert (tmp_path / "one" / "report.html").read_bytes() == (tmp_path / "two" / "report.html").read_bytes()


def test_doctor_says_no_where_the_catalog_is_broken(run, tmp_path):
    (tmp_path / "nova").mkdir()
    (tmp_path / "nova" / "experiment.yaml").write_text("titel: x")
    outcome = run("doctor", "--catalog", tmp_path, "--datasets", tmp_path / "datasets", "--json")
    assert outcome.code == 1
    catalog = next(check for check in outcome.document["checks"] if check["check"] == "catalog")
    assert not catalog["ok"]
    assert "titel" in catalog["detail"]


# --- JSON that every reader takes -----------------------------------------------------------------------------------


def test_a_number_that_is_not_finite_is_null():
    assert plain({"a": [float("nan"), float("inf"), 1.5], "b": (10**30,)}) == {"a": [None, None, 1.5], "b": [10**30]}


def test_times_have_microseconds_and_z():
    moment = dt.datetime(2019, 11, 19, 22, 51, 43, 166326, tzinfo=dt.UTC)
    assert plain([moment]) == ["2019-11-19T22:51:43.166326Z"]


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(anything)
def test_whatever_is_answered_is_valid_json(value):
    text = json.dumps(plain(value), allow_nan=False)
    assert json.dumps(json.loads(text)) == text
    assert text.isascii()


HEAVY = ("airflow", "great_expectations", "matplotlib", "pandas", "polars", "pydantic", "scipy", "sklearn")


def loaded(code: str, **environment: str) -> set[str]:
    """The packages that a fresh process has loaded after ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}\nprint(json.dumps([n.split('.')[0] for n in sys.modules]))"],
        env={**os.environ, "PYTHONPATH": str(INCLUDE), **environment},
        capture_output=True,
        check=True,
        text=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_help_comes_without_loading_what_only_commands_need():
    assert not loaded("from faultset.cli import main; main(['--help'])") & {*HEAVY, "numpy", "pyarrow", "obstore"}


@pytest.mark.parametrize("command", ["versions", "list", "show glance", "verify", "doctor --help", "inspect --help"])
def test_commands_that_read_load_no_statistics_plots_or_validator(command, tmp_path):
    code = f"from faultset.cli import main; main({command.split()!r})"
    assert not loaded(code, FAULTSET_DATASETS=str(tmp_path)) & {*HEAVY}


def test_inspect_loads_no_statistics_plots_or_validator(sample):
    report = next(iter(sample.rglob("*.html")))
    code = f"from faultset.cli import main; main(['--json', 'inspect', {str(report)!r}])"
    assert not loaded(code) & {*HEAVY}


@pytest.mark.parametrize("module", ["undoing", "comparing", "published", "inspecting"])
def test_use_cases_that_read_load_no_statistics_plots_or_validator(module):
    assert not loaded(f"import faultset.pipeline.{module}") & {*HEAVY}


def test_every_use_case_is_found_where_the_table_says():
    for name in pipeline.__all__:
        assert getattr(pipeline, name).__name__ == name
    assert set(pipeline.__all__) == {name for names in pipeline._HOME.values() for name in names.split()}
    with pytest.raises(AttributeError, match="no attribute 'publsh'"):
        pipeline.publsh  # noqa: B018 (asked for on purpose)


def test_a_command_says_which_extra_to_install(run, monkeypatch):
    def missing(*_):
        raise ModuleNotFoundError("No module named 'great_expectations.core'", name="great_expectations.core")

    monkeypatch.setattr(pipeline, "doctor", missing)
    outcome = run("doctor")
    assert outcome.code == 3
    assert outcome.error == (
        "faultset doctor: it needs great_expectations, which is not installed; run pip install 'faultset[build]'"
    )
