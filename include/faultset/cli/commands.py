"""The commands: each asks the use cases one thing and returns the answer; ``show`` prints it for people."""
# ruff: noqa: PLC0415 (each command imports what it needs: --help and inspect answer at once)

from __future__ import annotations

import dataclasses

import click

from faultset import __version__
from faultset.cli import show
from faultset.cli.call import Answer, AnsweringCommand, Call, progress, shared_options
from faultset.errors import FaultsetError, InputError


@click.group(
    params=shared_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done; 1 it ran and the answer is no; 2 the input or the call is wrong; 3 the environment is.",
)
@click.version_option(__version__, prog_name="faultset", message="%(prog)s %(version)s")
def faultset() -> None:
    """Turn fault-injection experiments on clouds into validated, versioned, labeled datasets."""


command = faultset.command
results_option = click.option("--results", metavar="FILE", help="Result JSON of the same run: times to the microsecond.")
scripts_option = click.option(
    "--hook-script",
    "hook_scripts",
    metavar="FILE",
    multiple=True,
    help="Script that a hook ran, or one that it sends to a node; repeat it for each.",
)


@command(cls=AnsweringCommand)
@click.argument("report")
@results_option
@click.option("--cluster", metavar="FILE", help="os-faults YAML of the cluster: what runs where.")
@scripts_option
def inspect(report: str, results: str | None, cluster: str | None, hook_scripts: tuple[str, ...]) -> Answer:
    """Show what a Rally REPORT holds: workloads, triggers, injections, targets."""
    from faultset import pipeline

    document = pipeline.inspect(report, results=results, cluster=cluster, hook_scripts=hook_scripts)
    return Answer(document, show.inspection)


@command(cls=AnsweringCommand)
@click.argument("subject", metavar="SLUG|REPORT")
@click.option("--cluster", metavar="FILE", help="os-faults YAML of the cluster; a REPORT needs it.")
@results_option
@scripts_option
@click.pass_obj
def validate(
    call: Call, subject: str, cluster: str | None, results: str | None, hook_scripts: tuple[str, ...]
) -> Answer:
    """Run the expectations over an experiment of the catalog, or over a REPORT and its --cluster."""
    from faultset import pipeline

    if cluster is not None:
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
    """Build candidates of the experiments named, or of all; one that fails does not stop the others."""
    from faultset import pipeline

    settings = call.settings
    names = list(dict.fromkeys(slugs)) or pipeline.slugs(settings)
    if not names:
        raise InputError(settings.catalog, "the catalog holds no experiment", "write one with: faultset new")
    built: list[pipeline.Built] = []
    failed: dict[str, FaultsetError] = {}
    with progress() as tell:
        for slug in names:
            try:
                built.append(pipeline.build(slug, settings, force=force, progress=tell))
            except FaultsetError as error:
                failed[slug] = error
    return _builds(built, failed)


def _builds(built: Sequence[pipeline.Built], failed: Mapping[str, FaultsetError]) -> Answer:
    if len(failed) == 1 and not built:
        raise next(iter(failed.values()))
    for error in failed.values():
        click.echo(f"error: {error}", err=True)
    document = {
        "built": [candidate.as_dict() for candidate in built],
        "failed": [
            {"slug": slug, "error": str(error), "exit_code": error.exit_code} for slug, error in failed.items()
        ],
    }
    return Answer(document, show.builds, max((error.exit_code for error in failed.values()), default=0))


@command(cls=AnsweringCommand)
@click.argument("slug")
@click.option("--approve", is_flag=True, help="Publish without the question that is asked on a terminal.")
@click.pass_obj
def publish(call: Call, slug: str, approve: bool) -> Answer:
    """Publish the candidate of an experiment as a version; builds it first where there is none."""
    from faultset import pipeline

    settings = call.settings
    with progress() as tell:
        candidate = pipeline.build(slug, settings, progress=tell)
    if not approve and not candidate.unchanged and call.asks:
        show.findings(call.console(stderr=True), candidate.as_dict())
        click.confirm(f"Publish {slug}?", err=True, abort=True)
    with progress() as tell:
        published = pipeline.publish(slug, settings, progress=tell)
    return Answer(published.as_dict(), show.publication)


@command(cls=AnsweringCommand)
@click.argument("slug", required=False)
@click.pass_obj
def versions(call: Call, slug: str | None) -> Answer:
    """List the versions of a dataset, or of all."""
    from faultset import pipeline

    return Answer({"versions": pipeline.versions(call.settings, slug)}, show.versions)


@command(cls=AnsweringCommand)
@click.argument("slug", required=False)
@click.argument("version", required=False)
@click.pass_obj
def verify(call: Call, slug: str | None, version: str | None) -> Answer:
    """Hash every file of a version, of a dataset or of all again, and compare."""
    from faultset import pipeline

    with progress() as tell:
        damages = pipeline.verify(call.settings, slug, version, progress=tell)
    return Answer.yes_or_no(not damages, {"intact": not damages, "damages": damages}, show.damages)


@command(cls=AnsweringCommand)
@click.argument("slug")
@click.argument("a")
@click.argument("b")
@click.pass_obj
def diff(call: Call, slug: str, a: str, b: str) -> Answer:
    """Say what changed from version A of a dataset to version B, in rows and in words."""
    from faultset import pipeline

    return Answer(pipeline.diff(call.settings, slug, a, b), show.difference)
