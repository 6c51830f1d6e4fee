"""The use cases: what the DAGs' tasks and the command line call. Nothing outside of the product goes deeper.

A build runs in steps, each of which hands on a small reference (``Build``, ``Labeling``), never data: ``extract`` reads
the inputs, ``decide`` makes the truth tables and finds impacts, ``label`` labels one file of telemetry, ``validate``
judges all of it, so that there is a candidate; ``propose`` says what it would change and whether a person has to
approve that, ``publish_proposal`` makes it a version. Many experiments are built in batches (``plan_rebuild``,
``build_batch``) and published so (``plan_publishing``, ``publish_batch``).

A use case is imported when it is asked for first: who lists versions waits for no statistics, plots or validator.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faultset.pipeline.approving import (
        Proposal,
        answered,
        not_asked,
        page,
        picture,
        proposal,
        propose,
        publish_by_hand,
        publish_proposal,
        reject,
    )
    from faultset.pipeline.build_folder import Build
    from faultset.pipeline.building import (
        Built,
        Labeling,
        built,
        decide,
        extract,
        label,
        labelings,
        slugs,
        validate,
    )
    from faultset.pipeline.claiming import accepted, take, take_by_hand, verdict_line, without_verdict
    from faultset.pipeline.comparing import compare, diff
    from faultset.pipeline.explaining import why
    from faultset.pipeline.freshness import stale
    from faultset.pipeline.health import doctor
    from faultset.pipeline.inspecting import inspect, validate_experiment, validate_report
    from faultset.pipeline.judges import judge_all
    from faultset.pipeline.lineage import LineageObserver, Parent
    from faultset.pipeline.metrics import MetricsObserver
    from faultset.pipeline.observing import observed, observed_by_environment
    from faultset.pipeline.operating import mend, new, scenarios, simulate, summary
    from faultset.pipeline.outcomes import Outcome, table
    from faultset.pipeline.planning import Batch, Plan, plan_rebuild
    from faultset.pipeline.published import verify, versions
    from faultset.pipeline.publishing import Published
    from faultset.pipeline.rebuild_records import candidates_of, rebuilt
    from faultset.pipeline.rebuilding import (
        build,
        build_batch,
        decide_batch,
        divide_labels,
        label_batch,
        validate_batch,
    )
    from faultset.pipeline.reconciling import plan_publishing, publish_batch, published_lines, to_ask, waiting
    from faultset.pipeline.sweeping import sweep
    from faultset.pipeline.undoing import cite, prune, retention, rollback, withdraw

__all__ = [
    "Batch",
    "Build",
    "Built",
    "Labeling",
    "LineageObserver",
    "MetricsObserver",
    "Outcome",
    "Parent",
    "Plan",
    "Proposal",
    "Published",
    "accepted",
    "answered",
    "build",
    "build_batch",
    "built",
    "candidates_of",
    "cite",
    "compare",
    "decide",
    "decide_batch",
    "diff",
    "divide_labels",
    "doctor",
    "extract",
    "inspect",
    "judge_all",
    "label",
    "label_batch",
    "labelings",
    "mend",
    "names_targets",
    "new",
    "not_asked",
    "observed",
    "observed_by_environment",
    "page",
    "picture",
    "plan_publishing",
    "plan_rebuild",
    "proposal",
    "propose",
    "prune",
    "publish_batch",
    "publish_by_hand",
    "publish_proposal",
    "published_lines",
    "rebuilt",
    "reject",
    "retention",
    "rollback",
    "scenarios",
    "simulate",
    "slugs",
    "stale",
    "summary",
    "sweep",
    "table",
    "take",
    "take_by_hand",
    "to_ask",
    "validate",
    "validate_batch",
    "validate_experiment",
    "validate_report",
    "verdict_line",
    "verify",
    "versions",
    "waiting",
    "why",
    "withdraw",
    "without_verdict",
]

# module -> what it gives to the outside
_HOME = {
    "approving": "Proposal answered not_asked page picture proposal propose publish_by_hand publish_proposal reject",
    "build_folder": "Build",
    "building": "Built Labeling built decide extract label labelings slugs validate",
    "claiming": "accepted take take_by_hand verdict_line without_verdict",
    "comparing": "compare diff",
    "explaining": "why",
    "freshness": "stale",
    "inspecting": "inspect names_targets validate_experiment validate_report",
    "judges": "judge_all",
    "lineage": "LineageObserver Parent",
    "metrics": "MetricsObserver",
    "observing": "observed observed_by_environment",
    "health": "doctor",
    "operating": "mend new scenarios simulate summary",
    "outcomes": "Outcome table",
    "planning": "Batch Plan plan_rebuild",
    "published": "verify versions",
    "publishing": "Published",
    "rebuild_records": "candidates_of rebuilt",
    "rebuilding": "build build_batch decide_batch divide_labels label_batch validate_batch",
    "reconciling": "plan_publishing publish_batch published_lines to_ask waiting",
    "sweeping": "sweep",
    "undoing": "cite prune retention rollback withdraw",
}
_MODULES = {name: module for module, names in _HOME.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import the module of a use case when it is asked for first (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
