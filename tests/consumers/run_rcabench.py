"""Finds the cases of an export as rcabench-platform does, checks their tables by its rules and runs its methods."""

import json
import sys
from pathlib import Path

import polars as pl
from rcabench_platform.v3.internal.sources.convert import (
    validate_datapack_labels,
    validate_dataset_name,
    validate_logs,
    validate_metrics,
    validate_traces,
)
from rcabench_platform.v3.sdk.algorithms.random_ import Random
from rcabench_platform.v3.sdk.algorithms.rcaeval.baro import Baro
from rcabench_platform.v3.sdk.algorithms.spec import AlgorithmArgs
from rcabench_platform.v3.sdk.datasets.rcabench import get_service_names, valid
from rcabench_platform.v3.sdk.datasets.spec import (
    build_service_graph,
    get_datapack_folder,
    get_datapack_labels,
    get_datapack_list,
    get_dataset_list,
)
from rcabench_platform.v3.sdk.graphs.sdg.build_.rcabench import load_inject_time

CHECKS = {"metrics": validate_metrics, "logs": validate_logs, "traces": validate_traces}


def main():
    (dataset,) = get_dataset_list()
    validate_dataset_name(dataset)
    read = []
    for datapack in get_datapack_list(dataset):
        folder = get_datapack_folder(dataset, datapack)
        labels = get_datapack_labels(dataset, datapack)
        validate_datapack_labels(labels)
        rows = {}
        for half in ("normal", "abnormal"):
            for kind, check in CHECKS.items():
                table = pl.read_parquet(folder / f"{half}_{kind}.parquet")
                check(table)
                rows[f"{half}_{kind}"] = len(table)
        inject_time = load_inject_time(folder)
        whole = {half: pl.read_parquet(folder / f"{half}_metrics.parquet")["time"] for half in ("normal", "abnormal")}
        args = AlgorithmArgs(dataset=dataset, datapack=datapack, input_folder=folder, output_folder=Path(sys.argv[1]))
        ranked = list(dict.fromkeys(answer.name for answer in sorted(Baro()(args), key=lambda answer: answer.rank)))
        read.append(
            {
                "datapack": datapack,
                "labels": [label.name for label in labels],
                "ground_truth": get_service_names(json.loads((folder / "injection.json").read_text())),
                "inject_time": inject_time.timestamp(),
                "normal_before": bool(whole["normal"].max() < inject_time),
                "abnormal_after": bool(whole["abnormal"].min() >= inject_time),
                "ranked": ranked,
                "random": sorted(answer.name for answer in Random()(args)),
                "valid": valid(folder, allow_empty=True)[1],
                "services": len(build_service_graph(pl.scan_parquet(folder / "normal_traces.parquet"))),
                **rows,
            }
        )
    print(json.dumps(read))


if __name__ == "__main__":
    main()
