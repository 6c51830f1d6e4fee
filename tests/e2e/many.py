"""A catalog of very many small experiments, all of them published, made in a minute from one that was really built."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import os
import shutil
from pathlib import Path

import yaml

from faultset import catalog, pipeline, simulator
from faultset.moments import UTC
from faultset.pipeline.building import inputs_of
from faultset.release import fingerprint, history, index
from faultset.release import manifest as manifests
from faultset.settings import Settings

BASE = "base"
FILES = 21  # of an experiment, its description among them
# What telemetry experiments have, logs at least; each kind costs a build some of its time.
KINDS = os.environ.get("FAULTSET_TEST_KINDS", "metrics,logs,traces").split(",")


def names(count: int) -> list[str]:
    return [f"many-{number:05}" for number in range(count)]


def sample(folder: Path, seed: int) -> None:
    """Write an experiment of 20 small files that publishes without a person."""
    simulator.simulate("glance-api-restart", folder, seed=seed, iterations=30, metric_seconds=60)
    (folder / "truth.json").unlink()
    path = folder / "experiment.yaml"
    described = yaml.safe_load(path.read_text())
    telemetry = [one for one in described["telemetry"] if one["kind"] in KINDS]
    for kind in {one["kind"] for one in described["telemetry"]} - set(KINDS):
        shutil.rmtree(folder / kind)
    path.write_text(yaml.safe_dump({**described, "telemetry": telemetry, "approval": "never"}))
    with (folder / "logs" / "all.csv").open(newline="") as file:
        head, *records = csv.reader(file)  # a message may have several lines
    (folder / "logs" / "all.csv").unlink()
    parts = FILES - sum(one.is_file() for one in folder.rglob("*"))
    for part in range(parts):
        with (folder / "logs" / f"part-{part}.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([head, *records[part::parts]])


def make(settings: Settings, count: int, changing: int) -> None:
    """Write the catalog and a version of each experiment; those that will change have whole versions."""
    root, datasets = Path(settings.catalog), Path(settings.datasets)
    sample(root / BASE, seed=1)
    built = pipeline.build(BASE, settings)
    pipeline.publish_by_hand(built, settings, reason="a base for others")
    version = datasets / BASE / "1.0.0"
    manifest = manifests.decode((version / "manifest.json").read_bytes(), "base")
    entries = dict(index.decode((datasets / "index.json").read_bytes()) or {})
    for number, slug in enumerate(names(count)):
        shutil.copytree(root / BASE, root / slug)
        experiment = catalog.read_experiment(settings.catalog, slug)
        mark = fingerprint.fingerprint(inputs_of(experiment), experiment.canonical_json())
        own = dataclasses.replace(manifest, slug=slug, fingerprint=mark)
        target = datasets / slug / "1.0.0"
        if number < changing:
            shutil.copytree(version, target, copy_function=os.link)
            (target / "manifest.json").unlink()
        else:
            target.mkdir(parents=True)
        (target / "manifest.json").write_bytes(own.encode())
        digest = manifests.sha256(own.encode())
        (datasets / slug / "latest.json").write_bytes(history.Pointer("1.0.0", digest).encode())
        entries[slug, "1.0.0"] = index.entry(own, digest)
    listed = [{"slug": slug, "versions": [entry]} for (slug, _), entry in sorted(entries.items())]
    (datasets / "index.json").write_bytes(manifests.to_json({"datasets": listed}))


def change(settings: Settings, slug: str, seed: int) -> None:
    """Replace an experiment by another run of the same kind."""
    folder = Path(settings.catalog) / slug
    shutil.rmtree(folder)
    sample(folder, seed)


def age(settings: Settings, seconds: float) -> float:
    """Return how long to wait until everything in the catalog is that old."""
    newest = max(path.stat().st_ctime for path in Path(settings.catalog).rglob("*"))
    return max(0.0, newest + seconds - dt.datetime.now(UTC).timestamp())
