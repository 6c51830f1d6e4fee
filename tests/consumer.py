"""Other people's tools, as they install from the package index, in an environment of their own under ``.cache``.

Their pins clash with ours, so that they run in processes of their own; each answers with one JSON document. Where the
index cannot be reached the tests that need them are skipped, and say so.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[1]
SCRIPTS = Path(__file__).parent / "consumers"
# With what they need; the next ones ask for torch and the like, which nothing here runs.
PACKAGES = (
    "causal-learn==0.1.4.7", "cwl-utils==0.45", "datasets==5.2.0", "duckdb>=1.4", "grafana-foundation-sdk", "hurst",
    "ipykernel", "loguru", "matplotlib", "nbclient", "nbformat", "networkx", "obstore>=0.12", "pandas>=3",
    "polars>=1.38", "prometheus-client==0.26.0", "pyarrow", "pydantic>=2.12",
    "python-dotenv", "roc-validator==0.13.0", "scikit-learn", "scipy", "statsmodels", "tqdm", "typer",
)  # fmt: skip
WITHOUT_DEPENDENCIES = ("rcabench-platform==0.4.46", "rcaeval==1.8.1", "rocrate==0.16.0", "tsb-ad==1.5")
_UNREACHABLE = ("fetch", "dns", "connect", "timed out", "no solution", "request")


def python() -> Path:
    """Return the interpreter of the environment, which is made where it is missing."""
    wanted = "\n".join([*PACKAGES, *WITHOUT_DEPENDENCIES, sys.version])
    folder = CHECKOUT / ".cache/consumers" / sha256(wanted.encode()).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not (folder / ".installed").exists():
            _install(folder)
    return folder / "bin/python"


def _install(folder: Path) -> None:
    into = ["pip", "install", "--quiet", "--python", str(folder / "bin/python")]
    for arguments in (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [*into, *PACKAGES],
        [*into, "--no-deps", *WITHOUT_DEPENDENCIES],
    ):
        done = subprocess.run([CHECKOUT / "tools/uv", *arguments], capture_output=True, text=True, check=False)
        if done.returncode and any(word in done.stderr.lower() for word in _UNREACHABLE):
            pytest.skip(f"the package index cannot be reached: {done.stderr[-300:]}")
        assert not done.returncode, done.stderr
    (folder / ".installed").touch()


def run(script: str, *arguments: object, **environment: str) -> Any:
    """Run a script of ``tests/consumers`` there and return the JSON document that it prints last."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [python(), "-I", SCRIPTS / script, *map(str, arguments)],
        env={**clean, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert not done.returncode, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])
