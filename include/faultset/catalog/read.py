"""The catalog: ``<catalog>/<slug>/experiment.yaml`` -> ``Experiment``, checked, or one error that names the line.

The catalog is written by the operator and trusted as far as paths go: a reference may lead anywhere that the operator
can read, above the catalog too. Everything that the referenced files say is untrusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from faultset.catalog.errors import Loc, dotted, expected, first_error, line_of
from faultset.catalog.model import Experiment, ExperimentFile, Telemetry
from faultset.catalog.references import catalog_root, fitting, local_or_bucket, nearest_file, public_name
from faultset.errors import InputError, nearest
from faultset.settings import Archive
from faultset.slug import check_slug
from faultset.sources.kit import files, locations, yaml_tree
from faultset.storage.bucket import public

if TYPE_CHECKING:
    from collections.abc import Iterator


FILE_NAME = "experiment.yaml"
_SIZE_LIMIT = 1_000_000  # bytes; ten thousand runs fit


def list_slugs(catalog: str) -> list[str]:
    """Return the names of the folders that hold an ``experiment.yaml``, sorted; hidden folders are left out.

    A folder whose name is no slug is listed all the same: ``read_experiment`` refuses it by name, so that it neither
    vanishes silently nor stops the others.

    Raises:
        InputError: the catalog is no folder that can be read.
        SetupError: the catalog lies in a bucket that cannot be asked.
    """
    try:
        return locations.folders_with(catalog_root(catalog), FILE_NAME)
    except OSError as error:
        raise InputError(
            catalog,
            f"the catalog cannot be listed ({error.strerror})",
            "name a folder with --catalog or FAULTSET_CATALOG",
        ) from error


def read_experiment(catalog: str, slug: str) -> Experiment:
    """Return the experiment ``slug`` of ``catalog``; every file it names exists.

    Raises:
        InputError: there is no such experiment, or its file is not valid; names the line.
        SetupError: a bucket cannot be asked.
    """
    check_slug(slug)
    path = locations.join(locations.join(catalog_root(catalog), slug), FILE_NAME)
    if not locations.is_file(path):
        raise InputError(
            public(path),
            f'there is no experiment "{slug}" in the catalog{nearest(slug, list_slugs(catalog))}',
            f"write it by hand or with: faultset new {slug} --report REPORT --cluster FILE",
        )
    text = yaml_tree.decode(files.read_bytes(path, limit=_SIZE_LIMIT), public(path))
    return experiment_of(text, path, slug)


def deposit_of(catalog: str, slug: str) -> tuple[Archive, ...] | None:
    """Return the archives that an experiment names for its versions; None where it names none. A light look.

    Raises:
        InputError: there is no such experiment, or its file is not valid.
        SetupError: a bucket cannot be asked.
    """
    path = locations.join(locations.join(catalog_root(catalog), check_slug(slug)), FILE_NAME)
    data = files.read_bytes(path, limit=_SIZE_LIMIT)
    return parse_declared(data, public(path)).deposit if b"deposit" in data else None


def resolve(experiment: Experiment, reference: str) -> str:
    """Return where ``reference`` lies: a URI or an absolute path as it is, else seen from the experiment's folder."""
    return locations.join(experiment.folder, reference)


def where(experiment: Experiment, loc: Loc) -> str:
    """Return file and line of what was declared at ``loc``, such as ``("corrections", 0)``."""
    shown = public(experiment.file)
    tree = yaml_tree.parse(yaml_tree.decode(files.read_bytes(experiment.file, limit=_SIZE_LIMIT), shown), shown)
    return f"{shown}:{line_of(tree, loc)}"


def telemetry_files(experiment: Experiment, source: Telemetry) -> list[str]:
    """Return the files that ``source.files`` fits, resolved and sorted."""
    return fitting(experiment.folder, source.files)


def experiment_of(text: str, path: str, slug: str) -> Experiment:
    """Return the experiment that ``text``, which lies or will lie at ``path``, declares; its files are looked for."""
    where = public(path)
    tree = yaml_tree.parse(text, where)
    try:
        declared = ExperimentFile.model_validate(tree.plain())
    except ValidationError as error:
        raise first_error(error, tree, where) from None
    folder = path.rpartition("/")[0]
    if declared.inputs is not None:
        folder = locations.join(folder, declared.inputs)
    experiment = Experiment(slug=slug, file=path, folder=folder, **dict(declared))
    for loc, reference in _references(declared):
        _check_file(folder, reference, loc, f"{where}:{line_of(tree, loc)}")
    _check_reports_differ(experiment, tree, where)
    _check_telemetry_agrees(experiment, tree, where)
    return experiment


def parse_declared(data: bytes, where: str) -> ExperimentFile:
    """Return what the bytes of an ``experiment.yaml`` declare; whether its files are there is not looked at.

    Raises:
        InputError: they are not valid; names the line.
    """
    tree = yaml_tree.parse(yaml_tree.decode(data, where), where)
    try:
        return ExperimentFile.model_validate(tree.plain())
    except ValidationError as error:
        raise first_error(error, tree, where) from None


def _references(declared: ExperimentFile) -> Iterator[tuple[Loc, str]]:
    if declared.cluster is not None:
        yield ("cluster",), declared.cluster
    for i, run in enumerate(declared.runs):
        yield ("runs", i, "report"), run.report
        if run.results is not None:
            yield ("runs", i, "results"), run.results
        for j, script in enumerate(run.hook_scripts):
            yield ("runs", i, "hook_scripts", j), script
    for i, source in enumerate(declared.telemetry):
        yield ("telemetry", i, "files"), source.files
    if declared.reviewed_impacts is not None:
        yield ("reviewed_impacts",), declared.reviewed_impacts


def _check_file(folder: str, reference: str, loc: Loc, where: str) -> None:
    if loc[0] == "telemetry":
        if not fitting(folder, reference):
            raise InputError(where, f'no file fits {dotted(loc)} "{reference}"', "correct the pattern or add the files")
        return
    target = local_or_bucket(locations.join(folder, reference))
    if locations.is_file(target):
        return
    raise InputError(
        where,
        f'{dotted(loc)} names "{public(reference)}", and there is no such file{nearest_file(target)}',
        f"expected {expected(loc)}, relative to this file, absolute, or a URI",
    )


def _check_reports_differ(experiment: Experiment, tree: yaml_tree.YamlNode, where: str) -> None:
    seen: dict[str, int] = {}
    for i, run in enumerate(experiment.runs):
        first = seen.setdefault(resolve(experiment, run.report), i)
        if first != i:
            loc = ("runs", i, "report")
            raise InputError(
                f"{where}:{line_of(tree, loc)}",
                f'{dotted(loc)} "{run.report}" is declared already, in runs[{first}]',
                "declare each run once",
            )


def _check_telemetry_agrees(experiment: Experiment, tree: yaml_tree.YamlNode, where: str) -> None:
    """Refuse a file that two entries declare differently: which of them is right must not depend on their order."""
    seen: dict[str, int] = {}
    for i, source in enumerate(experiment.telemetry):
        for name in telemetry_files(experiment, source):
            first = seen.setdefault(name, i)
            other = experiment.telemetry[first]
            if (other.kind, other.time_zone) != (source.kind, source.time_zone):
                raise InputError(
                    f"{where}:{line_of(tree, ('telemetry', i, 'files'))}",
                    f"telemetry[{i}].files fits {public_name(name)}, which telemetry[{first}] declares as "
                    f"{other.kind} in {other.time_zone or 'no time zone'}",
                    "make the patterns narrower, so that each file has one kind and one time zone",
                )
