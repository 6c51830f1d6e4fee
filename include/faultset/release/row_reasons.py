"""Why a row of telemetry carries the labels that it does: which window covers it, in which phase, and what is open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from faultset.labels.windows import Command, NodeWindow, NodeWindows, Policy

_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Reason:
    """What one injection means for one row.

    Attributes:
        injection_id: the injection.
        part: what of it covers the row, ``command`` being the command with its fault; None where nothing does and the
            row is only near.
        concerns: whether it acted on the row's node, may have, or an impact was found there.
        start: earliest possible start of the part, microseconds since the epoch.
        end: latest possible end of the part.
        doubt: why it cannot be decided whether the row is covered; "" where it can.
        kpis: KPIs that an impact of it covers at the row's time.
    """

    injection_id: str
    part: Literal["command", "recovery"] | None
    concerns: bool
    start: int
    end: int
    doubt: str = ""
    kpis: tuple[str, ...] = ()


def reasons(node_windows: NodeWindows, node: str, us: int, row_uncertainty_s: float) -> tuple[Reason, ...]:
    """Return what each injection that covers a row, or that it is near to, means for it.

    Args:
        node_windows: the experiment's windows.
        node: short name of the row's node.
        us: the row's time, microseconds since the epoch.
        row_uncertainty_s: the row's true moment lies in [its time, its time + this); 0 says that its time is exact.
    """
    here = node_windows.on(node)
    row = _Row(us, round(row_uncertainty_s * _SECOND))
    found = (
        _reason(command, here.get(command.injection_id, NodeWindow()), row, node_windows.policy)
        for command in node_windows.commands
    )
    return tuple(reason for reason in found if reason is not None)


@dataclass(frozen=True, slots=True)
class _Row:
    us: int
    width: int

    def may_reach(self, moment: int) -> bool:
        """Whether the row's true moment may lie at or after ``moment``."""
        return self.us >= (moment - self.width + 1 if self.width else moment)


def _reason(command: Command, here: NodeWindow, row: _Row, policy: Policy) -> Reason | None:
    kpis = tuple(sorted(kpi for kpi, start, end in here.impacts if start <= row.us < end))
    recovery_end = here.recovery_end if here.recovery_end and here.recovery_end > command.end_latest else None
    if row.may_reach(command.start) and row.us < command.end_latest:
        doubt = _doubt_of_command(command, row)
        return Reason(command.injection_id, "command", here.concerns, command.start, command.end_latest, doubt, kpis)
    if recovery_end is not None and command.end_latest <= row.us < recovery_end:
        doubt = "the recovery may have ended within the second of the row" if row.may_reach(recovery_end) else ""
        return Reason(command.injection_id, "recovery", here.concerns, command.end_latest, recovery_end, doubt, kpis)
    after = recovery_end or command.end_latest
    doubt = next(_nearness(command, after, row, policy), "")
    if not doubt and not kpis:
        return None
    return Reason(command.injection_id, None, here.concerns, command.start, after, doubt, kpis)


def _doubt_of_command(command: Command, row: _Row) -> str:
    surely_inside = row.us >= command.start_latest and not row.may_reach(command.end)
    if surely_inside:
        return ""
    if row.us < command.start_latest and row.may_reach(command.end):
        return "the window is shorter than what is known of its ends and of the row's time"
    if row.us < command.start_latest:
        return "it may have started after the row, within the uncertainty of its start and of the row's time"
    return "its fault may have ended before the row, within the uncertainty of that end and of the row's time"


def _nearness(command: Command, after: int, row: _Row, policy: Policy) -> Iterator[str]:
    guard = round(policy.guard_before_s * _SECOND)
    if guard and row.may_reach(command.start - guard) and not row.may_reach(command.start):
        yield f"it lies within the {policy.guard_before_s:g} s before the injection that are left open"
    cooldown = round(policy.cooldown_after_s * _SECOND)
    if cooldown and after <= row.us < after + cooldown:
        yield f"it lies within the {policy.cooldown_after_s:g} s after the injection that are left open"
