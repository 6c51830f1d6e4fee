"""Judges OpenLineage events by the specification's own classes, which its Python client generates from the schemas."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import cattrs
from openlineage.client import event_v2
from openlineage.client.generated import base
from openlineage.client.serde import Serde

SPECIFICATION = "https://openlineage.io/spec/"


def read(path: Path) -> list[dict[str, Any]]:
    """Events of a file transport, a line each."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def of(emitted: list[Any]) -> list[dict[str, Any]]:
    """Events that were made, as they are sent."""
    return [json.loads(Serde.to_json(event)) for event in emitted]


def _converter(*, strict: bool) -> cattrs.Converter:
    """A converter that turns no type into another and, if strict, refuses what a class does not know."""
    converter = cattrs.Converter(forbid_extra_keys=strict)

    def exactly(value: Any, kind: Any) -> Any:
        allowed = (int, float) if kind is float else (kind,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            msg = f"{value!r} is no {kind.__name__}"
            raise TypeError(msg)
        return value

    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, exactly)
    return converter


_STRICT, _LENIENT = _converter(strict=True), _converter(strict=False)


def _by_schema() -> dict[str, type]:
    package = importlib.import_module("openlineage.client.generated")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    found, pending = {}, [base.BaseFacet]
    while pending:
        for one in pending.pop().__subclasses__():
            pending.append(one)
            found[one._get_schema()] = one
    return found


_BY_SCHEMA = _by_schema()


def problems(event: dict[str, Any]) -> list[str]:
    """What of an event the specification does not allow; empty where all is well."""
    found = []
    # The specification lets everybody add what it does not know, as Airflow's provider does; we add nothing.
    converter = _STRICT if "/faultset/" in event["producer"] else _LENIENT
    for where, facet in _facets(event):
        try:
            _judge(where, facet, converter)
        except Exception as error:  # noqa: BLE001 (cattrs gathers all kinds)
            found.append(f"{where}: {cattrs.transform_error(error)}")
    bare = _without_facets(event)
    try:
        kind = bare.pop("eventType")
        _STRICT.structure(bare, _Event)
        event_v2.RunState[kind]
    except Exception as error:  # noqa: BLE001
        found.append(f"event: {cattrs.transform_error(error)}")
    return found


@attrs.define
class _Named:
    namespace: str
    name: str


@attrs.define
class _Run:
    runId: str  # noqa: N815 (the specification's names)

    def __attrs_post_init__(self) -> None:
        event_v2.Run(self.runId)


@attrs.define
class _Event:
    eventTime: str  # noqa: N815
    run: _Run
    job: _Named
    producer: str
    schemaURL: str  # noqa: N815
    inputs: list[_Named] = attrs.field(factory=list)
    outputs: list[_Named] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        assert self.schemaURL.startswith(SPECIFICATION)
        run, job = event_v2.Run(self.run.runId), event_v2.Job(self.job.namespace, self.job.name)
        event_v2.RunEvent(eventTime=self.eventTime, producer=self.producer, run=run, job=job)


def _facets(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    holders = [("run", event["run"]), ("job", event["job"])]
    holders += [(side, one) for side in ("inputs", "outputs") for one in event.get(side, ())]
    for where, holder in holders:
        for kind in ("facets", "inputFacets", "outputFacets"):
            for name, facet in (holder.get(kind) or {}).items():
                yield f"{where}.{kind}.{name}", facet


def _without_facets(value: Any) -> Any:
    if isinstance(value, dict):
        inner = {key: one for key, one in value.items() if key not in ("facets", "inputFacets", "outputFacets")}
        return {key: _without_facets(one) for key, one in inner.items()}
    return [_without_facets(one) for one in value] if isinstance(value, list) else value


def _judge(where: str, facet: dict[str, Any], converter: cattrs.Converter) -> None:
    schema = facet["_schemaURL"]
    assert facet["_producer"].startswith("https://")
    if not schema.startswith(SPECIFICATION) or "/OpenLineage.json#" in schema:
        return  # a facet of somebody's own, such as Airflow's, of which the specification says no more than this
    known = _BY_SCHEMA[schema]
    fields = {field.alias: field.name for field in attrs.fields(known)}
    plain = {key: value for key, value in facet.items() if key not in ("_producer", "_schemaURL", "_deleted")}
    unknown = plain.keys() - {field.name for field in attrs.fields(known)}
    assert not unknown, f"{where} has {sorted(unknown)}"
    kinds = attrs.fields_dict(attrs.resolve_types(known))
    known(
        **{alias: converter.structure(plain[name], kinds[name].type) for alias, name in fields.items() if name in plain}
    )
