"""What ``experiment.yaml`` may hold, and an experiment as it was read."""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
import zoneinfo
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from faultset.catalog.references import public_name
from faultset.errors import nearest
from faultset.moments import EARLIEST, LATEST
from faultset.settings import Archive
from faultset.severity import Severity

_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
_LICENSE = r"^\(?[A-Za-z0-9][A-Za-z0-9.+-]*\)?(?: (?:AND|OR|WITH) \(?[A-Za-z0-9][A-Za-z0-9.+-]*\)?)*$"


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


def _as_names(declared: object) -> object:
    """``values: mem`` is short for ``values: [mem]``."""
    return [declared] if isinstance(declared, str) else declared


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunDeclaration(_Model):
    """One run; a field's description says what is expected there, in errors too."""

    report: Reference = Field(description="the path or URI of a Rally report or of another tool's file")
    results: Reference | None = Field(
        default=None, description="the path or URI of a file that says more of the same run"
    )
    hook_scripts: tuple[Reference, ...] = Field(default=(), description="a list of paths or URIs of the hook's scripts")


class Telemetry(_Model):
    """Files of one kind of telemetry, and the zone of the times in them."""

    kind: Literal["metrics", "logs", "traces"] = Field(description="metrics, logs or traces")
    files: Reference = Field(description='a path or a pattern such as "metrics/*.csv" that fits at least one file')
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = Field(
        default=None, description="an IANA time zone such as Europe/Berlin or UTC"
    )
    format: Text | None = Field(default=None, description="the id of a format, as faultset formats lists them")
    time_column: Text | None = Field(default=None, description="the name of the column that holds the times")
    node_column: Text | None = Field(default=None, description="the name of the column that names the node")
    node: Text | None = Field(default=None, description="the name of the node that all rows are of")
    values: Annotated[tuple[Text, ...], BeforeValidator(_as_names)] = Field(
        default=(), description="the name of the column that holds the values, or a list of names"
    )
    time_blur_s: float | None = Field(
        default=None, ge=0, le=86_400, allow_inf_nan=False, description="seconds from 0 to 86400"
    )

    @model_validator(mode="after")
    def _names_its_node_once(self) -> Telemetry:
        if self.node is not None and self.node_column is not None:
            raise ValueError("node says of which node all rows are, node_column that each row tells: give one of them")
        return self


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
        raise ValueError(f"it is {described(text)}")
    return float(f"{match[1]}{match[2]}") * _SECONDS[match[3]]


def _moment(text: object) -> object:
    """Return the UTC time that ISO 8601 with an offset says."""
    try:
        moment = text if isinstance(text, dt.datetime) else dt.datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError(f"it is {described(text)}") from None
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
        raise ValueError(f"it is {described(text)}")
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
    inputs: Reference | None = Field(
        default=None, description="the folder that paths start from, if not the one of this file"
    )
    cluster: Reference | None = Field(
        default=None, description="the path or URI of the os-faults YAML of the cluster, or of a cluster.yaml"
    )
    runs: tuple[RunDeclaration, ...] = Field(
        min_length=1, description="a list with at least one run, each a mapping with report"
    )
    telemetry: tuple[Telemetry, ...] = Field(default=(), description="a list of mappings with kind and files")
    reviewed_impacts: Reference | None = Field(
        default=None, description="the path or URI of a CSV with node, KPI, start and end"
    )
    components: dict[Text, Text] = Field(default={}, description="a mapping of component names to services")
    labels: Labels = Field(default=Labels(), description="a mapping with guard_before_s and cooldown_after_s")
    approval: Annotated[Approval, BeforeValidator(_as_mapping)] = Field(
        default=Approval(),
        description="always, on_change_of_labels, never, or a mapping with policy, timeout, approvers",
    )
    deposit: tuple[Archive, ...] | None = Field(
        default=None, description="a list of archives that each version goes to: zenodo, huggingface"
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
        file: where its ``experiment.yaml`` lies.
        folder: the folder that relative references start from: that of the file, or its ``inputs``.
    """

    slug: str
    file: str
    folder: str

    def canonical_json(self) -> str:
        """Return what was declared as one line of JSON, for the fingerprint.

        The same wherever the catalog lies, in a folder or a bucket, and however the file is formatted: keys are
        sorted, and so are runs, scripts and telemetry, whose order says nothing; what equals a default is left out, and
        references are written as in ``public_name``. Where the inputs lie, who has to approve and where versions are
        deposited is left out, too: it changes nothing in a dataset.
        """
        elsewhere = {"slug", "file", "folder", "inputs", "approval", "deposit"}
        declared = self.model_dump(mode="json", exclude=elsewhere, exclude_defaults=True)
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


def described(value: object) -> str:
    """Return what was given, in words: ``the number 3``, ``a list``."""
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
