"""What the dashboard and the alerts ask a Prometheus."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

GRAFANA = Path(__file__).resolve().parents[1] / "deploy" / "grafana"


def of_panels() -> dict[str, str]:
    """Query -> title of the panel, or of the annotation, that asks it."""
    board = json.loads((GRAFANA / "faultset.json").read_text())
    asked = {target["expr"]: panel["title"] for panel in board["panels"] for target in panel.get("targets", ())}
    return asked | {one["expr"]: one["name"] for one in board["annotations"]["list"]}


def of_alerts() -> dict[str, str]:
    """Condition -> the alert that rings where it holds."""
    groups = yaml.safe_load((GRAFANA / "alerts.yaml").read_text())["groups"]
    return {rule["expr"]: rule["alert"] for group in groups for rule in group["rules"]}


def compared(query: str) -> str:
    """Of a condition the side that is compared: it has to be there, not to be exceeded."""
    return re.split(" > ", query)[0]


def metrics_of(query: str) -> set[str]:
    """Names of the metrics that a query asks for."""
    return set(re.findall(r"\bairflow_\w+", query))
