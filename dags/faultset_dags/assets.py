"""The assets that the DAGs hand on; the partition key of each event is the experiment."""

from __future__ import annotations

from airflow.sdk import Asset

CANDIDATES = Asset(name="faultset_candidates", uri="faultset://candidates", group="faultset")
DATASETS = Asset(name="faultset_datasets", uri="faultset://datasets", group="faultset")
