"""What a test for an impact says, whatever it was made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faultset.impacts.null import Question
from faultset.tables import SourceKind

METHOD = "edges-and-scan/5"


@dataclass(frozen=True, slots=True)
class Tested:
    """A test of one injection, node and KPI, found or not.

    Attributes:
        p_value: of this test alone; None where there was none.
        adjusted_p_value: with false discoveries controlled over all tests; None where there was none.
        score: size of the move in robust standard deviations of the quiet time before; None where there was no test.
        power: share of the quiet places at which a shift of three robust standard deviations would stand out; None
            where there was no test.
        moved: whether it is an impact.
        question: what told: ``edges`` (a step at both), ``step`` (at the start), ``level`` (it left its level later),
            ``end`` (a step at the end, where another injection's edge hides the start).
        is_back: whether it returned to normal within the time that an impact is followed; None where nothing moved.
        why_not: why there was no test; None where there was.
        source_kind: what the KPI was taken from.
        detectable_sd: the smallest move of 25 s that would have been found here with 90 % power, in the unit of
            ``score``, had the KPI moved so with every fourth injection; None where none would or nothing is known.
        detectable_once_sd: the same, had it moved this once only.
    """

    injection_id: str
    node: str
    kpi: str
    p_value: float | None
    adjusted_p_value: float | None
    score: float | None
    power: float | None
    moved: bool
    question: Question | None
    is_back: bool | None
    why_not: str | None
    source_kind: SourceKind = "metrics"
    detectable_sd: float | None = None
    detectable_once_sd: float | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """From when to when a KPI was away from its level, microseconds; ``is_back``: whether its return was seen."""

    start_us: int
    end_us: int
    is_back: bool


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of one test, before false discoveries are controlled over all of them.

    Attributes:
        tested: with ``moved`` as far as this test alone tells, and no adjusted p value yet.
        extent: there where the KPI perhaps moved.
        direction: up or down.
        method: how it was looked for, with the method's version.
        wave: which nodes that no fault acted on moved with this one, where most did (``waves``); None: alone.
        smallest: p value -> the smallest move of 25 s, in the unit of the score, that would be found with 90 % power
            where p values up to that one are; None where the test itself says it, or nobody knows.
        onset_s: seconds from the window's start to where its most striking move begins; None where nothing was seen.
    """

    tested: Tested
    extent: Extent | None = None
    direction: str = "up"
    method: str = METHOD
    wave: str | None = None
    smallest: Callable[[float], float | None] | None = None
    onset_s: float | None = None
