"""No secret of an input reaches a dataset, a stream or a work folder, through any command."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultset import simulator
from faultset_cli import run

pytestmark = pytest.mark.integration

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
NOVA = ("j_boot_delete_report.html", "j_boot_delete_output.json", "nova")
RUNS = (
    NOVA,
    ("j_image_output.html", "j_image_output.json", "glance"),
    ("j_network_report.html", "j_network_output.json", "neutron"),
)


def files_holding(folder: Path, secrets: tuple[bytes, ...]) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files if any(secret in path.read_bytes() for secret in secrets)]


def test_simulated_secrets_stay_in_the_inputs(tmp_path: Path):
    catalog, datasets = tmp_path / "experiments", tmp_path / "datasets"
    for scenario in ("nova-compute-restart", "invisible-hook"):
        simulator.simulate(scenario, catalog / scenario, seed=3)
    secrets = tuple(secret.encode() for secret in simulator.SECRETS)
    assert files_holding(catalog, secrets)
    options = ("--catalog", str(catalog), "--datasets", str(datasets))
    said = [run("build", *options, "--json"), run("publish", "nova-compute-restart", *options, "--json")]
    said += [
        run(
            "inspect",
            str(catalog / "nova-compute-restart" / "report.html"),
            "--cluster",
            str(catalog / "nova-compute-restart" / "os-faults.yaml"),
        )
    ]
    assert [done.exit_code for done in said] == [0, 0, 0]
    assert not files_holding(datasets, secrets)
    assert not [done for done in said if any(secret in done.stdout + done.stderr for secret in simulator.SECRETS)]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not beside this checkout")
def test_canaries_of_the_real_experiments_stay_in_the_inputs(tmp_path: Path):
    catalog, datasets = tmp_path / "experiments", tmp_path / "datasets"
    for report, results, scripts in RUNS:
        named = [
            arg for path in sorted((REAL / "hook_scripts" / scripts).iterdir()) for arg in ("--hook-script", str(path))
        ]
        files = ("--report", str(REAL / "msod" / report), "--results", str(REAL / "msod" / results))
        cluster = ("--cluster", str(REAL / "msod" / "os-faults-latest.yaml"))
        assert run("new", scripts, *files, *cluster, *named, "--catalog", str(catalog)).exit_code == 0
    options = ("--catalog", str(catalog), "--datasets", str(datasets))
    said = [run("build", *options)] + [run("publish", scripts, "--approve", *options) for _, _, scripts in RUNS]
    assert [done.exit_code for done in said] == [0, 0, 0, 0], said
    assert not files_holding(datasets, (b"CANARY", b"id_rsa"))
    assert not [done for done in said if "CANARY" in done.stdout + done.stderr]
