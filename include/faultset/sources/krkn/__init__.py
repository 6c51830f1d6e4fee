"""krkn: the telemetry of a run."""
