"""The commands: each asks the use cases one thing and returns the answer; ``show`` prints it for people."""
# ruff: noqa: PLC0415 (each command imports what it needs: --help and inspect answer at once)

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

import click

from faultset.cli import show
from faultset.cli.call import Answer, AnsweringCommand, Call, console, progress, shared_options
from faultset.cli.depositing import deposit
from faultset.errors import AnswerIsNo, FaultsetError, InputError
from faultset.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultset.pipeline import Built


class _InOrder(click.Group):
    """Lists the commands in the order of their use, which is that of this file."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(self.commands)


@click.group(
    cls=_InOrder,
    params=shared_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done; 1 it ran and the answer is no; 2 the input or the call is wrong; 3 the environment is.",
)
@click.version_option(__version__, prog_name="faultset", message="%(prog)s %(version)s")
def faultset() -> None:
    """Turn fault-injection experiments on clouds into validated, versioned, labeled datasets."""


command = faultset.command
results_option = click.option(
    "--results", metavar="FILE", help="A file that says more of the same run, such as Rally's result JSON."
)
scripts_option = click.option(
    "--hook-script",
    "hook_scripts",
    metavar="FILE",
    multiple=True,
    help="Script that a hook ran, or one that it sends to a node; repeat it for each.",
)


@command(cls=AnsweringCommand)
@click.argument("slug")
@click.option("--report", metavar="FILE", required=True, help="File of the run: a Rally report, a journal, ...")
@click.option("--cluster", metavar="FILE", help="os-faults YAML of the cluster, or a cluster.yaml.")
@results_option
@scripts_option
@click.option("--metrics", metavar="FILES", multiple=True, help="A file, or a pattern in quotes such as 'm/*.csv'.")
@click.option("--logs", metavar="FILES", multiple=True, help="The same of log lines.")
@click.option("--traces", metavar="FILES", multiple=True, help="The same of spans.")
@click.option("--time-zone", metavar="ZONE", help="Zone of the times in them, such as Europe/Berlin or UTC.")
@click.option("--title", help="Title of the dataset; from SLUG where it is not given.")
@click.pass_obj
def new(
    call: Call,
    /,
    slug: str,
    *,
    report: str,
    cluster: str | None,
    metrics: tuple[str, ...],
    logs: tuple[str, ...],
    traces: tuple[str, ...],
    **options: Any,
) -> Answer:
    """Write a first experiment.yaml for SLUG.

    It names the files given; it never overwrites one.
    """
    from faultset import pipeline

    named = {"metrics": metrics, "logs": logs, "traces": traces}
    telemetry = [(kind, files) for kind, given in named.items() for files in given]
    path = pipeline.new(call.settings, slug, report=report, cluster=cluster, telemetry=telemetry, **options)
    return Answer({"slug": slug, "path": str(path)}, show.new)


@command(cls=AnsweringCommand)
@click.argument("report")
@results_option
@click.option("--cluster", metavar="FILE", help="os-faults YAML of the cluster: what runs where.")
@scripts_option
def inspect(report: str, results: str | None, cluster: str | None, hook_scripts: tuple[str, ...]) -> Answer:
    """Show what the REPORT of a run holds, of whatever tool.

    Workloads, triggers, injections and targets; the cluster and the scripts say more about the targets.
    """
    from faultset import pipeline

    document = pipeline.inspect(report, results=results, cluster=cluster, hook_scripts=hook_scripts)
    return Answer(document, show.inspection)


@command(cls=AnsweringCommand)
@click.argument("subject", metavar="SLUG|REPORT")
@click.option("--cluster", metavar="FILE", help="os-faults YAML of the cluster, or a cluster.yaml; Rally needs it.")
@results_option
@scripts_option
@click.pass_obj
def validate(
    call: Call, subject: str, cluster: str | None, results: str | None, hook_scripts: tuple[str, ...]
) -> Answer:
    """Run the expectations over an experiment or a report.

    SLUG names an experiment of the catalog; a REPORT that does not name its targets needs its --cluster.
    """
    from faultset import pipeline

    if cluster is not None or pipeline.names_targets(subject):
        found = pipeline.validate_report(subject, cluster=cluster, results=results, hook_scripts=hook_scripts)
    elif results is not None or hook_scripts or "." in subject or "/" in subject:
        raise InputError(subject, "a report is validated together with its cluster", "add --cluster FILE")
    else:
        found = pipeline.validate_experiment(subject, call.settings)
    return Answer.yes_or_no(found.passed, dataclasses.asdict(found), show.validation)


@command(cls=AnsweringCommand)
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--force", is_flag=True, help="Build what has not changed, too.")
@click.pass_obj
def build(call: Call, slugs: tuple[str, ...], force: bool) -> Answer:
    """Build candidates of the experiments named, or of all.

    An experiment that fails does not stop the others.
    """
    from faultset import pipeline

    settings = call.settings
    names = list(dict.fromkeys(slugs)) or pipeline.slugs(settings)
    if not names:
        raise InputError(settings.catalog, "the catalog holds no experiment", "write one with: faultset new")
    built: list[Built] = []
    failed: dict[str, FaultsetError] = {}
    with progress() as tell, pipeline.observed_by_environment(settings):
        for slug in names:
            try:
                built.append(pipeline.build(slug, settings, force=force, progress=tell))
            except FaultsetError as error:
                failed[slug] = error
    return _builds(built, failed)


def _builds(built: Sequence[Built], failed: Mapping[str, FaultsetError]) -> Answer:
    if len(failed) == 1 and not built:
        raise next(iter(failed.values()))
    for error in failed.values():
        click.echo(f"error: {error}", err=True)
    document = {
        "built": [candidate.as_dict() for candidate in built],
        "failed": [{"slug": slug, "error": str(error), "exit_code": error.exit_code} for slug, error in failed.items()],
    }
    return Answer(document, show.builds, max((error.exit_code for error in failed.values()), default=0))


@command(cls=AnsweringCommand)
@click.argument("slug")
@click.option("--approve", is_flag=True, help="Publish without the question that is asked on a terminal.")
@click.pass_obj
def publish(call: Call, slug: str, approve: bool) -> Answer:
    """Publish an experiment as a dataset version.

    Builds its candidate from the catalog first; where nothing changed there is no new version.
    """
    from faultset import pipeline

    settings = call.settings
    with progress() as tell, pipeline.observed_by_environment(settings):
        candidate = pipeline.build(slug, settings, progress=tell)
    how = "faultset publish --approve" if approve else "faultset publish, where nobody could be asked"
    if not approve and candidate.validation is not None and _somebody_answers(call):
        show.builds(console(sys.stderr), {"built": [candidate.as_dict()]})
        if not click.confirm(f"Publish {slug}?", err=True):
            raise AnswerIsNo(slug, "not published, as you answered", "publish it later, or correct its inputs")
        how = "faultset publish, answered on a terminal"
    with progress() as tell, pipeline.observed_by_environment(settings):
        published = pipeline.publish_by_hand(candidate, settings, reason=how, progress=tell)
    folder = f"{settings.datasets.rstrip('/')}/{published.path}"
    latest = next((row["version"] for row in pipeline.versions(settings, slug) if row["latest"]), None)
    return Answer({**published.as_dict(), "latest": latest, "folder": folder}, show.publication)


def _somebody_answers(call: Call) -> bool:
    return not call.json and sys.stdin.isatty() and sys.stderr.isatty()


@command(cls=AnsweringCommand)
@click.argument("slug", required=False)
@click.pass_obj
def versions(call: Call, slug: str | None) -> Answer:
    """List the versions of a dataset, or of all."""
    from faultset import pipeline

    return Answer({"versions": pipeline.versions(call.settings, slug)}, show.versions)


@command(cls=AnsweringCommand)
@click.pass_obj
def formats(call: Call) -> Answer:  # noqa: ARG001 (as of all commands)
    """List the formats of telemetry that are read, with a sample of each."""
    from faultset.pipeline.formats import formats as known

    return Answer({"formats": known()}, show.formats)


@command(name="list", cls=AnsweringCommand)
@click.pass_obj
def list_datasets(call: Call) -> Answer:
    """List the published datasets, each with its latest version."""
    from faultset.dataset import roots

    found = roots.records(roots.root_at(call.settings.datasets))
    return Answer({"datasets": found}, show.datasets)


@command(name="show", cls=AnsweringCommand)
@click.argument("slug")
@click.option("--version", metavar="X.Y.Z", help="Version of the dataset; the latest by default.")
@click.pass_obj
def show_dataset(call: Call, slug: str, version: str | None) -> Answer:
    """Show what a dataset holds.

    Its versions, tables, telemetry and findings, from the manifest alone.
    """
    from faultset.dataset import overview, roots

    return Answer(overview.overview(roots.root_at(call.settings.datasets), slug, version), show.dataset)


@command(cls=AnsweringCommand)
@click.argument("slug")
@click.argument("folder", metavar="DIR")
@click.option(
    "--to",
    "layout",
    metavar="LAYOUT",
    required=True,
    help="rcaeval, rcabench, tsb-ad, huggingface, openmetrics or grafana.",
)
@click.option("--version", metavar="X.Y.Z", help="Version of the dataset; the latest by default.")
@click.option("--replace", is_flag=True, help="Replace an earlier export that lies in DIR.")
@click.pass_obj
def export(call: Call, slug: str, folder: str, *, layout: str, version: str | None, replace: bool) -> Answer:
    """Write a dataset into DIR in the layout of another benchmark.

    With the scores that need no method beside it, and what could not be carried over.
    """
    from pathlib import Path

    from faultset import exports
    from faultset.dataset.opening import open_dataset

    dataset = open_dataset(slug, version=version, root=call.settings.datasets)
    with progress() as tell:
        written = exports.export(dataset, layout, Path(folder), replace=replace, tell=tell)
    for text in written.lost:
        click.echo(f"not carried over: {text}", err=True)
    return Answer(dataclasses.asdict(written), show.exported)


faultset.add_command(deposit)


@command(cls=AnsweringCommand)
@click.argument("folder", metavar="DIR")
@click.option("--from", "layout", metavar="LAYOUT", required=True, help="How the set is laid out: rcaeval or tsb-ad.")
def audit(folder: str, layout: str) -> Answer:
    """Say what is wrong with somebody else's labeled set in DIR.

    Whether an effect is at each label and how large one could have hidden, label leaks, duplicate columns, time shifts,
    data that says nothing, and the scores that need no method.
    """
    from pathlib import Path

    from faultset import audit as audits

    with progress() as tell:
        found = audits.audit(Path(folder), layout, tell)
    return Answer.yes_or_no(not found.summary, dataclasses.asdict(found), show.audited)


reason_option = click.option("--reason", metavar="TEXT", required=True, help="Why; it is shown beside the version.")
by_option = click.option("--by", metavar="NAME", help="Who decides; the user of this machine by default.")


@command(cls=AnsweringCommand)
@click.argument("slug")
@click.argument("version")
@click.option("--reason", metavar="TEXT", default="no reason was given", help="Why; it is kept with the decision.")
@by_option
@click.pass_obj
def rollback(call: Call, slug: str, version: str, *, reason: str, by: str | None) -> Answer:
    """Make VERSION the latest again.

    Until a newer version is published; what was rolled back from is not published again.
    """
    from faultset import pipeline

    return Answer(pipeline.rollback(slug, version, call.settings, reason=reason, by=by), show.undone)


@command(cls=AnsweringCommand)
@click.argument("slug")
@click.argument("version")
@reason_option
@by_option
@click.pass_obj
def withdraw(call: Call, slug: str, version: str, *, reason: str, by: str | None) -> Answer:
    """Mark VERSION as withdrawn.

    It stays readable, with a warning, and is never the latest again.
    """
    from faultset import pipeline

    return Answer(pipeline.withdraw(slug, version, call.settings, reason=reason, by=by), show.undone)


@command(cls=AnsweringCommand)
@click.argument("slug")
@click.argument("version")
@click.option("--doi", "citation", metavar="TEXT", required=True, help="DOI, address or reference of who relies on it.")
@by_option
@click.pass_obj
def cite(call: Call, slug: str, version: str, *, citation: str, by: str | None) -> Answer:
    """Record that somebody relies on VERSION.

    What is cited is never pruned.
    """
    from faultset import pipeline

    return Answer(pipeline.cite(slug, version, call.settings, citation=citation, by=by), show.undone)


@command(cls=AnsweringCommand)
@click.argument("slug", required=False)
@click.option("--keep", "newest", type=int, metavar="N", required=True, help="Keep the newest N versions.")
@click.option("--keep-days", type=float, metavar="D", help="Keep versions younger than D days, too.")
@click.option("--remove", is_flag=True, help="Remove what is not kept; without it nothing is changed.")
@by_option
@click.pass_obj
def prune(
    call: Call, slug: str | None, *, newest: int, keep_days: float | None, remove: bool, by: str | None
) -> Answer:
    """Say which versions a policy keeps, and remove the others.

    The latest version, newer ones and cited ones are always kept.
    """
    from faultset import pipeline

    if remove:
        found = pipeline.prune(call.settings, slug, newest=newest, younger_than_days=keep_days, by=by)
    else:
        found = pipeline.retention(call.settings, slug, newest=newest, younger_than_days=keep_days)
    return Answer({"removed": remove, "versions": found}, show.retention)


@command(cls=AnsweringCommand)
@click.argument("slug")
@click.argument("a")
@click.argument("b")
@click.pass_obj
def diff(call: Call, slug: str, a: str, b: str) -> Answer:
    """Say what changed from version A to version B."""
    from faultset import pipeline

    return Answer(pipeline.diff(call.settings, slug, a, b), show.difference)


@command(cls=AnsweringCommand)
@click.argument("slug")
@click.argument("record", metavar="ID")
@click.option("--version", metavar="X.Y.Z", help="Version of the dataset; the latest by default.")
@click.pass_obj
def why(call: Call, slug: str, record: str, version: str | None) -> Answer:
    """Say where a record of a dataset comes from, and why it is what it is.

    ID is an injection's id, INJECTION/NODE/COMPONENT, INJECTION/NODE/KPI, or FILE:SOURCE_ROW (rows from 0).
    """
    from faultset import pipeline

    return Answer(pipeline.why(call.settings, slug, record, version), show.chain)


@command(cls=AnsweringCommand)
@click.argument("slug", required=False)
@click.argument("version", required=False)
@click.pass_obj
def verify(call: Call, slug: str | None, version: str | None) -> Answer:
    """Hash all published files again and compare.

    Of one version, of one dataset, or of all.
    """
    from faultset import pipeline

    with progress() as tell:
        damages = pipeline.verify(call.settings, slug, version, progress=tell)
    return Answer.yes_or_no(not damages, {"intact": not damages, "damages": damages}, show.damages)


@command(cls=AnsweringCommand)
@click.argument("scenario", required=False)
@click.option("--to", "folder", metavar="FOLDER", help="Where to write the experiment.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed, the same files.")
@click.option("--iterations", type=int, metavar="N", help="Iterations a workload; the scenario's own by default.")
@click.option("--injections", type=int, metavar="N", help="Firings of each hook over iterations.")
@click.option("--nodes", type=int, metavar="N", help="Nodes of the cluster, 5 to 250.")
@click.option(
    "--metric-seconds", type=int, metavar="S", help="Length of the metrics; by default the run and 5 min beside."
)
@click.option(
    "--shift-hours",
    metavar="WHAT=H",
    multiple=True,
    help="Hours that metrics, logs, traces or a file of them is ahead of its zone; repeat it for more.",
)
@click.option("--gaps", type=int, default=0, metavar="N", help="Stretches of 5 to 60 s missing in each file.")
@click.option("--clock-drift-ppm", type=float, default=0.0, metavar="PPM", help="Drift of the nodes' clocks, at most.")
@click.option("--level-drift", type=float, default=0.0, metavar="SD", help="Creep of KPIs, robust deviations an hour.")
@click.option("--dst", is_flag=True, help="Summer time ends in the middle of the load.")
@click.option("--kpi-size", type=float, metavar="SD", help="Size of all KPI moves in robust deviations; 0: none moves.")
@click.option("--kpi-seconds", type=float, metavar="S", help="How long all KPI moves last.")
@click.option("--list", "names_only", is_flag=True, help="List the scenarios.")
def simulate(
    scenario: str | None, folder: str | None, names_only: bool, shift_hours: tuple[str, ...], **options: Any
) -> Answer:
    """Write a sample experiment with known truth.

    Reports, cluster, scripts, metrics, logs and traces, as the SCENARIO says; truth.json says what must come out.
    """
    from faultset import pipeline

    if names_only:
        return Answer({"scenarios": pipeline.scenarios()}, show.scenarios)
    if scenario is None or folder is None:
        raise click.UsageError("A scenario and --to FOLDER are needed, or --list.")
    shifts = dict(_shift(text) for text in shift_hours)
    return Answer(pipeline.simulate(scenario, folder, shift_hours=shifts, **options), show.simulation)


def _shift(text: str) -> tuple[str, float]:
    what, _, hours = text.rpartition("=")
    try:
        return what, float(hours)
    except ValueError:
        problem = f"Invalid value for '--shift-hours': {text!r} is not WHAT=HOURS, such as metrics=-1."
        raise click.UsageError(problem) from None


@command(cls=AnsweringCommand)
@click.option("--fix", is_flag=True, help="First complete, repair and sweep what killed builds left.")
@click.pass_obj
def doctor(call: Call, fix: bool) -> Answer:
    """Check this set-up and say what to do.

    With --fix, unfinished commits are completed, latest.json and index.json written anew where they are behind, and
    leftovers of dead builds removed. A version is never touched.
    """
    from faultset import pipeline

    settings = call.settings
    done = pipeline.mend(settings) if fix else []
    checks = pipeline.doctor(settings)
    well = all(check["ok"] for check in checks)
    return Answer.yes_or_no(well, {"ok": well, "checks": checks, "done": done}, show.health)
