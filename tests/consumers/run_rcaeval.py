"""Reads an export with RCAEval's own readers, runs three of its methods on it and scores them with its evaluator."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from RCAEval.benchmark.evaluation import Evaluator
from RCAEval.classes.graph import Node
from RCAEval.e2e import dummy, nsigma
from RCAEval.e2e.baro import baro
from RCAEval.utility import read_logs, read_metrics, read_traces

METHODS = {"baro": baro, "nsigma": nsigma, "dummy": dummy}


def node(name):
    service, metric = name.split("_", 1)
    return Node(service, metric)


def main(folder):
    np.random.seed(0)
    cases = pd.read_parquet(folder / "cases.parquet")
    evaluators = {name: Evaluator(max_k=5) for name in METHODS}
    read = []
    for case in cases.itertuples():
        metrics, logs, traces = (reader(folder / case.case) for reader in (read_metrics, read_logs, read_traces))
        inject_time = int((folder / case.case / "inject_time.txt").read_text().splitlines()[0])
        read.append(
            {
                "case": case.case,
                "metrics": list(metrics.shape),
                "logs": 0 if logs is None else len(logs),
                "traces": 0 if traces is None else len(traces),
                "before": int((metrics["time"] < inject_time).sum()),
                "after": int((metrics["time"] >= inject_time).sum()),
                "services": sorted({name.split("_")[0] for name in metrics.columns if name != "time"}),
            }
        )
        data = metrics.replace([np.inf, -np.inf], np.nan).ffill().fillna(0)  # as RCAEval's main.py does
        for name, method in METHODS.items():
            ranks = method(data.copy(), inject_time, dataset=case.dataset)["ranks"]
            services = list(dict.fromkeys(node(rank).entity for rank in ranks))
            answer = Node(case.root_cause_service, "unknown")
            evaluators[name].add_case([Node(one, "unknown") for one in services], answer, len(services))
    scores = {
        name: {"ac1": one.accuracy_service(1), "ac3": one.accuracy_service(3), "avg5": one.average_service(5)}
        for name, one in evaluators.items()
    }
    chance = evaluators["baro"].chance_accuracy(1)
    print(json.dumps({"cases": read, "scores": scores, "chance_ac1": chance}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
