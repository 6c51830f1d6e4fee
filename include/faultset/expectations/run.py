"""Checking the views with Great Expectations, and reading its results as findings."""

from __future__ import annotations

import datetime as dt
import functools
import operator
import string
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from faultset.errors import SetupError, printable
from faultset.expectations import loading, relaxing, site
from faultset.expectations.sentences import sentences
from faultset.expectations.views import Views, views_of
from faultset.expectations.ways import Outcome, Rule
from faultset.moments import EARLIEST
from faultset.records.evidence import Evidence
from faultset.records.telemetry import Exposure, TelemetryFacts
from faultset.records.validation import Finding, Relaxed, Validation
from faultset.severity import SEVERITIES
from faultset.sources.kit.redaction import redact
from faultset.tables import ImpactRow, ImpactTestRow
from faultset.truth import Truth

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
    from great_expectations.datasource.fluent.pandas_datasource import PandasDatasource

_MOST_WHERE = 20
_MOST_IN_MESSAGE = 5
_OF_A_FILE = "{source}"
_TOOL = "Great Expectations"
_REMEDY = "reinstall the locked requirements; if it stays, report it"
# Great Expectations keeps its current context in a global of the process.
_ONE_AT_A_TIME = threading.Lock()


def check(
    truth: Truth,
    evidence: Evidence,
    folder: Path | None,
    telemetry: Sequence[TelemetryFacts] = (),
    impacts: Sequence[ImpactRow] = (),
    *,
    tests: Sequence[ImpactTestRow] = (),
    exposed: Sequence[Exposure] = (),
    declared: relaxing.Settings = MappingProxyType({}),
) -> Validation:
    """Check every rule of the catalogue.

    Args:
        truth: the decided tables.
        evidence: what they were decided from.
        folder: where ``validation/results.json`` and ``validation/data_docs/`` are written, in place of those of an
            earlier check; None writes nothing.
        telemetry: what is known of each labeled file.
        impacts: detected and reviewed ones.
        tests: every question whether something moved.
        exposed: where a secret of the inputs stands.
        declared: expectations that the experiment sets otherwise, as ``relaxing.require_known`` let them pass.

    Raises:
        SetupError: Great Expectations is missing or failed, or the results cannot be written.
    """
    views = views_of(truth, evidence, telemetry, impacts, tests=tests, exposed=exposed)
    rules = relaxing.rules_of(declared)
    with _ONE_AT_A_TIME:
        gx = _great_expectations()
        try:
            docs = site.prepare(folder) if folder else None
            context = _context(docs)
            results = _results(context, rules, views, _last_moment(truth))
            outcomes = tuple(_outcomes(results, rules, views))
            validation = _validation(outcomes, relaxing.relaxed(declared), docs is not None)
            if folder:
                site.write(context, results, folder, validation, outcomes)
        except gx.exceptions.GreatExpectationsError as error:
            raise SetupError(_TOOL, f"it failed: {error}", _REMEDY) from error
        except OSError as error:
            problem = f"the validation cannot be written there ({error.strerror})"
            raise SetupError(folder or _TOOL, problem, "check that the disk has room and can be written to") from error
    return validation


# --- Great Expectations ----------------------------------------------------------------------------------------------


def _great_expectations() -> Any:
    try:
        return loading.great_expectations()
    except ImportError as error:
        raise SetupError(_TOOL, f"cannot be imported ({error})", "install the project's requirements") from error


def _context(docs: Path | None) -> EphemeralDataContext:
    """Return a context that lives in memory and writes nothing but the Data Docs."""
    import great_expectations as gx  # noqa: PLC0415
    from great_expectations.data_context.types.base import (  # noqa: PLC0415
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        data_docs_sites=site.configuration(docs) if docs else {},
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _results(
    context: EphemeralDataContext, rules: Sequence[Rule], views: Views, moment: dt.datetime
) -> dict[str, ExpectationSuiteValidationResult]:
    """Run each view's rules; view -> result.

    A checkpoint would hand one and the same frame to all of its validation definitions, hence one run of each view. A
    validation definition would keep results that nobody reads: what they say is made readable first (``site``). And a
    context writes its whole configuration anew for each asset that is added, hence all at once.
    """
    from great_expectations.core.batch_definition import BatchDefinition  # noqa: PLC0415
    from great_expectations.core.run_identifier import RunIdentifier  # noqa: PLC0415
    from great_expectations.datasource.fluent.pandas_datasource import (  # noqa: PLC0415
        DataFrameAsset,
        PandasDatasource,
    )

    by_view: dict[str, list[Rule]] = {}
    for rule in rules:
        by_view.setdefault(rule.view, []).append(rule)
    assets = [
        DataFrameAsset(type="dataframe", name=view, batch_definitions=[BatchDefinition(name="whole")])
        for view in by_view
    ]
    source = context.data_sources.add_pandas(datasource=PandasDatasource(name="faultset", assets=assets))
    run = RunIdentifier(run_name="check", run_time=moment)
    return {view: _run_view(context, source, run, asked, views[view]) for view, asked in by_view.items()}


def _run_view(
    context: EphemeralDataContext,
    source: PandasDatasource,
    run: RunIdentifier,
    rules: Sequence[Rule],
    frame: pd.DataFrame,
) -> ExpectationSuiteValidationResult:
    """Run the rules of one view."""
    import great_expectations as gx  # noqa: PLC0415
    from great_expectations.validator.v1_validator import Validator  # noqa: PLC0415

    name = rules[0].view
    suite = gx.ExpectationSuite(name, expectations=[_expectation(rule) for rule in rules])
    # What is kept is another suite, of expectations read anew: Data Docs show those by the ids that they got.
    for expectation, kept in zip(suite.expectations, context.suites.add(suite).expectations, strict=True):
        expectation.id = kept.id
    # Row numbers alone: naming columns to identify rows by takes Great Expectations 10 s for 100,000 breaches.
    validator = Validator(
        batch_definition=source.get_asset(name).get_batch_definition("whole"),
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "COMPLETE"},
    )
    result = validator.validate_expectation_suite(suite)
    result.meta |= {"run_id": run, "validation_time": run.run_time}
    result.meta["batch_parameters"] = {"dataframe": "<DATAFRAME>"}
    return result


def _expectation(rule: Rule) -> Any:
    from great_expectations.expectations.row_conditions import Column  # noqa: PLC0415

    condition = None
    if rule.expectation.only_where:
        column, values = rule.expectation.only_where
        condition = functools.reduce(operator.or_, (Column(column) == value for value in values))
    return loading.expectation_class(rule.expectation.name)(
        **rule.expectation.arguments,
        row_condition=condition,
        severity=rule.severity,
        description=f"{rule.id}: {rule.meaning}",
        meta={"rule": rule.id},
    )


def _last_moment(truth: Truth) -> dt.datetime:
    """The run time that is stated: the experiment's own last moment, so that the same inputs give the same results."""
    moments = [injection.ended_at for injection in truth.injections]
    moments += [time for run in truth.workloads for time in (run.created_at, run.started_at, run.ended_at) if time]
    return max(moments, default=EARLIEST)


# --- results as findings ---------------------------------------------------------------------------------------------


def _outcomes(
    results: Mapping[str, ExpectationSuiteValidationResult], rules: Sequence[Rule], views: Views
) -> Iterator[Outcome]:
    """Yield the outcome of every rule, in the catalogue's order.

    Raises:
        SetupError: a rule was not evaluated or raised: an error of the tool, never bad data.
    """
    found = {site.rule_of(result): result for suite in results.values() for result in suite.results}
    for rule in rules:
        if rule.id not in found:
            raise SetupError(_TOOL, f"{rule.id} was not evaluated", _REMEDY)
        yield outcome(rule, found[rule.id], views[rule.view])


def outcome(rule: Rule, result: ExpectationValidationResult, view: pd.DataFrame) -> Outcome:
    """Read one result.

    Raises:
        SetupError: the expectation raised, or its result contradicts itself.
    """
    raised = _exception(result.exception_info)
    if raised:
        raise SetupError(_TOOL, f"{rule.id} could not be evaluated: {raised}", _REMEDY)
    rows = result.result.get("unexpected_index_list")
    if rows is None or bool(rows) == bool(result.success):
        raise SetupError(_TOOL, f"{rule.id} gave a result without the rows that it is about", _REMEDY)
    if not rows:
        return Outcome(rule, (), ())
    named = {field for _, field, _, _ in string.Formatter().parse(rule.breach) if field}
    broken = view.loc[rows, sorted(named | {"where"})].to_dict("records")
    return Outcome(rule, tuple(rule.breach.format(**row) for row in broken), tuple(str(row["where"]) for row in broken))


def _exception(info: Mapping[str, Any] | None) -> str | None:
    """Return the message of an exception; Great Expectations gives one, or one for each metric that raised."""
    if not info:
        return None
    if "raised_exception" in info:
        return str(info.get("exception_message") or "no message") if info["raised_exception"] else None
    return next((found for each in info.values() if (found := _exception(each))), None)


def _validation(outcomes: Sequence[Outcome], relaxed: tuple[Relaxed, ...], documented: bool) -> Validation:
    findings = [_finding(outcome) for outcome in outcomes if outcome.where]
    return Validation(
        passed=all(finding.severity != "critical" for finding in findings),
        findings=tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))),
        expectations=len(outcomes),
        data_docs=site.FIRST_PAGE if documented else None,
        relaxed=relaxed,
    )


def _finding(outcome: Outcome) -> Finding:
    rule = outcome.rule
    return Finding(
        severity=rule.severity,
        expectation=rule.id,
        table=rule.view,
        column=rule.expectation.column,
        message=_message(outcome),
        where=tuple(printable(redact(where)) for where in outcome.where[:_MOST_WHERE]),
        count=len(outcome.where),
        remedy=rule.remedy,
    )


def _message(outcome: Outcome) -> str:
    """The distinct breaches in one line, the first few in words; what is the same of several files is said once."""
    is_of_files = outcome.rule.breach.startswith(_OF_A_FILE)
    said = sentences(zip(outcome.breaches, outcome.where if is_of_files else repeat(""), strict=False))
    shown = "; ".join(printable(redact(sentence)) for sentence in said[:_MOST_IN_MESSAGE])
    left = len(said) - _MOST_IN_MESSAGE
    return f"{shown}; and {left:,} more" if left > 0 else shown
