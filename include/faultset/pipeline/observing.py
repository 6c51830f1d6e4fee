"""What happens in the use cases, told to whoever observes: metrics, lineage. By default nobody does.

Where nobody observes, telling costs a look at an empty list; what an observer wants to know beyond what it is told, it
looks up itself. An observer that fails never fails the work.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from faultset.errors import FaultsetError, SetupError
from faultset.settings import Settings

log = logging.getLogger(__name__)

Stage = Literal["build", "decide", "label", "validate", "judge", "publish"]


@dataclass(frozen=True, slots=True)
class Begun:
    """A piece of work begins.

    Attributes:
        run: names what it is a part of: one run of a DAG, or one call of the command line.
        stage: which step of the way it is.
        name: of the experiment, of the arrival in the inbox, or of a labeled file.
    """

    run: str
    stage: Stage
    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A piece of work came to an end.

    Attributes:
        begun: what ended.
        outcome: what it came to: one of few words, which depend on the stage.
        seconds: how long it took.
        reason: why it failed, in one line; empty otherwise.
        findings: severity -> number of findings.
        version: that was published; empty otherwise.
    """

    begun: Begun
    outcome: str
    seconds: float
    reason: str = ""
    findings: Mapping[str, int] = field(default_factory=dict)
    version: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """How much there is of something now.

    Attributes:
        name: of a gauge of ``metrics.METRICS``.
        value: its value.
        labels: each with one of few values.
    """

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


Happening = Begun | Ended | Level


class Observer(Protocol):
    """Who wants to know what happens."""

    def __call__(self, happening: Happening) -> None:
        """Take note of it."""


_observers: list[Observer] = []


@contextlib.contextmanager
def observed(*observers: Observer) -> Iterator[None]:
    """Tell these of all that happens meanwhile."""
    _observers.extend(observers)
    try:
        yield
    finally:
        for observer in observers:
            _observers.remove(observer)


def is_observed() -> bool:
    """Whether anybody wants to know; for what costs something to tell."""
    return bool(_observers)


def tell(happening: Happening) -> None:
    """Tell all who observe; what fails in one of them is logged, without its text, which may quote an input."""
    for observer in tuple(_observers):
        try:
            observer(happening)
        except Exception as error:  # noqa: BLE001 (the work goes on whatever becomes of its metrics)
            log.warning("%s could not take note: %s", type(observer).__name__, type(error).__name__)


class Watch:
    """Tells of a piece of work when it begins, and of its end with the time that it took.

    Args:
        run: what it is a part of; "" where it is a run of its own.
        stage: which step of the way it is.
        name: whose.
    """

    def __init__(self, run: str, stage: Stage, name: str) -> None:
        self._begun, self._since = Begun(run or uuid.uuid4().hex, stage, name), time.monotonic()
        tell(self._begun)

    def ended(
        self, outcome: str, *, reason: str = "", findings: Mapping[str, int] | None = None, version: str = ""
    ) -> None:
        """Say what it came to."""
        seconds = time.monotonic() - self._since
        tell(Ended(self._begun, outcome, seconds, reason, findings or {}, version))

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """Say that it failed where the work meanwhile does; what is wrong with the environment is trouble."""
        try:
            yield
        except SetupError as error:
            self.ended("trouble", reason=str(error))
            raise
        except FaultsetError as error:
            self.ended("failed", reason=str(error))
            raise
        except Exception as error:
            self.ended("trouble", reason=f"unexpected {type(error).__name__}")
            raise


# --- without Airflow --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def observed_by_environment(settings: Settings, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Send lineage where ``OPENLINEAGE_…`` says; where they say nothing, nothing is imported for it either."""
    said = os.environ if environment is None else environment
    named = any(said.get(key) for key in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG"))
    named = named or any(key.startswith("OPENLINEAGE__TRANSPORT") and value for key, value in said.items())
    if not named or said.get("OPENLINEAGE_DISABLED", "").lower() in ("1", "t", "true"):
        yield
        return
    from openlineage.client import OpenLineageClient  # noqa: PLC0415 (only where it is wanted)

    from faultset.pipeline.lineage import LineageObserver  # noqa: PLC0415

    client = OpenLineageClient()
    with observed(LineageObserver(client.emit, settings, said.get("OPENLINEAGE_NAMESPACE") or "default")):
        yield
    client.close()
