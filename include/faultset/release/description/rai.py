"""What Croissant's extension for responsible AI asks of a dataset, answered from its manifest and how it is made."""

from __future__ import annotations

from typing import Any

from faultset.release.description.about import About
from faultset.severity import SEVERITIES

_SIMULATOR = "Faultset simulator"


def fields(known: About) -> dict[str, Any]:
    """Return ``rai:`` property -> answer; each follows from the manifest, nothing is taken from the catalog's words."""
    return {f"rai:{name}": answer for name, answer in _answers(known).items()}


def _answers(known: About) -> dict[str, Any]:
    synthetic = any(creator.name == _SIMULATOR for creator in known.creators)
    return {
        "dataCollection": _collection(known, synthetic=synthetic),
        "dataCollectionType": ["Experiments", "Software Collection"],
        "dataPreprocessingProtocol": [
            "Rows of telemetry are neither dropped nor re-sampled nor re-ordered; time, node, row and labels are "
            "added. Secrets and free text of commands are replaced before anything is stored."
        ],
        "dataAnnotationProtocol": [
            "Injections come from the tool's own records, targets from commands, outputs and the cluster file, by "
            "fixed rules whose reason is a column. A row is labeled by the windows of injections that concern its "
            "node. Impacts are found by a statistical test with false discoveries controlled, or by a person's review; "
            "the column source tells which."
        ],
        "machineAnnotationTools": [f"faultset, recipe {known.manifest.recipe[:12] or 'unknown'}"],
        "dataLimitations": _limitations(known),
        "dataBiases": _biases(known),
        "personalSensitiveInformation": [
            "None is collected on purpose: it is about machines and services. Log lines and names of hosts are those "
            "of the experiment's own cluster; what looks like a secret is replaced."
        ],
        "dataUseCases": [
            "Detection of anomalies, ranking of root causes, and studies of fault injection itself. Not for judging "
            "how reliable a product is: faults are injected on purpose and far more often than they happen."
        ],
        "dataSocialImpact": [
            "Methods that are compared on a small set of injected faults may be trusted more than they earn in "
            "operation; the scores that need no method (faultset export, Dataset.floors) belong beside theirs."
        ],
        "dataReleaseMaintenancePlan": [
            "A version never changes; corrections are new versions, whose number says what became of old records. "
            "Withdrawn versions stay readable and say why they were withdrawn."
        ],
        "hasSyntheticData": synthetic,
    }


def _collection(known: About, *, synthetic: bool) -> list[str]:
    rows = known.manifest.rows
    kinds = ", ".join(known.manifest.telemetry_kinds) or "no telemetry"
    how = "written by a simulator with known truth" if synthetic else "recorded while faults were injected under load"
    return [
        f"{rows.get('workloads', 0)} workloads with {rows.get('injections', 0)} injections, {how}; {kinds}; read from "
        f"{len(known.manifest.inputs)} input files, each named with its hash in manifest.json."
    ]


def _limitations(known: About) -> list[str]:
    validation = known.manifest.validation
    counts = ", ".join(f"{validation[name]} {name}" for name in SEVERITIES if validation.get(name))
    found = f"Its validation had findings: {counts}." if counts else "Its validation had no finding."
    return [
        f"{found} Starts and ends are known to an uncertainty that is stated with each; rows that cannot be decided "
        "within it are marked as boundary rows. An effect that was not found may be there: impact_tests says how large "
        "one could have hidden."
    ]


def _biases(known: About) -> list[str]:
    number = known.manifest.rows.get("injections", 0)
    return [
        f"{number} injections of one experiment on one cluster under one kind of load: their targets, actions and "
        "frequencies are those that the experimenter chose, and are no sample of failures in operation."
    ]
