"""k6's samples (``--out json`` and ``--out csv``) as load: each request, else each iteration, is one here.

A sample's time is its end. A request failed where k6 did not expect its answer (the tag ``expected_response``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from faultset.errors import InputError
from faultset.moments import epoch_us
from faultset.records.evidence import RunEvidence
from faultset.sources.injections import Recognition, Source
from faultset.sources.kit.documents import Head, no_secrets, read_lines
from faultset.sources.kit.fields import decode_json, finite, parse_moment
from faultset.sources.load.samples import Sample, load_run, message, number, table_rows

_REMEDY = "give what `k6 run --out json=FILE` or `--out csv=FILE` writes"
_REQUEST, _ITERATION = "http_req_duration", "iteration_duration"
# How large an epoch in each unit is in our time: k6's CSV may be told to write any of them.
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


def recognise(head: Head) -> Recognition | None:
    """Return what tells that a file is k6's."""
    if set(head.first_line.split(",")) >= {"metric_name", "timestamp", "metric_value"}:
        return Recognition("run", "it has the columns of k6's samples")
    if head.is_json and head.says(r'"type"\s*:\s*"(?:Metric|Point)"') and head.says(r'"metric"\s*:'):
        return Recognition("run", "its lines are k6's metrics and points")
    return None


def read(uri: str, beside: str | None) -> RunEvidence:
    """Return the load that k6's samples record.

    Raises:
        InputError: it cannot be read, or holds neither a request nor an iteration.
    """
    if beside is not None:
        raise InputError(beside, "k6's samples have no file beside them", "leave results: out")
    found: dict[str, list[Sample]] = {_REQUEST: [], _ITERATION: []}
    users = 0.0
    for metric, at, value, tags in _points(uri):
        if metric == "vus":
            users = max(users, value)
        elif metric in found:
            found[metric].append(_sample(at, value / 1000, tags))
    samples = found[_REQUEST] or found[_ITERATION]
    return load_run(uri, SOURCE.name, samples, concurrency=int(users) or None, remedy=_REMEDY)


def _sample(end_s: float, took_s: float, tags: Mapping[str, object]) -> Sample:
    failed = str(tags.get("expected_response", "true")).lower() == "false"
    code = str(tags.get("error_code") or tags.get("status") or "failed")
    why = str(tags.get("error") or f"status {tags.get('status') or 'unknown'} was not expected")
    return Sample(end_s - took_s, took_s, error=message(code, why) if failed else None)


_Point = tuple[str, float, float, Mapping[str, object]]


def _points(uri: str) -> Iterator[_Point]:
    """Yield metric, end in epoch seconds, value and tags; a last line that is cut off is left out."""
    first = next(read_lines(uri), b"")
    yield from _json_points(uri) if first.lstrip()[:1] == b"{" else _csv_points(uri)


def _json_points(uri: str) -> Iterator[_Point]:
    for line in read_lines(uri):
        try:
            point = decode_json(line)
        except ValueError:
            continue
        if not isinstance(point, dict) or point.get("type") != "Point" or not isinstance(point.get("data"), dict):
            continue
        data = point["data"]
        at, value = parse_moment(str(data.get("time"))), finite(data.get("value"))
        tags = data.get("tags")
        if at is not None and value is not None:
            yield str(point.get("metric")), epoch_us(at) / 1e6, value, tags if isinstance(tags, dict) else {}


def _csv_points(uri: str) -> Iterator[_Point]:
    for row in table_rows(uri):
        at, value = _epoch(row["timestamp"]), number(row["metric_value"])
        if at is not None and value is not None:
            yield row["metric_name"], at, value, row


def _epoch(text: str) -> float | None:
    value = number(text)
    if value is None:
        moment = parse_moment(text)
        return epoch_us(moment) / 1e6 if moment else None
    return next((value / unit for least, unit in _UNITS if value >= least), value)


SOURCE = Source("k6", "samples of k6", "load", recognise, read, no_secrets)
