"""The assets that the DAGs hand on; the partition key of each event is the experiment."""

from __future__ import annotations

from airflow.sdk import Asset

_PAGE = {"page": "/plugin/faultset/faultset/"}
"""What people find on an asset's own page: the way, below Airflow's address, to what it is about."""

CANDIDATES = Asset(name="faultset_candidates", uri="faultset://candidates", group="faultset", extra=_PAGE)
DATASETS = Asset(name="faultset_datasets", uri="faultset://datasets", group="faultset", extra=_PAGE)
