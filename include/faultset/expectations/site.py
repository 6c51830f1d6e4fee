"""What is kept of a validation: the findings with the results behind them, and Great Expectations' Data Docs.

Great Expectations escapes little of what it shows, stamps its pages with random ids and the time of day and lets every
page fetch from half a dozen hosts. So results are made harmless before it renders them, and its pages are settled
after.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultset.errors import printable
from faultset.expectations import pages
from faultset.expectations.ways import Outcome
from faultset.records.validation import Validation
from faultset.sources.kit.redaction import redact

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext

FOLDER = "validation"
FIRST_PAGE = f"{FOLDER}/data_docs/index.html"
_MOST_SHOWN = 20

# What means something to HTML, to Jinja, to Python's templates or to Markdown, by what looks like it and means nothing.
_LOOK_ALIKES = str.maketrans("<>&\"'`${}\\", "‹›＆”’’＄❴❵＼")  # noqa: RUF001 (that they can be confused is the point)
_RANDOM_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")


def harmless(text: str) -> str:
    """Return ``text`` as one line that no page, template or terminal takes for anything but text."""
    return printable(redact(text)).translate(_LOOK_ALIKES)


# --- before and after rendering --------------------------------------------------------------------------------------


def prepare(folder: Path) -> Path:
    """Return an empty place for the Data Docs under ``folder``; what an earlier check left there goes."""
    place = folder / FOLDER
    if place.is_dir():
        shutil.rmtree(place)
    return place / "data_docs"


def configuration(docs: Path) -> dict[str, Any]:
    """Return Great Expectations' configuration of one local site in ``docs``."""
    return {
        "faultset": {
            "module_name": "faultset.expectations.gx_pages",
            "class_name": "Pages",
            "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)},
        }
    }


def write(
    context: EphemeralDataContext,
    suites: Mapping[str, ExpectationSuiteValidationResult],
    folder: Path,
    validation: Validation,
    outcomes: Sequence[Outcome],
) -> None:
    """Write ``validation/`` under ``folder``.

    Args:
        context: knows the rules and where Data Docs go.
        suites: view -> results; they are made readable.
        folder: where.
        validation: the findings.
        outcomes: of every rule that was checked.
    """
    from great_expectations.data_context.types.resource_identifiers import (  # noqa: PLC0415
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    store: Any = context.validation_results_store
    said = {outcome.rule.id: outcome.breaches for outcome in outcomes}
    keys = []
    for view, suite in suites.items():
        key = ValidationResultIdentifier(ExpectationSuiteIdentifier(view), suite.meta["run_id"], suite.batch_id)
        store.set(key, _readable(suite, said))
        keys.append(key)
    context.build_data_docs()
    docs = folder / FOLDER / "data_docs"
    for page in sorted(docs.rglob("*.html")):
        text = pages.settle(page.read_text(encoding="utf-8"), pages.way_home(page, docs))
        page.write_text(settled(text), encoding="utf-8")
    shown = {
        page.parts[-4]: page.relative_to(docs).as_posix() for page in sorted(docs.rglob("validations/*/*/*/*.html"))
    }
    broken = {rule: len(rows) for rule, rows in said.items()}
    (docs / "index.html").write_text(
        pages.front(validation, [outcome.rule for outcome in outcomes], broken, shown), encoding="utf-8"
    )
    results = [_plain(result) for key in keys for result in store.get(key).results]
    document = {**dataclasses.asdict(validation), "great_expectations": results}
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (folder / FOLDER / "results.json").write_text(f"{text}\n", encoding="utf-8")


def _readable(
    suite: ExpectationSuiteValidationResult, breaches: Mapping[str, Sequence[str]]
) -> ExpectationSuiteValidationResult:
    """Show what the rows say in place of the values in their columns, which mean nothing by themselves."""
    for result in suite.results:
        _say(result, breaches[rule_of(result)])
    suite.meta = {name: value for name, value in suite.meta.items() if name != "batch_markers"}
    return suite


def _say(result: ExpectationValidationResult, breaches: Sequence[str]) -> None:
    kept = ("element_count", "unexpected_count", "unexpected_percent", "missing_count", "missing_percent")
    result.result = {name: result.result[name] for name in kept if name in result.result}
    shown = list(Counter(breaches).items())[:_MOST_SHOWN]
    if shown:
        said = [{"value": harmless(breach), "count": count} for breach, count in shown]
        result.result["partial_unexpected_counts"] = said
        result.result["partial_unexpected_list"] = [entry["value"] for entry in said]


def settled(page: str) -> str:
    """Return a page of the Data Docs without what differs from run to run."""
    numbers: dict[str, str] = {}
    return _RANDOM_ID.sub(lambda found: numbers.setdefault(found[0], f"id{len(numbers) + 1}"), page)


def rule_of(result: ExpectationValidationResult) -> str:
    """Return the id of the rule that a result belongs to; "" for one of no rule of ours."""
    configured = result.expectation_config
    return str(configured.meta.get("rule", "")) if configured and configured.meta else ""


def _plain(result: ExpectationValidationResult) -> dict[str, Any]:
    """Return a result without what is random in it."""
    document: Any = result.to_json_dict()
    configured = document["expectation_config"]
    return {
        "rule": rule_of(result),
        "severity": configured["severity"],
        "success": document["success"],
        "expectation": configured["type"],
        "arguments": {name: value for name, value in configured["kwargs"].items() if name != "batch_id"},
        "result": document["result"],
    }
