"""The catalog of experiments: what ``experiment.yaml`` may hold, how it is read, and a first one."""

from faultset.catalog.model import (
    LONGEST_TIMEOUT,
    Approval,
    Correction,
    ExpectationSetting,
    Experiment,
    ExperimentFile,
    Telemetry,
)
from faultset.catalog.new import new_experiment
from faultset.catalog.read import (
    FILE_NAME,
    deposit_of,
    list_slugs,
    parse_declared,
    read_experiment,
    resolve,
    telemetry_files,
    where,
)
from faultset.catalog.references import catalog_root, fitting, local_or_bucket, public_name

__all__ = [
    "FILE_NAME",
    "LONGEST_TIMEOUT",
    "Approval",
    "Correction",
    "ExpectationSetting",
    "Experiment",
    "ExperimentFile",
    "Telemetry",
    "catalog_root",
    "deposit_of",
    "fitting",
    "list_slugs",
    "local_or_bucket",
    "new_experiment",
    "parse_declared",
    "public_name",
    "read_experiment",
    "resolve",
    "telemetry_files",
    "where",
]
