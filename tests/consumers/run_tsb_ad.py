"""Loads an export as TSB-AD's own main does, and scores a detector with TSB-AD's own measures.

``TSB_AD.main`` and all of its detectors import torch, which is not installed here; its loading statements are taken
from its own source, and the detector is the one that its IForest wraps.
"""

import ast
import importlib.util
import json
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from TSB_AD.evaluation.metrics import get_metrics

LOADED = ("df", "data", "label", "train_index", "data_train")


def statements():
    """Return the assignments of what is loaded, in the order of TSB_AD/main.py."""
    source = Path(importlib.util.find_spec("TSB_AD").submodule_search_locations[0]) / "main.py"
    found = [
        part
        for part in ast.walk(ast.parse(source.read_text()))
        if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name) and part.targets[0].id in LOADED
    ]
    found.sort(key=lambda part: part.lineno)
    assert [part.targets[0].id for part in found] == list(LOADED)
    return compile(ast.Module(found, []), str(source), "exec")


def main(folder):
    code, read = statements(), []
    for path in sorted(folder.iterdir()):
        scope = {"pd": pd, "np": np, "args": Namespace(data_direc=f"{folder}/", filename=path.name)}
        exec(code, scope)  # noqa: S102 (of the package itself)
        detector = IsolationForest(random_state=0).fit(scope["data_train"])
        scores = -detector.score_samples(scope["data"])
        found = get_metrics(scores, scope["label"], slidingWindow=10, version="opt", thre=50)
        read.append(
            {
                "file": path.name,
                "rows": len(scope["data"]),
                "features": scope["data"].shape[1],
                "in_file": len(pd.read_csv(path)),
                "train": len(scope["data_train"]),
                "train_index": int(scope["train_index"]),
                "first": int(np.argmax(scope["label"])),
                "anomalous": int(scope["label"].sum()),
                "auc_roc": float(found["AUC-ROC"]),
                "auc_pr": float(found["AUC-PR"]),
            }
        )
    print(json.dumps(read))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
