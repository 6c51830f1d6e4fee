"""Judging many claimed runs, each in a process of its own, so that one that kills its reader gets a verdict, too."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from faultset.errors import SetupError
from faultset.inbox import filing, mirror
from faultset.inbox.verdicts import Verdict
from faultset.pipeline.observing import Watch
from faultset.settings import Settings
from faultset.storage.bucket import Bucket, is_bucket
from faultset.storage.credentials import credentials_for


def _credentials(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return who may use the buckets of the settings, by connection; handed on through a pipe and nowhere else."""
    buckets = [Bucket.at(uri) for uri in (settings.catalog, settings.datasets, settings.inbox) if is_bucket(uri)]
    return {one.connection: dataclasses.asdict(credentials_for(one.connection)) for one in buckets}


def judge_all(arrivals: Sequence[str], settings: Settings, *, deadline_s: float | None = None) -> Iterator[str]:
    """Judge many claimed runs in a process of their own and yield each arrival once it is done.

    Args:
        arrivals: of ``take``.
        settings: where things are.
        deadline_s: seconds after which the reading of one run is given up; default: the limit ``judge_seconds``.

    Raises:
        SetupError: the inbox, the catalog or the disk is in trouble, or the process died; the claims stay.
    """
    asked = {
        "settings": dataclasses.asdict(settings),
        "credentials": _credentials(settings),
        "arrivals": list(arrivals),
        "deadline_s": settings.limits.judge_seconds if deadline_s is None else deadline_s,
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "faultset.pipeline.judging_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    answered = 0
    with worker:
        try:
            if worker.stdin is None or worker.stdout is None:
                raise SetupError("judging", "its process has no pipes", "run it again")
            worker.stdin.write(json.dumps(asked))
            worker.stdin.close()
            for arrival in arrivals:
                watch = Watch("", "judge", arrival)
                said = json.loads(worker.stdout.readline() or '{"trouble": "the process that judged it ended"}')
                if "trouble" in said:
                    watch.ended("trouble", reason=said["trouble"])
                    if "arrival" not in said:
                        break
                    raise SetupError(said["arrival"], said["trouble"], "see to the inbox, the catalog and the disk")
                _tell(watch, filing.recorded_of(settings.inbox_folder, arrival))
                answered += 1
                yield arrival
        finally:
            worker.terminate()
    if is_bucket(settings.inbox):
        mirror.send(settings.inbox, settings.inbox_folder)
    if answered < len(arrivals):
        raise SetupError("judging", f"its process ended with {worker.returncode}", "run it again; nothing is lost")


def _tell(watch: Watch, verdict: Verdict | None) -> None:
    if verdict is None:  # another process has it
        watch.ended("gone")
        return
    findings = Counter[str](remark.severity for remark in verdict.remarks)
    watch.ended("accepted" if verdict.accepted else "rejected", reason=verdict.reason, findings=findings)
