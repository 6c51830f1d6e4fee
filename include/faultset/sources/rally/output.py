"""What a run leaves behind beside its times: texts of ``sys_call``, charts, trace ids, errors, criteria."""

from __future__ import annotations

import re
from dataclasses import dataclass

from faultset.records.run import OUTPUT_LIMIT, IterationError, SlaResult
from faultset.sources.kit.fields import Field, clean
from faultset.sources.kit.redaction import redact

_RETURN_CODE = re.compile(r"RetCode: (-?\d{1,9})")
_EMPTY = "(empty)"
# A secret that the cut would halve could not be recognised: redact a little more than is kept.
_MARGIN = 10_000
_BATCH = 100
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


def read_sla(field: Field) -> tuple[SlaResult, ...]:
    """Return each criterion of a service-level agreement."""
    return tuple(
        SlaResult(
            criterion=item.get("criterion").text(),
            passed=bool(item.get("success").flag_or_none()),
            detail=safe_output(item.get("detail").text_or_none() or ""),
        )
        for item in field.items()
    )


def sla_verdict(field: Field, sla: tuple[SlaResult, ...]) -> bool | None:
    """Return the verdict as written, else over all criteria; None where nothing was agreed on."""
    written = field.flag_or_none()
    if written is None and sla:
        return all(criterion.passed for criterion in sla)
    return written


def read_errors(fields: dict[int, tuple[object, object]], where: Field) -> dict[int, IterationError]:
    """Return why iterations failed, from the type and the message of each.

    Args:
        fields: iteration number -> type and message as the file has them.
        where: the list that they stand in.
    """
    messages = []
    for kind, message in fields.values():
        if not isinstance(kind, str | None) or not isinstance(message, str | None):
            raise where.error("a list of errors with a type and a message as texts")
        messages.append(clean((message or "")[: OUTPUT_LIMIT + _MARGIN]))
    safe = _redact_all(messages)
    return {
        number: IterationError(clean(kind) if isinstance(kind, str) else "", message[:OUTPUT_LIMIT])
        for (number, (kind, _)), message in zip(fields.items(), safe, strict=True)
    }


def _redact_all(texts: list[str]) -> list[str]:
    """Redact each of ``texts``; many at once, as nearly all of many thousand errors hold no secret."""
    safe: list[str] = []
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        together = "\n".join(batch)
        safe += batch if redact(together) == together else [redact(text) for text in batch]
    return safe


def _args(description: object) -> str | None:
    if not isinstance(description, str) or not description.startswith("Args: "):
        return None
    return redact(clean(description.removeprefix("Args: ")))


def _stream(lines: list[str], prefix: str) -> str:
    text = next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), "")
    return "" if text == _EMPTY else safe_output(text)
