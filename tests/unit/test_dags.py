"""The DAG files: they load, they are described, they stay light, and they see nothing but the use cases."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
FILES = sorted(DAGS.rglob("*.py"))
USE_CASES = {
    "faultset.deposits",
    "faultset.pipeline",
    "faultset.settings",
    "faultset.errors",
    "faultset.storage.credentials",
}
# Beside the task SDK: what it has no equal for, and what imports in milliseconds once the SDK is there.
LIGHT = {
    "airflow.providers.standard.operators.hitl",
}
OURS = {"faultset_dags", "faultset_inbox", "faultset_notices"}


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Any:
    # Airflow reads its settings when it is imported, and writes a configuration into its home.
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        environment.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        environment.setenv("FAULTSET_CATALOG", "/nowhere/to/be/read")
        environment.syspath_prepend(str(DAGS))
        from airflow.dag_processing.dagbag import DagBag

        yield DagBag(str(DAGS))


@pytest.fixture(scope="module")
def rebuild(bag: Any) -> Any:
    return bag.dags["rebuild_datasets"]


@pytest.fixture(scope="module")
def publish(bag: Any) -> Any:
    return bag.dags["publish_dataset"]


def printed(code: str, home: Path, **settings: str) -> str:
    """What code prints in a process of its own that finds DAGs, plugins and what lies in ``home``, an empty Airflow."""
    paths = os.pathsep.join(map(str, [DAGS, ROOT / "plugins", ROOT / "include", home]))
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "PYTHONPATH": paths, **settings}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return answer.stdout


def imports_of(file: Path, *, at_the_top: bool) -> set[str]:
    tree = ast.parse(file.read_text())
    nodes = tree.body if at_the_top else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "faultset":
            names |= {f"faultset.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_every_dag_file_loads_without_reading_the_catalog(bag: Any) -> None:
    assert bag.import_errors == {}
    assert sorted(bag.dags) == sorted(file.stem for file in DAGS.glob("*.py"))


def test_every_dag_has_an_owner_tags_and_a_description(bag: Any) -> None:
    for dag in bag.dags.values():
        assert dag.owner
        assert "faultset" in dag.tags
        assert dag.doc_md
        assert not dag.catchup


def test_every_task_ends_some_time(bag: Any) -> None:
    for dag in bag.dags.values():
        assert dag.dagrun_timeout
        assert all(task.execution_timeout for task in dag.tasks)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_parsing_imports_nothing_heavier_than_the_task_sdk(file: Path) -> None:
    roots = {name.split(".")[0] for name in imports_of(file, at_the_top=True)}
    assert {root for root in roots - OURS if root not in sys.stdlib_module_names} <= {"airflow"}
    airflow = {name for name in imports_of(file, at_the_top=True) if name.split(".")[0] == "airflow"}
    assert {name for name in airflow if not name.startswith("airflow.sdk")} <= LIGHT


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_dags_see_nothing_of_the_product_but_its_use_cases(file: Path) -> None:
    seen = {name for name in imports_of(file, at_the_top=False) if name.split(".")[0] == "faultset"}
    assert seen <= USE_CASES


@pytest.mark.parametrize("name", ["rebuild_datasets", "publish_dataset"])
def test_parsing_leaves_the_product_unimported(name: str, tmp_path: Path) -> None:
    code = f"import sys; import {name}; print([n for n in sys.modules if n.split('.')[0] == 'faultset'])"
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=DAGS, env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("file", sorted((ROOT / "plugins").glob("*.py")), ids=lambda file: file.name)
def test_a_plugin_which_each_tasks_process_loads_imports_neither_pages_nor_what_they_need(
    file: Path, tmp_path: Path
) -> None:
    heavy = ("faultset.pages.web", "fastapi", "airflow.api_fastapi.core_api.security", "pandas", "polars", "pyarrow")
    code = f"import sys; import {file.stem}; print([n for n in {heavy} if n in sys.modules])"
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=file.parent, env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def told_of_failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[str]]]:
    """DAG -> class and text of each notifier that is told where a run fails, as the environment declares it."""
    home = tmp_path_factory.mktemp("notified")
    code = (
        f"import json; from airflow.dag_processing.dagbag import DagBag; dags = DagBag({str(DAGS)!r}).dags\n"
        "said = {name: [(type(one).__name__, one.text) for one in dag.on_failure_callback] "
        "for name, dag in dags.items()}\n"
        "print(json.dumps(said))"
    )
    (home / "lab.py").write_text(
        "from airflow.sdk import BaseNotifier\n"
        "class Bell(BaseNotifier):\n"
        "    def __init__(self, text): super().__init__(); self.text = text\n"
        "    def notify(self, context): pass\n"
    )
    said = printed(
        code,
        home,
        AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
        FAULTSET_NOTIFIERS='[{"class": "lab.Bell", "arguments": {"text": "{{ dag.dag_id }}"}}]',
    )
    return json.loads(said.splitlines()[-1])


@pytest.mark.parametrize(
    "name", ["rebuild_datasets", "publish_dataset", "validate_reports", "deposit_versions", "maintain_datasets"]
)
def test_the_notifiers_of_the_environment_are_told_of_failed_runs(
    name: str, told_of_failures: dict[str, list[list[str]]]
) -> None:
    assert told_of_failures[name] == [["Bell", "{{ dag.dag_id }}"]]


def test_a_rebuild_has_deadlines_that_the_triggerer_can_tell_of(rebuild: Any) -> None:
    assert [(one.name, one.interval.total_seconds() // 3600) for one in rebuild.deadline] == [
        ("not_ended_in_time", 12),
        ("datasets_not_refreshed", 36),
    ]
    for one in rebuild.deadline:
        module, _, name = one.callback.path.rpartition(".")
        assert (ROOT / "plugins" / f"{module}.py").is_file()
        assert inspect.iscoroutinefunction(getattr(importlib.import_module(module), name))


def test_what_was_accepted_sets_off_one_rebuild_however_often_it_is_tried(bag: Any) -> None:
    from airflow.sdk.exceptions import DagRunTriggerException

    dag = bag.dags["validate_reports"]
    task = dag.get_task("rebuild")
    task.conf = {"experiments": ["a"]}
    with pytest.raises(DagRunTriggerException) as caught:
        task.execute({"dag": dag, "run_id": "asset_triggered__2026-01-02T03:04:05+00:00"})
    asked = caught.value
    assert (asked.trigger_dag_id, asked.conf) == ("rebuild_datasets", {"experiments": ["a"]})
    assert asked.dag_run_id == "validate_reports__asset_triggered__2026-01-02T03:04:05+00:00"
    assert asked.skip_when_already_exists
    assert not asked.reset_dag_run


def test_a_dag_file_is_wiring() -> None:
    assert {
        file.name: length for file in DAGS.glob("*.py") if (length := len(file.read_text().splitlines())) > 120
    } == {}


def test_the_form_of_a_report_by_hand_says_what_is_required(bag: Any) -> None:
    form = bag.dags["validate_reports"].params
    said = {name: form.get_param(name).schema["title"].partition(" (")[2].strip(")") for name in form}
    assert said == {
        "report": "required",
        "cluster": "required for Rally",
        "results": "optional",
        "hook_scripts": "optional",
    }
    assert all(form.get_param(name).description for name in form)


def test_what_is_given_beside_no_report_is_not_passed_over(bag: Any) -> None:
    from faultset.errors import InputError
    from faultset_dags.judging import named_files

    empty = {"report": None, "cluster": None, "results": None, "hook_scripts": []}
    assert named_files(empty) == []
    assert named_files({**empty, "report": "r", "cluster": "c", "hook_scripts": ["s"]}) == ["r", "c", "s"]
    with pytest.raises(InputError, match="name the report, too"):
        named_files({**empty, "cluster": "c"})


def test_rebuild_datasets_runs_daily_and_one_at_a_time(rebuild: Any) -> None:
    assert rebuild.timetable.expression == "0 0 * * *"
    assert rebuild.max_active_runs == 1


def test_rebuild_datasets_takes_a_subset_and_force(rebuild: Any) -> None:
    defaults = rebuild.params.dump()
    assert defaults == {"experiments": [], "force": False}
    pattern = rebuild.params.get_param("experiments").schema["items"]["pattern"]
    assert pattern == "^[a-z0-9][a-z0-9-]*$"


def test_what_is_mapped_is_batches_however_many_experiments_there_are(rebuild: Any) -> None:
    mapped = {task.task_id for task in rebuild.tasks if task.is_mapped}
    assert mapped == {"small.build", "large.decide", "large.label", "large.validate"}
    assert all(list(rebuild.get_task(name).op_kwargs_expand_input.value) == ["batch"] for name in mapped)
    for before, after in itertools.pairwise(["plan", "small.batches", "small.build", "small.announce", "report"]):
        assert after in rebuild.get_task(before).downstream_task_ids


def test_small_experiments_never_wait_for_large_ones(rebuild: Any) -> None:
    before = rebuild.get_task("small.announce").get_flat_relative_ids(upstream=True)
    assert not {name for name in before if name.startswith("large.")}
    small, large = rebuild.get_task("small.build"), rebuild.get_task("large.label")
    assert small.priority_weight > large.priority_weight
    assert large.max_active_tis_per_dagrun == 2


@pytest.mark.parametrize(("workers", "at_once"), [("1", "1"), ("4", "3"), ("64", "16")])
def test_a_rebuild_leaves_a_worker_to_everything_else(workers: str, at_once: str, tmp_path: Path) -> None:
    code = "import rebuild_datasets; print(rebuild_datasets.rebuild_datasets().max_active_tasks)"
    assert printed(code, tmp_path, AIRFLOW__CORE__PARALLELISM=workers).split() == [at_once]


def test_files_of_large_experiments_are_divided_among_tasks(rebuild: Any) -> None:
    chain = ["large.decide", "large.divide", "large.label", "large.validate", "large.announce"]
    for before, after in itertools.pairwise(chain):
        assert after in rebuild.get_task(before).downstream_task_ids
    # Whatever became of one batch, the others go on; where there is none, nothing runs.
    assert rebuild.get_task("large.validate").trigger_rule == "all_done"
    assert rebuild.get_task("large.divide").trigger_rule == "all_done_min_one_success"


def test_pools_bound_judges_and_large_experiments_where_the_environment_names_them(tmp_path: Path) -> None:
    code = (
        "import rebuild_datasets as r, validate_reports as v\n"
        "from faultset_dags.pools import JUDGES, OF_LARGE, OF_SMALL\n"
        "print(JUDGES, OF_LARGE.get('pool'), OF_SMALL.get('pool'), OF_LARGE.get('max_active_tis_per_dagrun'))\n"
        "from faultset_dags import judging, rebuilding\n"
        "print(judging.judge.kwargs['pool'], rebuilding.label.kwargs['pool'])"
    )
    said = printed(code, tmp_path, FAULTSET_POOL_JUDGES="judges", FAULTSET_POOL_LARGE="large")
    assert said.splitlines()[-2:] == ["judges large None None", "judges large"]


def test_the_report_runs_whatever_became_of_the_experiments(rebuild: Any) -> None:
    report = rebuild.get_task("report")
    assert report.trigger_rule == "all_done"
    assert report.retries > 0  # where its worker dies; a broken experiment ends it at once
    assert rebuild.leaves == [report]


def test_a_rebuild_makes_candidates_and_publishes_nothing(rebuild: Any) -> None:
    lanes = ("small.announce", "large.announce")
    assert outlets(rebuild) == {lane: ["faultset_candidates"] for lane in lanes}


def outlets(dag: Any) -> dict[str, list[str]]:
    return {task.task_id: [asset.name for asset in task.outlets] for task in dag.tasks if task.outlets}


def test_publish_dataset_looks_at_candidates_when_woken_and_every_hour_and_alone_makes_versions(publish: Any) -> None:
    from airflow.sdk import AssetOrTimeSchedule

    assert isinstance(publish.timetable, AssetOrTimeSchedule)
    assert publish.timetable.timetable.expression == "30 * * * *"
    assert publish.timetable.asset_condition.name == "faultset_candidates"
    assert outlets(publish) == {name: ["faultset_datasets"] for name in ("publish_batch", "publish")}


def test_a_pause_piles_up_no_runs(bag: Any) -> None:
    from airflow.sdk import PartitionedAssetTimetable

    for dag in bag.dags.values():
        assert not dag.catchup
        assert not isinstance(dag.timetable, PartitionedAssetTimetable)


def test_deposits_are_looked_for_by_the_clock_one_run_at_a_time_and_few_at_once(bag: Any) -> None:
    dag = bag.dags["deposit_versions"]
    assert dag.timetable.expression == "*/15 * * * *"
    assert dag.max_active_runs == 1
    assert dag.get_task("deposit").is_mapped
    assert dag.get_task("deposit").max_active_tis_per_dag == 2
    assert dag.leaves == [dag.get_task("report")]
    assert outlets(dag) == {}


def test_one_question_has_one_run_however_often_it_is_found(publish: Any) -> None:
    from airflow.sdk.exceptions import DagRunTriggerException

    from faultset_dags.setting_off import SetOff

    assert publish.get_task("ask").is_mapped
    task = SetOff(task_id="ask", trigger_dag_id="publish_dataset", conf={"experiment": "a", "run": "a__0123"})
    with pytest.raises(DagRunTriggerException) as caught:
        task.execute({"dag": publish, "run_id": "asset_triggered__2026-01-02T03:04:05+00:00"})
    asked = caught.value
    assert (asked.dag_run_id, asked.conf) == ("a__0123", {"experiment": "a"})
    assert asked.skip_when_already_exists


def test_publish_dataset_takes_an_experiment_by_hand(publish: Any) -> None:
    assert publish.params.dump() == {"experiment": None}


def test_an_approval_comes_before_publishing_and_is_asked_again_where_its_answer_was_lost(publish: Any) -> None:
    chain = ["propose", "approve", "publish", "set_aside", "report"]
    for before, after in itertools.pairwise(chain):
        assert after in publish.get_task(before).downstream_task_ids
    # Airflow skips what directly follows a rejected approval: publishing, and not what keeps the rejection.
    assert publish.get_task("approve").downstream_task_ids == {"publish"}
    assert publish.get_task("approve").retries > 0
    assert publish.get_task("publish").trigger_rule == "none_failed_min_one_success"
    assert publish.leaves == [publish.get_task("report")]


def test_texts_of_reports_are_never_templates(publish: Any) -> None:
    assert set(publish.get_task("approve").template_fields) == {"proposal"}


def test_a_run_may_wait_for_its_person_longer_than_any_experiment_may_declare(publish: Any) -> None:
    from faultset.catalog import LONGEST_TIMEOUT

    assert publish.dagrun_timeout > LONGEST_TIMEOUT
    assert publish.get_task("approve").response_timeout == LONGEST_TIMEOUT
    assert publish.max_active_runs >= 1000


@pytest.mark.usefixtures("bag")
class TestOutcomes:
    """What the report makes of the states of a chain."""

    def test_the_first_failed_task_is_to_blame_not_those_that_waited_for_it(self) -> None:
        from faultset_dags.outcomes import blame

        states = {"extract": "success", "decide": "failed", "validate": "upstream_failed", "write": "upstream_failed"}
        assert blame(states) == "decide"

    def test_a_task_that_never_came_to_an_end_is_to_blame_as_well(self) -> None:
        from faultset_dags.outcomes import blame

        assert blame({"extract": "success", "decide": None, "validate": None}) == "decide"

    @pytest.mark.parametrize("states", [{"extract": "success"}, {"extract": "skipped"}])
    def test_nobody_is_to_blame_for_success_or_a_skip(self, states: dict[str, str]) -> None:
        from faultset_dags.outcomes import blame

        assert blame(states) is None
