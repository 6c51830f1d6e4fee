"""What a validation found, and which expectations an experiment sets otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from faultset.severity import Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """What an expectation found.

    Attributes:
        severity: ``critical`` stops the dataset; ``warning`` and ``info`` are recorded with it.
        expectation: stable id of the expectation, such as ``targets.commanded_is_declared``.
        table: table (or view) that it looked at.
        column: column concerned; None where a whole row or table is meant.
        message: what was found, for an experimenter; names the nodes, containers and triggers concerned.
        where: the rows concerned, in words (at most 20 are named).
        count: number of rows concerned.
        remedy: what to do about it.
    """

    severity: Severity
    expectation: str
    table: str
    column: str | None
    message: str
    where: tuple[str, ...]
    count: int
    remedy: str


@dataclass(frozen=True, slots=True)
class Relaxed:
    """An expectation that the experiment sets otherwise than the catalogue of expectations.

    Attributes:
        expectation: its id.
        what: ``severity``, ``at_least`` or ``at_most``.
        was: what the catalogue says.
        now: what the experiment says.
        reason: why, as the experiment says.
    """

    expectation: str
    what: str
    was: str
    now: str
    reason: str


@dataclass(frozen=True, slots=True)
class Validation:
    """The outcome of a validation.

    Attributes:
        passed: no critical finding.
        findings: critical first, then warning, then info.
        expectations: how many were evaluated.
        data_docs: path of the Data Docs' first page, relative to the folder given; None where none was written.
        relaxed: expectations that the experiment sets otherwise, in the catalogue's order.
    """

    passed: bool
    findings: tuple[Finding, ...]
    expectations: int
    data_docs: str | None
    relaxed: tuple[Relaxed, ...] = ()
