"""What hooks and iterations leave behind beside their times: texts of ``sys_call``, charts, trace ids."""

from __future__ import annotations

import re
from dataclasses import dataclass

from faultset.records import OUTPUT_LIMIT
from faultset.sources.fields import clean
from faultset.sources.redaction import redact

_RETURN_CODE = re.compile(r"RetCode: (-?\d{1,9})")
_EMPTY = "(empty)"
# A secret that the cut would halve could not be recognised: redact a little more than is kept.
_MARGIN = 10_000
_TRACE_TITLE = "OSProfiler Trace-ID"
_LONGEST_TRACE_ID = 200


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """What a ``sys_call`` recorded; ``args`` (secrets replaced) only where the chart names them."""

    args: str | None = None
    return_code: int | None = None
    stdout: str = ""
    stderr: str = ""


def command_output(charts: list[object]) -> CommandOutput:
    """Return what the "System call" chart among ``charts`` says; charts that a command printed say nothing of it."""
    for chart in charts:
        if isinstance(chart, dict) and chart.get("title") == "System call" and isinstance(chart.get("data"), list):
            lines = [line for line in chart["data"] if isinstance(line, str)]
            code = next(filter(None, map(_RETURN_CODE.fullmatch, lines)), None)
            return CommandOutput(
                args=_args(chart.get("description")),
                return_code=int(code[1]) if code else None,
                stdout=_stream(lines, "StdOut: "),
                stderr=_stream(lines, "StdErr: "),
            )
    return CommandOutput()


def safe_output(text: str) -> str:
    """Return ``text`` without secrets, cut at the limit for a hook's output."""
    return redact(clean(text[: OUTPUT_LIMIT + _MARGIN]))[:OUTPUT_LIMIT]


def trace_id(charts: object) -> str | None:
    """Return the OSProfiler trace id among an iteration's charts.

    A result JSON has it in ``data.trace_id`` beside a connection string, which is never kept; a report as the chart's
    only text.
    """
    if not isinstance(charts, list):
        return None
    for chart in charts:
        if isinstance(chart, dict) and (
            chart.get("title") == _TRACE_TITLE or chart.get("chart_plugin") == "OSProfiler"
        ):
            data = chart.get("data")
            found = data.get("trace_id") if isinstance(data, dict) else data
            if isinstance(found, list) and found:
                found = found[0]
            if isinstance(found, str) and len(found) <= _LONGEST_TRACE_ID:
                return clean(found)
    return None


def _args(description: object) -> str | None:
    if not isinstance(description, str) or not description.startswith("Args: "):
        return None
    return redact(clean(description.removeprefix("Args: ")))


def _stream(lines: list[str], prefix: str) -> str:
    text = next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), "")
    return "" if text == _EMPTY else safe_output(text)
