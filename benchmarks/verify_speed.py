"""How fast ``verify`` is beside ``sha256sum`` on the same files: 1 GB of random bytes, several files of each size.

Both read from the page cache, in turns, and the best of three counts, so that the ratio holds on a busy machine.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bounds import Bounds, options
from faultset.release.manifest import FileEntry, Manifest
from faultset.release.verify import verify
from faultset.storage import MANIFEST

SIZES = {
    "full": [256 << 20, 256 << 20, 128 << 20, 128 << 20, *[16 << 20] * 12, *[1 << 20] * 64],
    "smoke": [64 << 20, *[16 << 20] * 3, *[1 << 20] * 16],
}
WANTED = 0.5


def fill(folder: Path, sizes: list[int]) -> None:
    """Write a version that holds the files; of its manifest, only what verify reads is of interest."""
    folder.mkdir(parents=True)
    entries = []
    for number, size in enumerate(sizes):
        digest = hashlib.sha256()
        with (folder / f"{number}.bin").open("wb") as file:
            for _ in range(size >> 20):
                piece = os.urandom(1 << 20)
                file.write(piece)
                digest.update(piece)
        entries.append(FileEntry(f"{number}.bin", size, digest.hexdigest()))
    summary = {"passed": True, "expectations": 0, "critical": 0, "warning": 0, "info": 0}
    said = Manifest(
        slug="speed",
        version="1.0.0",
        title="Speed",
        description="",
        license=None,
        creators=(),
        schema_version="1",
        created_at="2026-01-01T00:00:00.000000Z",
        fingerprint="",
        previous=None,
        inputs=(),
        files=tuple(entries),
        tools={},
        validation={**summary, "findings": [], "data_docs": None},
        experiment={},
    )
    (folder / MANIFEST).write_bytes(said.encode())


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> int:
    given = options(argparse.ArgumentParser(description=__doc__)).parse_args()
    sizes = SIZES[given.size]
    said = subprocess.run(["sha256sum", "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    about = f"verify of {sum(sizes) / 1e6:,.0f} MB in {len(sizes)} files from the page cache, bytes a second"
    bounds = Bounds(__file__, given, about=about, peers={"sha256sum": said.split(maxsplit=1)[-1]})
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        fill(root / "speed" / "1.0.0", sizes)
        files = sorted((root / "speed" / "1.0.0").glob("*.bin"))
        ours, theirs = [], []
        for _ in range(3):
            theirs.append(seconds(lambda: subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL)))
            ours.append(seconds(lambda: verify(root, "speed", "1.0.0")))
        if verify(root, "speed", "1.0.0"):
            print("verify found damage where there is none")
            return 1
        size = sum(sizes) / 1e9
        ratio = min(theirs) / min(ours)
        print(f"sha256sum {size / min(theirs):.2f} GB/s, verify {size / min(ours):.2f} GB/s, ratio {ratio:.2f}")
        print(f"wanted: at least {WANTED}")
        bounds.at_least("speed", ratio, WANTED, unit="x", peer="sha256sum", smoke=WANTED / 2)
        return bounds.close()


if __name__ == "__main__":
    sys.exit(main())
