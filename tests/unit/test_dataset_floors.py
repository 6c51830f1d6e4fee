"""Scores, against other definitions of the same; floors and root causes on tables small enough to count by hand."""

from __future__ import annotations

import datetime as dt
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truth_rows
from faultset.dataset import floors, scoring
from faultset.dataset.root_cause import RootCause, root_causes
from faultset.dataset.wide import counts, wide

judged = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30)


def split(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([label for label, _ in rows]), np.array([float(score) for _, score in rows])


@given(judged)
def test_auroc_is_the_share_of_pairs_in_the_right_order(rows):
    labels, scores = split(rows)
    pairs = [(a > b) + (a == b) / 2 for a, b in itertools.product(scores[labels], scores[~labels])]
    expected = np.mean(pairs) if pairs else math.nan
    assert scoring.auroc(labels, scores) == pytest.approx(expected, nan_ok=True)


@given(judged)
def test_average_precision_is_that_of_its_definition(rows):
    labels, scores = split(rows)
    if not labels.any():
        assert math.isnan(scoring.average_precision(labels, scores))
        return
    expected, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        said = scores >= threshold
        recall = (said & labels).sum() / labels.sum()
        expected += (recall - before) * (said & labels).sum() / said.sum()
        before = recall
    assert scoring.average_precision(labels, scores) == pytest.approx(expected)


@given(judged)
def test_no_threshold_has_a_higher_f1_than_the_best(rows):
    labels, scores = split(rows)
    if labels.any():
        best = scoring.detection(labels, scores, scoring.best_threshold(labels, scores)).f1
        assert all(scoring.detection(labels, scores, other).f1 <= best + 1e-12 for other in scores)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.data())
def test_a_ranking_with_ties_scores_the_mean_over_their_orders(sizes, data):
    names = iter("abcdefghijklmnop")
    ranked = [[next(names) for _ in range(size)] for size in sizes]
    everything = [name for tied in ranked for name in tied]
    truth = data.draw(st.sets(st.sampled_from(everything), min_size=1))
    orders = [
        [name for tied in order for name in tied] for order in itertools.product(*map(itertools.permutations, ranked))
    ]
    firsts = [next(place for place, name in enumerate(order, 1) if name in truth) for order in orders]
    found = scoring.ranking(truth, ranked)
    assert found.mrr == pytest.approx(np.mean([1 / place for place in firsts]))
    assert found.top1 == pytest.approx(np.mean([place <= 1 for place in firsts]))
    assert found.top3 == pytest.approx(np.mean([place <= 3 for place in firsts]))


def test_what_is_not_ranked_is_not_found():
    assert scoring.ranking({"a"}, [["b"]]) == scoring.ranking({"a"}, []) == scoring.NOTHING


def metrics(values: dict[str, list[float]], anomalous: list[bool], boundary: list[bool] | None = None) -> pd.DataFrame:
    rows = len(anomalous)
    return pd.DataFrame(
        {
            "timestamp": pd.date_range("2025-01-01", periods=rows, freq="1s", tz="UTC"),
            "node": ["a"] * rows,
            **values,
            "is_anomalous": anomalous,
            "is_boundary": boundary or [False] * rows,
            "phase": ["injection" if flag else "normal" for flag in anomalous],
        }
    )


def test_the_largest_z_is_in_robust_deviations_of_quiet_rows():
    quiet = floors.Quiet.of(metrics({"cpu": [1.0, 2, 3, 4, 5, 1000]}, [False] * 5 + [True]), ["cpu"])
    rows = metrics({"cpu": [3.0, 3 + 1.4826, math.nan]}, [False] * 3)
    assert quiet.largest_z(rows)[:2] == pytest.approx([0.0, 1.0])
    assert math.isnan(quiet.largest_z(rows)[2])
    assert math.isnan(quiet.largest_z(rows.assign(node="unknown"))[0])


def test_a_constant_kpi_that_moves_is_infinitely_far():
    quiet = floors.Quiet.of(metrics({"cpu": [8.0] * 5}, [False] * 5), ["cpu"])
    assert quiet.largest_z(metrics({"cpu": [8.0, 9.0]}, [False] * 2)).tolist() == [0.0, math.inf]


def test_floors_of_anomalies_on_a_table_counted_by_hand():
    train = metrics({"cpu": [1.0, 2, 3, 2, 1, 2, 90, 90]}, [False] * 6 + [True] * 2)
    test = metrics({"cpu": [2.0, 2, 2, 90, 90]}, [False, False, False, True, True], [False] * 4 + [True])
    found = floors.of_anomalies(train, test, ["cpu"])
    assert found["rows"].tolist() == [4] * 5
    assert found["anomalous"].tolist() == [1] * 5
    assert found.loc["always", ["precision", "recall", "f1"]].tolist() == pytest.approx([0.25, 1, 0.4])
    assert found.loc["never", "recall"] == found.loc["constant", "recall"] == 0
    assert found.loc["chance", ["said", "precision", "recall"]].tolist() == pytest.approx([0.25, 0.25, 0.25])
    assert found.loc["largest |z|", ["precision", "recall", "f1", "auroc"]].tolist() == [1, 1, 1, 1]


def truth(name: str, *nodes: str, possible: tuple[str, ...] = ()) -> RootCause:
    return RootCause(name, nodes, (), (), possible, (), bool(nodes) and not possible, "")


def test_floors_of_root_causes_on_a_table_counted_by_hand():
    train = [truth("1", "a"), truth("2", "a"), truth("3", "b")]
    test = [truth("4", "b"), truth("5", "c", possible=("d",))]
    found = floors.of_root_causes(train, test, ["a", "b", "c", "d"], {"4": {"a": 1.0, "b": 9.0}})
    assert found["injections"].tolist() == [1] * 5
    assert found["top1"].tolist() == [0, 0.25, 0.25, 0, 1]
    assert found.loc["constant", "mrr"] == 0.5


@pytest.mark.parametrize(
    ("effective", "commanded", "expected", "why"),
    [
        (True, True, (("a",), (), True), "nowhere else"),
        (None, True, ((), ("a",), False), "nothing shows it"),
        (None, None, ((), ("a",), False), "nothing shows it"),
        (None, False, ((), (), False), "it was sent nowhere"),
        (False, True, ((), (), False), "on none of its targets"),
    ],
)
def test_unknown_effect_is_no_root_cause_and_no_acquittal(effective, commanded, expected, why):
    begin = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    target = truth_rows.target("i", "a", effective=effective, commanded=commanded)
    found = root_causes([truth_rows.injection("i", begin, begin)], [target])[0]
    assert (found.nodes, found.possible_nodes, found.is_known) == expected
    assert why in found.why


def test_wide_keeps_its_columns_whatever_rows_there_are():
    rows = metrics({"cpu": [1.0, 3.0]}, [False, True])
    rows["timestamp"] = rows["timestamp"].dt.floor("1min")
    laid_out = wide(rows, ["a", "b"], ["cpu"], None)
    assert laid_out["a", "cpu"].tolist() == [2.0]
    assert laid_out["a", "is_anomalous"].tolist() == [True]
    assert laid_out["a", "phase"].tolist() == ["injection"]
    assert laid_out["b", "cpu"].isna().all()
    assert laid_out["b", "is_anomalous"].isna().all()


def test_a_row_without_time_or_node_has_no_place():
    rows = metrics({"cpu": [1.0, 3.0, 5.0]}, [False] * 3)
    rows.loc[1, "timestamp"] = pd.NaT
    rows.loc[2, "node"] = None
    assert wide(rows, ["a"], ["cpu"], pd.Timedelta("1s"))["a", "cpu"].tolist() == [1.0]


def test_no_line_is_zero_only_while_the_source_was_recording():
    times = [dt.datetime(2025, 1, 1, 0, 0, second, tzinfo=dt.UTC) for second in (1, 3, 3)]
    rows = pd.DataFrame({"timestamp": pd.to_datetime(times), "node": "a", "level": ["INFO", "ERROR", "INFO"]})
    found = counts(rows, ["a"], pd.Timedelta("1s"), "level", "rows")
    assert found["a", "rows"].tolist() == [1, 0, 2]
    assert found["a", "rows.ERROR"].tolist() == [0, 0, 1]
