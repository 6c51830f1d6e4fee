"""Statuses of ChaosBlade: what was set up and destroyed, and that neither proves a hit."""

from __future__ import annotations

import json

import pytest

from faultset import pipeline
from faultset.errors import InputError
from faultset.sources import injections


def status(folder, *experiments):
    path = folder / "status.json"
    path.write_text(json.dumps({"code": 200, "success": True, "result": list(experiments)}))
    return str(path)


def experiment(command="network", action="delay", flags="--time 3000", state="Destroyed", **more):
    return {
        "Uid": "7c1f7afc281482c8",
        "Command": command,
        "SubCommand": action,
        "Flag": flags,
        "Status": state,
        "Error": "",
        "CreateTime": "2026-03-01T20:00:10.250+08:00",
        "UpdateTime": "2026-03-01T20:01:10.750+08:00",
        **more,
    }


def test_a_destroyed_experiment_lasts_from_its_creation_to_its_end(tmp_path):
    path = status(tmp_path, experiment(flags="--time 3000 --namespace=shop --names=web-0,web-1"))
    assert injections.source_of(path).name == "chaosblade"
    found = pipeline.inspect(path)
    (row,) = found["injections"]
    assert (row["started_at"], row["ended_at"]) == ("2026-03-01T12:00:10.250000Z", "2026-03-01T12:01:10.750000Z")
    assert (row["action"], row["effect"], row["fault_end_source"]) == ("network-delay", "unknown", "command")
    assert [(t["kind"], t["namespace"], t["pod"], t["commanded"], t["effective"]) for t in found["targets"]] == [
        ("pod", "shop", "web-0", True, None),
        ("pod", "shop", "web-1", True, None),
    ]


@pytest.mark.parametrize(
    ("action", "means"),
    [("pod-network delay", "network-delay"), ("pod-pod delete", "kill"), ("node-cpu fullload", "stress"), ("x", "k8s")],
)
def test_what_is_done_in_kubernetes_is_told_by_the_action(action, means, tmp_path):
    (row,) = pipeline.inspect(status(tmp_path, experiment("k8s", action)))["injections"]
    assert row["action"] == means


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        ({"state": "Error"}, "it was not set up"),
        ({"state": "Created"}, "it was not set up"),
        ({"command": "prepare", "action": "jvm", "state": "Success"}, "it prepares an agent"),
    ],
)
def test_what_was_not_set_up_has_no_effect(changed, because, tmp_path):
    (row,) = pipeline.inspect(status(tmp_path, experiment(**changed)))["injections"]
    assert row["effect"] == "none"
    assert because in row["effect_reason"]


def test_an_experiment_that_nothing_destroyed_has_no_known_end(tmp_path):
    (row,) = pipeline.inspect(status(tmp_path, experiment(state="Success")))["injections"]
    assert (row["effect"], row["fault_end_source"]) == ("unknown", "unknown")
    assert "nothing destroyed it yet" in row["fault_end_reason"]


@pytest.mark.parametrize(
    ("flags", "kind", "node", "container"),
    [
        ("--process nginx", "process", "nginx", "nginx"),
        ("--container-name redis --ssh-host cmp01", "container", "cmp01", "redis"),
        ("--ssh-host 10.0.0.7 --cpu-percent 80", "node", "10.0.0.7", None),
        ("--names worker1", "node", "worker1", None),
    ],
)
def test_flags_name_the_targets(flags, kind, node, container, tmp_path):
    (row,) = pipeline.inspect(status(tmp_path, experiment("cpu", "fullload", flags)))["targets"]
    assert (row["kind"], row["node"], row["container"], row["effective"]) == (kind, node, container, None)


def test_a_list_of_nothing_is_one_line(tmp_path):
    path = tmp_path / "status.json"
    path.write_text('{"code": 200, "result": {"SubCommand": "", "CreateTime": ""}}')
    assert pipeline.inspect(str(path))["injections"] == []
    path.write_text('{"code": 200, "result": [], "x": {"SubCommand": "", "CreateTime": ""}}')
    with pytest.raises(InputError, match="lists no experiment"):
        pipeline.inspect(str(path))
