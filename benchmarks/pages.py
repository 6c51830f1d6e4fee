"""How long pages take with many readers: 1,000 datasets of 10 versions each, and a run of 100,000 iterations.

    python benchmarks/pages.py [--size smoke]

Eight readers ask for pages at once, from processes of their own, while a server in another process answers. Exit code 1
where a page's median is 300 ms or more, its 95th percentile 800 ms or more, or it sends more than it may.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import datetime as dt
import http.client
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bounds import Bounds, options

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "include"), str(ROOT / "tests")]
MEDIAN_MS, P95_MS = 300.0, 800.0
READERS = 8
LONG = "long-run"
BYTES = {"/": 120_000, "timeline.json": 1_000_000, "series.json": 1_500_000}
_MOST_BYTES = 400_000


def main() -> int:
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--serve", nargs=2, metavar=("ROOT", "PORT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        return serve(Path(asked.serve[0]), int(asked.serve[1]))
    datasets, versions, iterations, each = (20, 2, 2000, 4) if asked.size == "smoke" else (1000, 10, 100_000, 25)
    about = (
        f"{READERS} readers at once; {datasets:,} datasets of {versions} versions, a run of {iterations:,} iterations"
    )
    bounds = Bounds(__file__, asked, about=about)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made = time.perf_counter()
        fill(root, datasets, versions, iterations)
        took = time.perf_counter() - made
        print(f"{datasets} datasets x {versions} versions, {iterations:,} iterations: made in {took:.0f} s")
        measure(root, each, bounds)
    return bounds.close()


# --- what is looked at ------------------------------------------------------------------------------------------------


def fill(root: Path, datasets: int, versions: int, iterations: int) -> None:
    """Publish one dataset with all that one has, and lay copies of it beside as others; their bytes are no others."""
    import releases
    from faultset.release import history, manifest
    from faultset.storage import open_root

    (root / "catalog").mkdir()
    one = root / "one"
    for number in range(versions):
        content = releases.rows()
        content["injections"] = [releases.injection(250 + 60 * place) for place in range(3 + number)]
        content["triggers"] = [releases.trigger(250 + 60 * place) for place in range(3 + number)]
        releases.published(one, f"v{number}", content)
    source = one / releases.SLUG
    for number in range(datasets):
        slug = f"experiment-{number:04}"
        target = root / "datasets" / slug
        shutil.copytree(source, target, copy_function=os.link)
        for path in target.rglob("manifest.json"):
            known = manifest.decode(path.read_bytes(), path)
            path.unlink()
            path.write_bytes(dataclasses.replace(known, slug=slug, title=f"Restart number {number}").encode())
        (target / "latest.json").unlink()
    store = open_root(root / "datasets")
    long_run(root, iterations)
    history.refresh_index(store)
    for slug in store.slugs():
        history.point(store, slug)


def long_run(root: Path, iterations: int) -> None:
    """Publish a run with many iterations, injections, and a million rows of metrics on each of five nodes."""
    import releases
    from faultset import tables
    from faultset.release import parquet
    from faultset.release.commit import publish

    seconds = max(iterations // 3, 600)
    values = [float(place) for place in range(0, iterations, max(iterations // 40, 60))]
    injections = [
        dataclasses.replace(
            releases.injection(value),
            started_at=at(value / 3),
            ended_at=at(value / 3 + 40),
            fault_ended_at=at(value / 3 + 40),
        )
        for value in values
    ]
    content: dict[str, list[Any]] = {
        "workloads": [
            dataclasses.replace(releases.workload(), iterations=iterations, started_at=at(0), ended_at=at(seconds))
        ],
        "triggers": [releases.trigger(value) for value in values],
        "injections": injections,
        "targets": [releases.target(value, f"node{node}") for value in values for node in range(5)],
        "iterations": [
            dataclasses.replace(
                releases.iteration(1),
                iteration=place + 1,
                started_at=at(place / 3),
                ended_at=at(place / 3 + 5),
                duration_s=5.0 + place % 7,
            )
            for place in range(iterations)
        ],
    }
    made = releases.candidate(root / "datasets", "long", content, slug=LONG)
    impacts = [
        dataclasses.replace(
            releases.impact("cpu.user"),
            injection_id=row.injection_id,
            node=f"node{node}",
            started_at=row.started_at,
            ended_at=row.ended_at,
        )
        for row in injections
        for node in range(5)
    ]
    parquet.write_table(tables.IMPACTS, impacts, made.folder / "impacts.parquet")
    facts = []
    for node in range(5):
        path = f"metrics/node{node}_metrics.parquet"
        releases.write_telemetry(made.folder, path, metrics(f"node{node}", seconds * 30))
        facts.append(
            dataclasses.replace(
                releases.facts("metrics", f"node{node}"), path=path,
                columns=(("cpu.user", "double"), ("mem.used", "double")),
                first=at(0), last=at(seconds),
            )
        )  # fmt: skip
    publish(dataclasses.replace(made, telemetry=tuple(facts)), root / "datasets", created_at=releases.NOW)


def at(seconds: float) -> dt.datetime:
    import releases

    return releases.START + dt.timedelta(seconds=seconds)


def metrics(node: str, count: int) -> pa.Table:
    import releases

    start = int(releases.START.timestamp() * 1e6)
    numbers = np.arange(count)
    noise = np.random.default_rng(0)
    return pa.table(
        {
            "cpu.user": noise.normal(20, 3, count),
            "mem.used": noise.normal(8e9, 1e7, count),
            "timestamp": pa.array(start + numbers * 33_333, pa.timestamp("us", tz="UTC")),
            "node": pa.array([node] * count),
            "source_row": numbers,
        }
    )


# --- who answers and who asks -----------------------------------------------------------------------------------------


def serve(root: Path, port: int) -> int:
    import uvicorn
    from fastapi import FastAPI

    from faultset.pages.web import Setup, create
    from faultset.pages.workflow import Person
    from faultset.settings import Settings

    settings = Settings(str(root / "catalog"), str(root / "datasets"), inbox=str(root / "inbox"))
    app = FastAPI()
    somebody: Any = lambda _dag_id: lambda: Person("ann", "ann", True, "s")  # noqa: E731
    nobody: Any = lambda _request: None  # noqa: E731
    setup = Setup(lambda: settings, somebody, nobody)
    app.mount("/faultset", create(setup))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")
    return 0


def ask(port: int, path: str) -> tuple[float, int]:
    """Return how long an answer took, in milliseconds, and how many bytes it has."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", f"/faultset{path}")
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: answered {answer.status}: {content[:300]!r}")
    return (time.perf_counter() - started) * 1000, len(content)


def reader(port: int, path: str, each: int, seed: int) -> list[tuple[float, int]]:
    return [ask(port, path.replace("SEED", str(seed * 1000 + number))) for number in range(each)]


def measure(root: Path, each: int, bounds: Bounds) -> None:
    port = free_port()
    command = [sys.executable, str(Path(__file__)), "--serve", str(root), str(port)]
    server = subprocess.Popen(command)
    try:
        wait(port)
        began = time.perf_counter()
        ask(port, "/")
        print(f"first look at all datasets after the start: {time.perf_counter() - began:.1f} s")
        span = f"from={at(100).timestamp()}&to={at(400).timestamp() + 200}"
        pages = {
            "/": "/?x=SEED",
            "search": "/?q=restart+7&sort=findings&order=desc",
            "page 20": "/?page=20",
            "findings": "/findings",
            "experiment": f"/datasets/{LONG}",
            "timeline.json": f"/datasets/{LONG}/1.0.0/timeline.json",
            "series.json": f"/datasets/{LONG}/1.0.0/series.json?tracks=0,1,2,3,4,5,6,7,8,9&pixels=1200&{span}",
            "injection": f"/datasets/{LONG}/1.0.0/injections/7",
            "versions": "/datasets/experiment-0007/versions",
            "version": "/datasets/experiment-0007/1.0.0",
            "approval": "/datasets/experiment-0007/approval",
            "validation": "/validation",
        }
        report(port, pages, each, bounds)
    finally:
        server.terminate()
        server.wait(30)


def report(port: int, pages: dict[str, str], each: int, bounds: Bounds) -> None:
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; what else runs here counts, too")
    print(f"{'page':14}{'median ms':>10}{'p95 ms':>9}{'bytes':>10}   ({READERS} readers at once)")
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(READERS, mp_context=context) as pool:
        list(pool.map(abs, range(READERS)))
        for name, path in pages.items():
            jobs = [pool.submit(reader, port, path, each, seed) for seed in range(READERS)]
            found = [one for job in jobs for one in job.result()]
            times = sorted(took for took, _ in found)
            median, p95 = statistics.median(times), times[int(len(times) * 0.95) - 1]
            largest = max(size for _, size in found)
            print(f"{name:14}{median:10.0f}{p95:9.0f}{largest:10,}")
            bounds.at_most(f"{name}: median", median, MEDIAN_MS, unit="ms")
            bounds.at_most(f"{name}: 95th percentile", p95, P95_MS, unit="ms")
            bounds.at_most(f"{name}: sent", largest / 1000, BYTES.get(name, _MOST_BYTES) / 1000, unit="kB")


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(port: int) -> None:
    for _ in range(600):
        try:
            ask(port, "/assets/pages.css")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not start")


if __name__ == "__main__":
    sys.exit(main())
