"""Loads every config of a folder with Hugging Face datasets, and the same files with pandas, Polars and DuckDB."""

import json
import sys
import tempfile
from pathlib import Path

import datasets
import duckdb
import pandas as pd
import polars as pl


def main(folder, inside):
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for config in datasets.get_dataset_config_names(str(folder), cache_dir=cache):
            try:
                loaded = datasets.load_dataset(str(folder), config, split="train", cache_dir=cache)
                found[config] = {"rows": len(loaded), "columns": loaded.column_names}
            except ValueError as error:
                if "corresponds to no data" not in str(error):  # its way to say that there are no rows
                    raise
                streamed = datasets.load_dataset(str(folder), config, split="train", streaming=True, cache_dir=cache)
                found[config] = {"rows": len(list(streamed)), "columns": streamed.column_names}
        default = datasets.load_dataset(str(folder), split="train", cache_dir=cache)
        found["default"] = {"rows": len(default), "columns": default.column_names}
    for kind in ("metrics", "logs", "traces"):
        files = f"{folder / inside / kind}/*.parquet"
        found[kind] |= {
            "pandas": list(pd.read_parquet(folder / inside / kind).shape),
            "polars": list(pl.read_parquet(files).shape),
            "duckdb": [
                duckdb.read_parquet(files).aggregate("count(*)").fetchall()[0][0],
                len(duckdb.read_parquet(files).columns),
            ],
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
