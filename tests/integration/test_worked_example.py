"""The worked example runs from its text in a kernel, and what is kept of it shows the same cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import consumer
from faultset import pipeline
from faultset.settings import Settings

pytestmark = pytest.mark.integration
CHECKOUT = Path(__file__).parents[2]
SOURCE = CHECKOUT / "docs/examples/worked_example.py"
KEPT = CHECKOUT / "docs/examples/worked-example.ipynb"


def test_the_worked_example_runs_and_scores_beside_its_floors(tmp_path: Path):
    settings = Settings(str(CHECKOUT / "experiments"), str(tmp_path / "datasets"))
    built = pipeline.build("nova-compute-restart", settings)
    pipeline.publish_by_hand(built, settings, reason="a test")
    (tmp_path / "figures").mkdir()
    run = tmp_path / "run.ipynb"
    environment = {
        "FAULTSET_DATASETS": settings.datasets,
        "PYTHONPATH": str(CHECKOUT / "include"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    found = consumer.run("run_notebook.py", SOURCE, run, tmp_path / "figures", **environment)
    assert found["pictures"] == 2
    tables = "\n".join(found["shown"])
    for name in ("constant", "chance", "always", "never", "largest |z|", "this detector", "this ranking"):
        assert name in tables
    print(tables)
    kept, fresh = (json.loads(path.read_text()) for path in (KEPT, run))
    same = "run python tests/consumers/run_notebook.py and keep what it writes"
    assert [cell["source"] for cell in kept["cells"]] == [cell["source"] for cell in fresh["cells"]], same
    assert any("image/png" in output.get("data", {}) for cell in kept["cells"] for output in cell.get("outputs", []))
