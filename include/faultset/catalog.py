"""The catalog: ``<catalog>/<slug>/experiment.yaml`` -> ``Experiment``, checked, or one error that names the line.

The catalog is written by the operator and trusted as far as paths go: a reference may lead anywhere that the operator
can read, above the catalog too. Everything that the referenced files say is untrusted.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
import textwrap
import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from faultset.bucket import is_bucket, public
from faultset.errors import InputError, nearest
from faultset.moments import EARLIEST, LATEST
from faultset.severity import Severity
from faultset.slug import check_slug
from faultset.sources.kit import files, locations, yaml_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILE_NAME = "experiment.yaml"
_SIZE_LIMIT = 1_000_000  # bytes; ten thousand runs fit
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
_LICENSE = r"^\(?[A-Za-z0-9][A-Za-z0-9.+-]*\)?(?: (?:AND|OR|WITH) \(?[A-Za-z0-9][A-Za-z0-9.+-]*\)?)*$"

Loc = tuple[int | str, ...]


# --- what experiment.yaml may hold ----------------------------------------------------------------------------------


@functools.cache
def _zones() -> frozenset[str]:
    # Both stand beside the zones on some machines and mean something else on each.
    return frozenset(zoneinfo.available_timezones() - {"localtime", "Factory"})


def _known_zone(name: str) -> str:
    if name not in _zones():
        places = (zone for zone in _zones() if "/" in zone)  # EST would be the nearest to CEST, and be wrong
        raise ValueError(f'"{name}" is no IANA time zone{nearest(name, places)}')
    return name


def _valid_orcid(text: str) -> str:
    """Return the bare ORCID iD; its last character is a check digit (ISO 7064 MOD 11-2)."""
    match = _ORCID.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is no ORCID iD')
    digits = match[1].replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    expected = (12 - total % 11) % 11
    if digits[-1] != ("X" if expected == 10 else str(expected)):
        raise ValueError(f'"{text}" is no ORCID iD: its check digit does not fit, so a digit is mistyped')
    return match[1]


def _valid_uri(reference: str) -> str:
    try:
        urlsplit(reference)
    except ValueError as error:
        raise ValueError(f'"{reference}" is no valid URI') from error
    return reference


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Reference = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x1f\x7f]+$"),
    AfterValidator(_valid_uri),
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunDeclaration(_Model):
    """One Rally run; a field's description says what is expected there, in errors too."""

    report: Reference = Field(description="the path or URI of a Rally task report")
    results: Reference | None = Field(default=None, description="the path or URI of the result JSON of the same run")
    hook_scripts: tuple[Reference, ...] = Field(default=(), description="a list of paths or URIs of the hook's scripts")


class Telemetry(_Model):
    """Files of one kind of telemetry, and the zone of the times in them."""

    kind: Literal["metrics", "logs", "traces"] = Field(description="metrics, logs or traces")
    files: Reference = Field(description='a path or a pattern such as "metrics/*.csv" that fits at least one file')
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        description="an IANA time zone such as Europe/Berlin or UTC"
    )


class Labels(_Model):
    """What may be chosen about the labels of telemetry."""

    guard_before_s: float = Field(
        default=0.0, ge=0, le=86_400, allow_inf_nan=False, description="seconds from 0 to 86400"
    )
    cooldown_after_s: float = Field(
        default=0.0, ge=0, le=86_400, allow_inf_nan=False, description="seconds from 0 to 86400"
    )


_SHIFT = re.compile(r"([+-])(\d{1,7}(?:\.\d{1,6})?) ?(ms|s|min|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_CORRECTED: dict[str, tuple[frozenset[str], frozenset[str]]] = {  # what -> keys that it needs, keys that it may have
    "telemetry_clock": (frozenset({"kind", "files", "shift"}), frozenset()),
    "telemetry_node": (frozenset({"kind", "files", "node", "true_node"}), frozenset()),
    "injection_time": (
        frozenset({"uncertainty_s"}),
        frozenset({"injection", "workload", "hook", "value", "started_at", "ended_at", "fault_ended_at"}),
    ),
}


def _shift(text: object) -> object:
    """Return the seconds that ``+1h``, ``-30min``, ``+2.5s`` or ``-40ms`` says."""
    match = _SHIFT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"it is {_described(text)}")
    return float(f"{match[1]}{match[2]}") * _SECONDS[match[3]]


def _moment(text: object) -> object:
    """Return the UTC time that ISO 8601 with an offset says."""
    try:
        moment = text if isinstance(text, dt.datetime) else dt.datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError(f"it is {_described(text)}") from None
    if moment.tzinfo is None:
        raise ValueError(f'"{text}" has no offset: write Z behind a time in UTC, or +01:00')
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f'"{text}" lies outside of 1970 to 2200')
    return moment.astimezone(dt.UTC)


_Moment = Annotated[dt.datetime, BeforeValidator(_moment)]


class Correction(_Model):
    """A known error in a source, and what is true instead."""

    what: Literal["telemetry_clock", "telemetry_node", "injection_time"] = Field(
        description="telemetry_clock, telemetry_node or injection_time"
    )
    reason: Text = Field(description="text on how it is known that the source is wrong")
    kind: Literal["metrics", "logs", "traces"] | None = Field(default=None, description="metrics, logs or traces")
    files: Text | None = Field(
        default=None, description='a pattern such as "metrics/node1_*.csv" of names as the dataset says them'
    )
    shift: Annotated[float, BeforeValidator(_shift)] | None = Field(
        default=None, description="a time to add with its sign, such as +1h, -30min or +2.5s"
    )
    node: Text | None = Field(default=None, description="the short name of a node as the source says it")
    true_node: Text | None = Field(default=None, description="the short name of the node that it truly is")
    injection: Text | None = Field(default=None, description="the id of an injection, as faultset inspect shows it")
    workload: Text | None = Field(default=None, description="the id or the scenario of a workload")
    hook: Annotated[int, Field(ge=0)] | None = Field(default=None, description="the place of a hook, from 0")
    value: float | None = Field(default=None, description="the iteration or the second at which it fired")
    started_at: _Moment | None = Field(default=None, description="a time with an offset: 2019-11-19T22:51:43.5Z")
    ended_at: _Moment | None = Field(default=None, description="a time with an offset: 2019-11-19T22:51:43.5Z")
    fault_ended_at: _Moment | None = Field(default=None, description="a time with an offset: 2019-11-19T22:53:43.5Z")
    uncertainty_s: float | None = Field(
        default=None, ge=0, le=86_400, allow_inf_nan=False, description="seconds from 0 to 86400; 0: exact"
    )

    @model_validator(mode="after")
    def _complete(self) -> Correction:
        """Refuse keys that are missing for this kind of correction, and those of another kind."""
        given = {name for name in self.model_fields_set if getattr(self, name) is not None} - {"what", "reason"}
        needed, possible = _CORRECTED[self.what]
        for name in sorted(needed - given):
            raise ValueError(f"{self.what} needs {name}")
        for name in sorted(given - needed - possible):
            raise ValueError(f"{name} is no part of {self.what}")
        if self.what == "injection_time":
            _check_time(self, given)
        return self


def _check_time(correction: Correction, given: set[str]) -> None:
    if not given & {"injection", "value"}:
        raise ValueError("injection_time needs injection, or value with perhaps workload and hook")
    if "injection" in given and given & {"workload", "hook", "value"}:
        raise ValueError("injection says which one it is; leave out workload, hook and value")
    if not given & {"started_at", "ended_at", "fault_ended_at"}:
        raise ValueError("injection_time needs started_at, ended_at or fault_ended_at")
    started, ended = correction.started_at, correction.ended_at
    if started is not None and ended is not None and ended < started:
        raise ValueError("ended_at lies before started_at")
    last = ended or started
    if last is not None and correction.fault_ended_at is not None and correction.fault_ended_at < last:
        raise ValueError("fault_ended_at lies before the other times")


class ExpectationSetting(_Model):
    """How severe a breach of an expectation is here, or what it compares with, and why it differs from the usual."""

    severity: Severity | None = Field(default=None, description="critical, warning or info")
    at_least: float | None = Field(default=None, allow_inf_nan=False, description="a finite number")
    at_most: float | None = Field(default=None, allow_inf_nan=False, description="a finite number")
    reason: Text = Field(description="text on why it is set otherwise in this experiment")

    @model_validator(mode="after")
    def _sets_something(self) -> ExpectationSetting:
        if self.severity is None and self.at_least is None and self.at_most is None:
            raise ValueError("it sets nothing: give severity, at_least or at_most")
        return self


class Creator(_Model):
    """Who made the experiment, for the citation."""

    name: Text = Field(description="a person's or a group's name")
    orcid: Annotated[str, AfterValidator(_valid_orcid)] | None = Field(
        default=None, description="an ORCID iD such as 0000-0002-1825-0097"
    )


_TIMEOUT = re.compile(r"([1-9]\d{0,6}) ?([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST_TIMEOUT = dt.timedelta(days=30)


def _timeout(text: object) -> object:
    """Return the time that ``7d``, ``36h``, ``30m`` or ``90s`` says."""
    if isinstance(text, dt.timedelta):
        return text
    match = _TIMEOUT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"it is {_described(text)}")
    time = dt.timedelta(**{_UNITS[match[2]]: int(match[1])})
    if time > LONGEST_TIMEOUT:
        raise ValueError(f'"{text}" is longer than {LONGEST_TIMEOUT.days} days')
    return time


class Approval(_Model):
    """Whether a person has to approve a new version before it is published; no part of what a dataset is made of."""

    policy: Literal["always", "on_change_of_labels", "never"] = Field(
        default="on_change_of_labels", description="always, on_change_of_labels or never"
    )
    timeout: Annotated[dt.timedelta, BeforeValidator(_timeout)] = Field(
        default=dt.timedelta(days=7), description="a time to wait for the answer such as 7d, 36h or 30m, at most 30d"
    )
    approvers: tuple[Text, ...] = Field(
        default=(), description="a list of names of Airflow users, who alone may answer"
    )


def _as_mapping(declared: object) -> object:
    """``approval: always`` is short for ``approval: {policy: always}``."""
    return {"policy": declared} if isinstance(declared, str) else declared


class ExperimentFile(_Model):
    """The keys of ``experiment.yaml``."""

    title: Text = Field(description="a title in one line")
    description: str = Field(default="", description="text on what was done and why")
    cluster: Reference = Field(description="the path or URI of the os-faults YAML of the cluster")
    runs: tuple[RunDeclaration, ...] = Field(
        min_length=1, description="a list with at least one Rally run, each a mapping with report"
    )
    telemetry: tuple[Telemetry, ...] = Field(
        default=(), description="a list of mappings with kind, files and time_zone"
    )
    reviewed_impacts: Reference | None = Field(
        default=None, description="the path or URI of a CSV with node, KPI, start and end"
    )
    components: dict[Text, Text] = Field(default={}, description="a mapping of component names to services")
    labels: Labels = Field(default=Labels(), description="a mapping with guard_before_s and cooldown_after_s")
    approval: Annotated[Approval, BeforeValidator(_as_mapping)] = Field(
        default=Approval(),
        description="always, on_change_of_labels, never, or a mapping with policy, timeout, approvers",
    )
    corrections: tuple[Correction, ...] = Field(default=(), description="a list of mappings with what and reason")
    expectations: dict[Text, ExpectationSetting] = Field(
        default={}, description="a mapping of expectations to mappings with severity, at_least or at_most, and reason"
    )
    publish_commands_reason: Text | None = Field(
        default=None, description="text on why the commands hold nothing that has to stay hidden"
    )
    publish_commands: Literal["recognised", "full"] = Field(
        default="recognised", description="recognised, or full with a publish_commands_reason"
    )
    license: Annotated[str, StringConstraints(pattern=_LICENSE)] | None = Field(
        default=None, description="an SPDX licence identifier such as CC-BY-4.0"
    )
    creators: tuple[Creator, ...] = Field(default=(), description="a list of mappings with name and, if known, orcid")

    @field_validator("publish_commands")
    @classmethod
    def _has_a_reason(cls, declared: str, info: ValidationInfo) -> str:
        if declared == "full" and not info.data.get("publish_commands_reason"):
            raise ValueError("full needs a publish_commands_reason")
        return declared


class Experiment(ExperimentFile):
    """An experiment of the catalog, checked; all files it names were there when it was read.

    Attributes:
        slug: the folder's name; the dataset's name, too.
        folder: the folder that relative references start from.
    """

    slug: str
    folder: str

    def canonical_json(self) -> str:
        """Return what was declared as one line of JSON, for the fingerprint.

        The same wherever the catalog lies, in a folder or a bucket, and however the file is formatted: keys are
        sorted, and so are runs, scripts and telemetry, whose order says nothing; what equals a default is left out, and
        references are written as in ``public_name``. Who has to approve is left out as well: it
        changes nothing in a dataset.
        """
        declared = self.model_dump(mode="json", exclude={"slug", "folder", "approval"}, exclude_defaults=True)
        for run in declared["runs"]:
            run.update({key: public_name(run[key]) for key in ("report", "results") if key in run})
            if "hook_scripts" in run:
                run["hook_scripts"] = sorted(public_name(script) for script in run["hook_scripts"])
        for key in ("cluster", "reviewed_impacts"):
            if key in declared:
                declared[key] = public_name(declared[key])
        for source in declared.get("telemetry", ()):
            source["files"] = public_name(source["files"])
        for key in ("runs", "telemetry"):
            if key in declared:
                declared[key].sort(key=lambda item: json.dumps(item, sort_keys=True))
        return json.dumps(declared, sort_keys=True, separators=(",", ":"))


# --- reading --------------------------------------------------------------------------------------------------------


def list_slugs(catalog: str) -> list[str]:
    """Return the names of the folders that hold an ``experiment.yaml``, sorted; hidden folders are left out.

    A folder whose name is no slug is listed all the same: ``read_experiment`` refuses it by name, so that it neither
    vanishes silently nor stops the others.

    Raises:
        InputError: the catalog is no folder that can be read.
        SetupError: the catalog lies in a bucket that cannot be asked.
    """
    try:
        return locations.folders_with(_root(catalog), FILE_NAME)
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
    folder = locations.join(_root(catalog), slug)
    path = locations.join(folder, FILE_NAME)
    if not locations.is_file(path):
        raise InputError(
            public(path),
            f'there is no experiment "{slug}" in the catalog{nearest(slug, list_slugs(catalog))}',
            f"write it by hand or with: faultset new {slug} --report REPORT --cluster FILE",
        )
    text = yaml_tree.decode(files.read_bytes(path, limit=_SIZE_LIMIT), public(path))
    return _experiment(text, public(path), slug, folder)


def resolve(experiment: Experiment, reference: str) -> str:
    """Return where ``reference`` lies: a URI or an absolute path as it is, else seen from the experiment's folder."""
    return locations.join(experiment.folder, reference)


def where(experiment: Experiment, loc: Loc) -> str:
    """Return file and line of what was declared at ``loc``, such as ``("corrections", 0)``."""
    path = locations.join(experiment.folder, FILE_NAME)
    shown = public(path)
    tree = yaml_tree.parse(yaml_tree.decode(files.read_bytes(path, limit=_SIZE_LIMIT), shown), shown)
    return f"{shown}:{_line(tree, loc)}"


def telemetry_files(experiment: Experiment, source: Telemetry) -> list[str]:
    """Return the files that ``source.files`` fits, resolved and sorted."""
    return _globbed(experiment.folder, source.files)


def public_name(reference: str) -> str:
    """Return ``reference`` as it may be written into a dataset: no machine's folders, no credentials.

    A relative reference is kept, an absolute path is cut to the file's name, and a URI loses user, password, query
    and fragment.
    """
    if is_bucket(reference):
        return public(reference)
    if _URI.match(reference):
        parts = urlsplit(reference)
        if parts.scheme == "file":
            return Path(unquote(parts.path)).name
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return Path(reference).name if Path(reference).is_absolute() else reference


def _root(catalog: str) -> str:
    return _place(catalog).rstrip("/")


def _experiment(text: str, where: str, slug: str, folder: str) -> Experiment:
    tree = yaml_tree.parse(text, where)
    try:
        declared = ExperimentFile.model_validate(tree.plain())
    except ValidationError as error:
        raise _first_error(error, tree, where) from None
    experiment = Experiment(slug=slug, folder=folder, **dict(declared))
    for loc, reference in _references(declared):
        _check_file(folder, reference, loc, f"{where}:{_line(tree, loc)}")
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
        raise _first_error(error, tree, where) from None


def _references(declared: ExperimentFile) -> Iterator[tuple[Loc, str]]:
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
        if not _globbed(folder, reference):
            raise InputError(
                where, f'no file fits {_dotted(loc)} "{reference}"', "correct the pattern or add the files"
            )
        return
    target = _place(locations.join(folder, reference))
    if locations.is_file(target):
        return
    raise InputError(
        where,
        f'{_dotted(loc)} names "{public(reference)}", and there is no such file{_nearest_file(target)}',
        f"expected {_expected(loc)}, relative to this file, absolute, or a URI",
    )


def _check_reports_differ(experiment: Experiment, tree: yaml_tree.YamlNode, where: str) -> None:
    seen: dict[str, int] = {}
    for i, run in enumerate(experiment.runs):
        first = seen.setdefault(resolve(experiment, run.report), i)
        if first != i:
            loc = ("runs", i, "report")
            raise InputError(
                f"{where}:{_line(tree, loc)}",
                f'{_dotted(loc)} "{run.report}" is declared already, in runs[{first}]',
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
                    f"{where}:{_line(tree, ('telemetry', i, 'files'))}",
                    f"telemetry[{i}].files fits {public_name(name)}, which telemetry[{first}] declares as "
                    f"{other.kind} in {other.time_zone}",
                    "make the patterns narrower, so that each file has one kind and one time zone",
                )


def _place(reference: str) -> str:
    """Return a local path or an ``s3://`` URI; refuse other URIs."""
    return reference if is_bucket(reference) else str(files.local_path(reference))


def _globbed(folder: str, pattern: str) -> list[str]:
    return locations.fitting(folder, _place(pattern))


# --- writing a first one --------------------------------------------------------------------------------------------

_TEMPLATE = """\
# What was done, and where its files lie. Paths are relative to this file, absolute, or URIs.
title: {title}
# description: what was done, why, and what a reader of the dataset should know
cluster: {cluster}
runs: # the Rally runs; several may overlap in time on one cluster
{runs}
# telemetry: # the zone of the times in the files; CEST or UTC+1 are no zones, Europe/Berlin is one
#   - {{kind: metrics, files: "metrics/*.csv", time_zone: Europe/Berlin}}
# reviewed_impacts: impacts.csv # node, KPI, start and end, by a person
# components: {{my_agent: nova}} # services of components that the built-in table does not know
# license: CC-BY-4.0
# creators:
#   - {{name: A name, orcid: an ORCID iD}}
"""


def new_experiment(
    catalog: str,
    slug: str,
    report: str,
    cluster: str,
    results: str | None = None,
    *,
    hook_scripts: Sequence[str] = (),
    title: str | None = None,
) -> str:
    """Write a first ``experiment.yaml`` and return where it lies; the files are named, not copied.

    Paths are taken from the current folder. Those inside the experiment's folder are written relative to it, so that
    the folder can move; others are written absolute.

    Raises:
        InputError: the slug is no slug, the experiment is there already, or a file is missing.
        SetupError: the folder cannot be written, or a bucket cannot be asked.
    """
    check_slug(slug)
    folder = locations.join(_root(catalog), slug)
    path = locations.join(folder, FILE_NAME)
    if locations.is_file(path):
        raise InputError(public(path), "the experiment is there already", "edit it, or choose another name")
    for reference in (report, cluster, *([results] if results else []), *hook_scripts):
        _check_named(reference)
    run: dict[str, object] = {"report": _written(report, folder)}
    if results:
        run["results"] = _written(results, folder)
    if hook_scripts:
        run["hook_scripts"] = [_written(script, folder) for script in hook_scripts]
    text = _TEMPLATE.format(
        title=_scalar(title or slug.replace("-", " ").capitalize()),
        cluster=_scalar(_written(cluster, folder)),
        runs=textwrap.indent(_dump([run]), "  ").rstrip(),
    )
    _experiment(text, public(path), slug, folder)
    if not locations.write_new(path, text):
        raise InputError(public(path), "the experiment is there already", "edit it, or choose another name")
    return public(path)


def _check_named(reference: str) -> None:
    place = _place(reference)
    if not locations.is_file(place):
        raise InputError(public(reference), f"there is no such file{_nearest_file(place)}", "correct the path")


def _written(reference: str, folder: str) -> str:
    if _URI.match(reference):
        return reference.removeprefix(f"{folder}/") if is_bucket(reference) else reference
    path, inside = Path(reference).absolute(), Path(folder).absolute()
    return str(path.relative_to(inside) if path.is_relative_to(inside) else path)


def _dump(value: object) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=10_000, indent=2)


def _scalar(text: str) -> str:
    return _dump(text).removesuffix("...\n").strip()


# --- what is wrong, in one line -------------------------------------------------------------------------------------

_MODELS: dict[int | str, type[BaseModel]] = {"runs": RunDeclaration, "telemetry": Telemetry, "creators": Creator}
_MODELS.update(corrections=Correction, expectations=ExpectationSetting)
_MAPPINGS: dict[int | str, type[BaseModel]] = {"labels": Labels, "approval": Approval}
# An unknown key is most often a mistyped one, which explains the missing key beside it; an item that is not valid
# makes pydantic call its list too short.
_RANK = {"extra_forbidden": 0, "invalid_key": 0, "missing": 1, "too_short": 3}


def _first_error(error: ValidationError, tree: yaml_tree.YamlNode, where: str) -> InputError:
    """Return the first thing that is wrong; a mistyped key comes before what follows from it."""
    found = error.errors(include_url=False)
    first = min(found, key=lambda item: (_RANK.get(item["type"], 2), _line(tree, item["loc"])))
    problem, remedy = _explain(first)
    return InputError(f"{where}:{_line(tree, first['loc'])}", problem, remedy)


def _line(tree: yaml_tree.YamlNode, loc: Loc) -> int:
    """Return the line of the key or item at ``loc``; of what should hold it where it is not there."""
    node, line = tree, tree.line
    for part in loc:
        if isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            line = node.line
            continue
        found = next(((key, value) for key, value in node.entries if key.text == part), None)
        if found is None:
            break
        line, node = found[0].line, found[1]
    return line


def _explain(error: Any) -> tuple[str, str]:
    loc: Loc = error["loc"]
    model = _model(loc)
    if error["type"] in ("extra_forbidden", "invalid_key"):
        return (
            f'unknown key "{loc[-1]}"{_inside(loc)}{nearest(str(loc[-1]), model.model_fields)}',
            f"the keys expected here are {', '.join(model.model_fields)}",
        )
    if error["type"] == "missing":
        return f'key "{loc[-1]}" is missing{_inside(loc)}', f"add {loc[-1]}: {_expected(loc)}"
    if not loc:
        return f"the file holds {_described(error['input'])}, no mapping", f"expected {_keys(model)}"
    value = error["input"]
    if error["type"] == "value_error":
        problem = f"{_dotted(loc)}: {error['ctx']['error']}"
    elif error["type"] == "literal_error" and isinstance(value, str):
        allowed = re.findall(r"'([^']+)'", error["ctx"]["expected"])
        problem = f'{_dotted(loc)} is "{value}"{nearest(value, allowed)}'
    else:
        problem = f"{_dotted(loc)} is {_described(value)}"
    return problem, f"expected {_expected(loc)}"


def _model(loc: Loc) -> type[BaseModel]:
    if len(loc) > 1 and loc[0] in _MAPPINGS:
        return _MAPPINGS[loc[0]]
    return _MODELS.get(loc[0], ExperimentFile) if len(loc) > 2 else ExperimentFile


def _expected(loc: Loc) -> str:
    """Return what belongs at ``loc``: a key of the file, an item of a list, or a key of such an item."""
    model = _model(loc)
    if len(loc) == 2 and loc[0] in _MODELS:
        return _keys(_MODELS[loc[0]])
    depth = 0 if model is ExperimentFile else 1 if loc[0] in _MAPPINGS else 2
    field = model.model_fields.get(str(loc[depth]))
    return field.description or "" if field else _keys(model)


def _keys(model: type[BaseModel]) -> str:
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    return f"a mapping with at least {', '.join(required)}"


def _inside(loc: Loc) -> str:
    return f" in {_dotted(loc[:-1])}" if len(loc) > 1 else ""


def _dotted(loc: Loc) -> str:
    """Return ``("runs", 0, "report")`` as ``runs[0].report``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def _described(value: object) -> str:
    if value is None or value in ("", [], (), {}):
        return "empty"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value!r}" if abs(value) < 1e15 else "a number"
    if isinstance(value, str):
        return f'the text "{value[:80]}"'
    if isinstance(value, list | tuple):
        return "a list"
    return "a mapping" if isinstance(value, dict) else f"a {type(value).__name__}"


def _nearest_file(place: str) -> str:
    return nearest(place.rpartition("/")[2], locations.siblings(place))
