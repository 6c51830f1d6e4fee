"""Journals as Chaos Toolkit writes them, for tests: the shape of 1.44, with what a test cares for."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

START = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


def process(name: str, arguments: Any, path: str = "docker", **more: Any) -> dict[str, Any]:
    """An action that runs a command."""
    return {
        "type": "action",
        "name": name,
        "provider": {"type": "process", "path": path, "arguments": arguments},
        **more,
    }


def python(name: str, function: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    """An action of an extension."""
    module, _, func = function.rpartition(".")
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments or {}}
    return {"type": "action", "name": name, "provider": provider, **more}


def answer(stdout: str = "", status: int = 0, stderr: str = "") -> dict[str, Any]:
    """What a command's run leaves as its output."""
    return {"status": status, "stdout": stdout, "stderr": stderr}


def run(activity: dict[str, Any], at: float, took: float, output: Any = None, **more: Any) -> dict[str, Any]:
    """A run of an activity: seconds from the journal's start, and how long it took."""
    return {
        "activity": activity,
        "output": output,
        "start": moment(at),
        "status": "succeeded",
        "end": moment(at + took),
        "duration": took,
        **more,
    }


def moment(seconds: float) -> str:
    """A time as 1.44 writes it."""
    return (START + dt.timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def journal(runs: list[dict[str, Any]], rollbacks: list[dict[str, Any]] = [], **more: Any) -> dict[str, Any]:  # noqa: B006
    """A journal of these runs; what was planned is what ran, unless ``experiment`` says otherwise."""
    planned = {
        "title": "lab",
        "description": "",
        "method": [one["activity"] for one in runs],
        "rollbacks": [one["activity"] for one in rollbacks],
        "dry": None,
        **more.pop("experiment", {}),
    }
    return {
        "chaoslib-version": "1.44.0",
        "platform": "Linux",
        "node": "lab-vm",
        "experiment": planned,
        "start": moment(0),
        "status": "completed",
        "deviated": False,
        "steady_states": {"before": None, "after": None, "during": []},
        "run": runs,
        "rollbacks": rollbacks,
        "end": moment(60),
        "duration": 60.0,
        **more,
    }


def written(folder: Path, content: dict[str, Any], name: str = "journal.json") -> str:
    """Write a journal and return its path."""
    path = folder / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)
