"""Parses OpenMetrics with Prometheus' own Python parser, and a dashboard with Grafana's own models."""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import AnnotationQuery, Dashboard, DataSourceRef, Panel, VariableModel
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def main(folder):
    register_default_plugins()
    families = {}
    for family in text_string_to_metric_families((folder / "metrics.openmetrics").read_text()):
        families[family.name] = {
            "type": family.type,
            "samples": len(family.samples),
            "sum": sum(sample.value for sample in family.samples),
            "labels": sorted({name for sample in family.samples for name in sample.labels}),
            "nodes": sorted({sample.labels["node"] for sample in family.samples if "node" in sample.labels}),
        }
    found = {"families": families}
    if (folder / "dashboard.json").exists():
        dashboard = Dashboard.from_json(json.loads((folder / "dashboard.json").read_text()))
        assert all(isinstance(panel, Panel) for panel in dashboard.panels)
        assert all(isinstance(one, VariableModel) for one in dashboard.templating.list_val)
        assert all(isinstance(one, AnnotationQuery) for one in dashboard.annotations.list_val)
        assert all(isinstance(panel.datasource, DataSourceRef) for panel in dashboard.panels)
        found["dashboard"] = {
            "title": dashboard.title,
            "panels": [[panel.title, panel.targets[0].expr] for panel in dashboard.panels],
            "from": dashboard.time.from_val,
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
