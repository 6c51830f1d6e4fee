"""Reading all inputs of an experiment into evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faultset.pipeline.progress import Progress, silent
from faultset.records.evidence import Evidence, InputFile, RunEvidence
from faultset.sources import injections, plain_cluster
from faultset.sources.public.evidence import public_evidence
from faultset.sources.scripts import hook_commands
from faultset.sources.scripts import orders as hook_scripts


def gather_run(report: str, results: str | None, scripts: Sequence[str]) -> RunEvidence:
    """Read one run, of whatever tool.

    Args:
        report: path or URI of its file.
        results: path or URI of the file that says more of it; None where there is none.
        scripts: paths or URIs of the hooks' scripts.
    """
    library = hook_scripts.read_library(scripts)
    read = injections.read_run(report, results)
    other = hook_commands.read_hooks(read.results, library) if read.results else None
    return RunEvidence(hook_commands.read_hooks(read.report, library), other)


def gather(
    runs: Sequence[tuple[str, str | None, Sequence[str]]],
    cluster: str | None,
    *,
    services: Mapping[str, str] | None = None,
    inputs: Sequence[InputFile] = (),
    full_commands: bool = False,
    progress: Progress = silent,
) -> Evidence:
    """Read all runs (file, one beside it, scripts each) and the cluster of one experiment.

    Args:
        runs: report, results and scripts of each run.
        cluster: os-faults YAML or a cluster.yaml; None where there is none.
        services: component -> service, beside the built-in table.
        inputs: the files that are read.
        full_commands: keep commands and outputs whole but for recognised secrets; else nothing but recognised words.
        progress: called for each run.
    """
    total = len(runs) + 1
    read: list[RunEvidence] = []
    for number, (report, results, scripts) in enumerate(runs):
        progress(number, total, f"reading {report}")
        read.append(gather_run(report, results, scripts))
    progress(len(runs), total, f"reading {cluster}" if cluster else "no cluster file")
    known = plain_cluster.read_cluster(cluster) if cluster else None
    progress(total, total, "inputs read")
    evidence = Evidence(tuple(read), known, dict(services or {}), tuple(inputs))
    return evidence if full_commands else public_evidence(evidence)
