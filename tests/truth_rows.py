"""Rows of the truth tables for tests that care for few of their columns: an injection that did what it was to do."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from faultset.tables import InjectionRow, TargetRow


def injection(name: str, started_at: dt.datetime, ended_at: dt.datetime, **changed: Any) -> InjectionRow:
    """An injection of known times that took full effect; its outcome is unknown."""
    row = InjectionRow(
        injection_id=name,
        trigger_id=name,
        workload_id="w",
        unit="iteration",
        value=1.0,
        started_at=started_at,
        ended_at=ended_at,
        start_uncertainty_s=0.0,
        end_uncertainty_s=0.0,
        time_source="results",
        hook_status="success",
        return_code=0,
        action="restart",
        effect="full",
        effect_reason="",
        outcome=None,
        fault_end_source="command",
    )
    return dataclasses.replace(row, **changed)


def target(name: str, node: str, **changed: Any) -> TargetRow:
    """A container that the injection of this name was to act on, and did."""
    row = TargetRow(
        injection_id=name,
        node=node,
        node_ip=None,
        role=None,
        component="nova_compute",
        container="nova_compute",
        service="nova",
        layer="openstack",
        action="restart",
        action_count=1,
        declared=True,
        commanded=True,
        effective=True,
        resolution="exact",
        evidence="",
    )
    return dataclasses.replace(row, **changed)
