"""The use cases: what the DAGs' tasks and the command line call. Nothing outside of the product goes deeper.

A build runs in steps, each of which hands on a small reference (``Build``, ``Labeling``), never data: ``extract`` reads
the inputs, ``decide`` makes the truth tables and finds impacts, ``label`` labels one file of telemetry, ``validate``
judges all of it, so that there is a candidate; ``propose`` says what it would change and whether a person has to
approve that, ``publish_proposal`` makes it a version.

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
        waiting,
    )
    from faultset.pipeline.build_folder import Build
    from faultset.pipeline.building import (
        Built,
        Labeling,
        build,
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
    from faultset.pipeline.inspecting import inspect, validate_experiment, validate_report
    from faultset.pipeline.judges import judge_all
    from faultset.pipeline.operating import doctor, mend, new, scenarios, simulate, summary
    from faultset.pipeline.published import verify, versions
    from faultset.pipeline.publishing import Published
    from faultset.pipeline.undoing import cite, prune, retention, rollback, withdraw

__all__ = [
    "Build",
    "Built",
    "Labeling",
    "Proposal",
    "Published",
    "accepted",
    "answered",
    "build",
    "built",
    "cite",
    "compare",
    "decide",
    "diff",
    "doctor",
    "extract",
    "inspect",
    "judge_all",
    "label",
    "labelings",
    "mend",
    "names_targets",
    "new",
    "not_asked",
    "page",
    "picture",
    "proposal",
    "propose",
    "prune",
    "publish_by_hand",
    "publish_proposal",
    "reject",
    "retention",
    "rollback",
    "scenarios",
    "simulate",
    "slugs",
    "summary",
    "take",
    "take_by_hand",
    "validate",
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
    "approving": "Proposal answered not_asked page picture "
    "proposal propose publish_by_hand publish_proposal reject waiting",
    "build_folder": "Build",
    "building": "Built Labeling build built decide extract label labelings slugs validate",
    "claiming": "accepted take take_by_hand verdict_line without_verdict",
    "comparing": "compare diff",
    "explaining": "why",
    "inspecting": "inspect names_targets validate_experiment validate_report",
    "judges": "judge_all",
    "operating": "doctor mend new scenarios simulate summary",
    "published": "verify versions",
    "publishing": "Published",
    "undoing": "cite prune retention rollback withdraw",
}
_MODULES = {name: module for module, names in _HOME.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import the module of a use case when it is asked for first (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
