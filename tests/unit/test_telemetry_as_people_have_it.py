"""Telemetry as collectors and exporters write it, damaged as it comes: read, left out or null, and never shifted."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest

from faultset.errors import InputError
from faultset.labels.engine import FileLabels, label_file
from faultset.labels.windows import Policy, windows
from faultset.records.telemetry import TelemetryFile

CASES = Path(__file__).parents[2].parent / "shared" / "cases" / "16-telemetry-as-people-have-it"
FIRST = "2025-11-18 17:33:42+00:00"


def labeled(file: TelemetryFile, folder: Path, nodes: set[str] | None = None) -> tuple[FileLabels, pl.DataFrame]:
    target = folder / "out.parquet"
    found = label_file(file, windows([], [], [], Policy()), target, nodes=nodes)
    return found, pl.read_parquet(target)


def written(folder: Path, text: str, name: str = "cmp01_x.csv", **declared: object) -> TelemetryFile:
    path = folder / name
    path.write_text(text)
    return TelemetryFile("metrics", str(path), name, "Europe/Berlin", **declared)  # type: ignore[arg-type]


# --- the cases ------------------------------------------------------------------------------------------------------

METRICS = {
    "t1-glances4": ("cpu.user", 20.8, {}),
    "t2-glances-export": ("mem_used", 15024152576, {}),
    "t14-grafana": ('node_memory_used{instance="cmp01:9100"}', 15024152576, {}),
    "t15-collectd": ("value", 20.8, {"time_column": "epoch"}),
    "t16-na": ("mem.used", 15024152576, {}),
    "t19-epoch-now": ("cpu.user", 20.8, {}),
    "t21-numeric-abbr": ("cpu.user", 20.8, {}),
}


def case(name: str, kind: str, **declared: object) -> TelemetryFile:
    path = CASES / f"{name}.{kind}.csv"
    if not path.is_file():
        pytest.skip("the shared cases are not here")
    return TelemetryFile(kind, str(path), path.name, "Europe/Berlin", **declared)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "kpi", "first", "declared"), [(name, *rest) for name, rest in METRICS.items()])
def test_metrics_as_people_have_them(
    name: str, kpi: str, first: float, declared: dict[str, object], tmp_path: Path
) -> None:
    node = {} if name == "t14-grafana" else {"node": "CMP01"}
    found, frame = labeled(case(name, "metrics", **declared, **node), tmp_path)
    assert str(frame["timestamp"][0]) == FIRST
    assert frame[kpi][0] == pytest.approx(first)
    assert frame.schema[kpi].is_numeric()
    assert {node.lower() for node in found.nodes} == {"cmp01"}
    assert found.rows == len(Path(case(name, "metrics").uri).read_text().splitlines()) - 1
    assert found.left_out.count == 0
    assert found.nulled.count == (name == "t16-na")


def test_of_a_file_whose_last_line_was_cut_off_all_other_rows_are_read(tmp_path: Path) -> None:
    end = Path(case("t17-truncated-tail", "metrics").uri).read_text().partition("\n")[2]
    header = "now,cpu.user,mem.used,load.cpucore,load.min1,load.min5,load.min15\n"
    found, frame = labeled(written(tmp_path, header + end), tmp_path)
    lines = (header + end).count("\n") + 1
    assert found.left_out.first == ((lines, "it has 3 instead of 7 fields; the file is cut off here"),)
    assert len(frame) == lines - 2


@pytest.mark.parametrize("name", ["t5-kibana", "t6-iso-only"])
def test_logs_as_people_have_them(name: str, tmp_path: Path) -> None:
    _, frame = labeled(case(name, "logs"), tmp_path)
    assert str(frame["timestamp"][0]).startswith("2025-11-18 17:33:41.787")
    assert frame["node"][0] == "cmp03"


# --- rows that lose cells -------------------------------------------------------------------------------------------


def glances_with_interfaces(seed: int) -> tuple[str, dict[str, list[float]]]:
    """Return a file from which interfaces vanish and come back, and for each time what every column truly was."""
    chance = random.Random(seed)
    interfaces = [f"eth{number}" for number in range(chance.randint(1, 3))] + [f"veth{seed % 7}a"]
    columns = ["cpu.user", "mem.used"]
    columns += [f"network.{name}.{field}" for name in interfaces for field in ("bytes_recv", "bytes_sent")]
    columns += ["load.min1", "load.min5"]
    lines, truth = [",".join(["now", *columns])], {}
    gone: set[str] = set()
    for second in range(60):
        if chance.random() < 0.2:
            gone = {name for name in interfaces if chance.random() < 0.3}
        now = f"2025-11-18 18:{second // 60:02}:{second % 60:02} CET"
        values = [float(second * 100 + place) for place in range(len(columns))]
        shown = [
            f"{value:g}"
            for name, value in zip(columns, values, strict=True)
            if not any(f".{interface}." in name for interface in gone)
        ]
        lines.append(",".join([now, *shown]))
        truth[now] = values
    if chance.random() < 0.3:
        lines.insert(chance.randint(2, len(lines)), lines[0])
    text = "\n".join(lines) + "\n"
    return (text[: -chance.randint(2, 30)] if chance.random() < 0.3 else text), truth


def test_of_a_thousand_files_from_which_an_interface_vanishes_no_row_with_shifted_cells_is_accepted(
    tmp_path: Path,
) -> None:
    left_out = whole = 0
    for seed in range(1000):
        text, truth = glances_with_interfaces(seed)
        try:
            found, frame = labeled(written(tmp_path, text), tmp_path)
        except InputError as error:
            assert "rows can be read" in str(error)  # noqa: PT017 (a file that has no whole row)
            continue
        columns = text.partition("\n")[0].split(",")[1:]
        cut_off = found.unterminated
        for place, row in enumerate(frame.select("now", *columns).iter_rows()):
            known = truth.get(row[0], [])
            if cut_off and place == len(frame) - 1:
                known = [*known[:-1], row[-1]]  # a number that lost its last digits; the file is said to be cut off
            assert list(row[1:]) == known, (seed, row)
        left_out += found.left_out.count
        whole += found.rows
        lines = text.split("\n")
        for line, problem in found.left_out.first:
            assert len(lines[line - 1].split(",")) != len(columns) + 1, (seed, problem)
    assert left_out > 5_000
    assert whole > 20_000


# --- recognition of any table ---------------------------------------------------------------------------------------

TIMES = {
    "epoch seconds": ("1763487222", "1763487223"),
    "epoch milliseconds": ("1763487222000", "1763487223000"),
    "epoch microseconds": ("1763487222000000", "1763487223000000"),
    "epoch nanoseconds": ("1763487222000000000", "1763487223000000000"),
    "epoch with a fraction": ("1763487222.000", "1763487223.500"),
    "ISO with Z": ("2025-11-18T17:33:42Z", "2025-11-18T17:33:43Z"),
    "ISO with an offset": ("2025-11-18T19:33:42+02:00", "2025-11-18T19:33:43+02:00"),
    "ISO with an offset without a colon": ("2025-11-18T12:33:42.000-0500", "2025-11-18T12:33:43.000-0500"),
    "ISO without one": ("2025-11-18T18:33:42", "2025-11-18T18:33:43"),
    "an abbreviation": ("2025-11-18 18:33:42 CEST", "2025-11-18 18:33:43 CEST"),
    "slashes": ("2025/11/18 18:33:42", "2025/11/18 18:33:43"),
    "Kibana": ('"Nov 18, 2025 @ 18:33:42.000"', '"Nov 18, 2025 @ 18:33:43.000"'),
}


@pytest.mark.parametrize("texts", TIMES.values(), ids=TIMES)
def test_times_are_told_by_what_they_look_like(texts: tuple[str, str], tmp_path: Path) -> None:
    lines = "".join(f"{text},{value}\n" for text, value in zip(texts, (1, 2), strict=True))
    _, frame = labeled(written(tmp_path, f"when,queue_length\n{lines}"), tmp_path)
    assert str(frame["timestamp"][0]) == FIRST


def test_each_row_of_a_file_may_write_its_offset_otherwise(tmp_path: Path) -> None:
    times = ("2025-11-18 18:33:42 CET", "2025-11-18T17:33:42Z", "2025-11-18 19:33:42 +02", "2025-11-18T18:33:42")
    lines = "".join(f"{time},1\n" for time in times)
    _, frame = labeled(written(tmp_path, f"time,x\n{lines}"), tmp_path)
    assert {str(time) for time in frame["timestamp"]} == {FIRST}


def test_a_long_table_keeps_its_rows_and_its_kpis_are_told_apart(tmp_path: Path) -> None:
    text = (
        "time,host,metric,value\n1763487222,cmp01,cpu,1\n1763487222,CMP02,cpu,2\n"
        "1763487223,cmp01,mem,3\n1763487223,cmp01,cpu,N/A\n"
    )
    file = written(tmp_path, text, hosts=(("cmp01", "cmp01"), ("cmp02", "cmp02")))
    found, frame = labeled(file, tmp_path, nodes={"cmp01", "cmp02"})
    assert frame["node"].to_list() == ["cmp01", "cmp02", "cmp01", "cmp01"]
    assert frame["value"].to_list() == [1.0, 2.0, 3.0, None]
    assert found.nulled.first == ((5, "value is 'N/A', no number"),)


def test_a_column_that_names_nodes_may_name_their_ports_too(tmp_path: Path) -> None:
    hosts = (("cmp01", "cmp01"), ("cmp02", "cmp02"), ("2001:db8::2", "cmp02"))
    text = "time,instance,load\n1763487222,cmp01:9100,1\n1763487222,CMP02.example.org:9100,2\n"
    file = written(tmp_path, f"{text}1763487223,[2001:db8::2]:9100,3\n", hosts=hosts)
    found, frame = labeled(file, tmp_path, nodes={"cmp01", "cmp02"})
    assert frame["node"].to_list() == ["cmp01", "cmp02", "cmp02"]
    assert frame["instance"].to_list() == ["cmp01:9100", "CMP02.example.org:9100", "[2001:db8::2]:9100"]
    assert found.strangers == {}


def test_a_row_that_tells_of_several_nodes_becomes_one_a_node(tmp_path: Path) -> None:
    header = 'Time,load{instance="cmp01:9100"},load{instance="cmp02:9100"},up{instance="cmp02:9100",job="x"}'
    text = header.replace('"', '""').replace("load", '"load').replace("up{", '"up{').replace("},", '}",') + '"\n'
    found, frame = labeled(written(tmp_path, text + "1763487222,1,2,3\n1763487223,4,5,6\n"), tmp_path)
    assert found.rows == 4
    assert frame.select("source_row", "node", "load", 'up{job="x"}').rows() == [
        (0, "cmp01", 1, None),
        (0, "cmp02", 2, 3),
        (1, "cmp01", 4, None),
        (1, "cmp02", 5, 6),
    ]


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"time_column": "tiem"}, 'time_column names "tiem", and there is no such column (did you mean time?)'),
        ({"values": ("cpuu",)}, 'values names "cpuu", and there is no such column (did you mean cpu?)'),
        ({"format": "glancs"}, 'there is no format "glancs" of metrics (did you mean glances?)'),
    ],
)
def test_a_declaration_that_does_not_fit_is_said(declared: dict[str, object], problem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        labeled(written(tmp_path, "time,cpu\n1763487222,1\n", **declared), tmp_path)
    assert problem in str(error.value)


def test_what_is_of_no_format_is_told_with_the_nearest_and_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        labeled(written(tmp_path, "when,what\nnoon,lunch\n"), tmp_path)
    assert "nearest is CSV of metrics: no column holds times that can be read" in str(error.value)
