"""A process that judges many dropped runs, each in a child of its own: ``python -m faultset.pipeline.judging_worker``.

It imports what is slow once, then forks for each run. A child that takes too long is killed, and one that dies takes
nothing with it; either way the run is rejected with what happened. Read on stdin: settings and arrivals, as JSON;
written on stdout: a line of JSON for each arrival that was judged here.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence

from faultset.errors import SetupError
from faultset.limits import Limits
from faultset.settings import Settings, in_force
from faultset.storage.credentials import Credentials, credentials

_JUDGED, _IN_TROUBLE, _FAILED = 0, 3, 70
_LOOK_S = 0.05


def main() -> int:
    """Judge what stdin names; return the exit code."""
    asked = json.load(sys.stdin)
    said, deadline_s = asked["settings"], float(asked["deadline_s"])
    settings = Settings(**{**said, "limits": Limits(**said["limits"])})
    known = {name: Credentials(**values) for name, values in asked["credentials"].items()}
    _import_once()
    with credentials(known.get), in_force(settings):
        return _judge_all(asked["arrivals"], settings, deadline_s)


def _judge_all(arrivals: Sequence[str], settings: Settings, deadline_s: float) -> int:
    for arrival in arrivals:
        trouble = _judge_in_child(arrival, settings, deadline_s)
        if trouble is not None:
            print(json.dumps({"arrival": arrival, "trouble": trouble}), flush=True)  # noqa: T201 (the answer)
            return _IN_TROUBLE
        print(json.dumps({"arrival": arrival}), flush=True)  # noqa: T201
    return 0


def _import_once() -> None:
    """Import and compute what takes long; nothing of it may start threads, which a fork would lose."""
    import faultset.pipeline.judging  # noqa: F401, PLC0415
    from faultset import recipe  # noqa: PLC0415
    from faultset.expectations import loading  # noqa: PLC0415

    loading.great_expectations()
    recipe.digest()
    recipe.verdict_digest()


def _judge_in_child(arrival: str, settings: Settings, deadline_s: float) -> str | None:
    """Judge one run; return what is wrong with the set-up, None where it was judged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os._exit(_child(arrival, settings, writing))
    os.close(writing)
    status = _wait(child, deadline_s)
    with os.fdopen(reading, "rb") as said:
        words = said.read(4000).decode("utf-8", "replace")
    if status == _JUDGED:
        return None
    return words if status == _IN_TROUBLE else _give_up(arrival, settings, _why(status, deadline_s))


def _child(arrival: str, settings: Settings, writing: int) -> int:
    from faultset.pipeline import judging  # noqa: PLC0415

    try:
        judging.judge(arrival, settings)
    except SetupError as error:
        os.write(writing, str(error).encode()[:4000])
        return _IN_TROUBLE
    except BaseException as error:  # noqa: BLE001 (its text may quote the run, and runs hold passwords)
        frames = "".join(traceback.format_tb(error.__traceback__))
        sys.stderr.write(f"{type(error).__name__} while judging {arrival}\n{frames}")
        return _FAILED
    return _JUDGED


def _give_up(arrival: str, settings: Settings, why: str) -> str | None:
    from faultset.pipeline import judging  # noqa: PLC0415

    try:
        judging.give_up(arrival, settings, why)
    except SetupError as error:
        return str(error)
    return None


def _wait(child: int, deadline_s: float) -> int | None:
    """Return a child's exit code, negative for a signal; None where it had to be killed at the deadline."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_LOOK_S)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _why(status: int | None, deadline_s: float) -> str:
    if status is None:
        return f"reading it took more than {deadline_s:.0f} s"
    if status < 0:
        return f"reading it was ended by {signal.Signals(-status).name}, most likely for want of memory"
    return "reading it failed in a way that nobody foresaw"


if __name__ == "__main__":
    sys.exit(main())
