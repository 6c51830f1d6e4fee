"""InfluxDB's line protocol: a row a number, tags as labels, escapes as the protocol has them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from faultset.labels.engine import label_file
from faultset.labels.windows import Policy, windows
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry.opening import kind_of

LINES = (
    "cpu,host=CMP01.example.org,cpu=cpu0 usage_user=20.5,usage_idle=70i,up=t 1763487222000000000",
    r'disk\ io,host=cmp01,path=/a\ b reads=3u,note="a b, c=4 5",ratio=1e-3 1763487222500000000',
    "broken,host=cmp01 value= 1763487223000000000",
    "# a comment",
    "mem used=1 17634872",
)


def test_each_number_of_a_line_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "telegraf.out"
    path.write_text("\n".join(LINES) + "\n")
    file = TelemetryFile("metrics", str(path), path.name, "UTC", hosts=(("cmp01", "cmp01"),))
    found = kind_of(file)
    assert found is not None
    assert found[0].id == "influxdb"
    counted = label_file(file, windows([], [], [], Policy()), tmp_path / "out.parquet", nodes=["cmp01"])
    frame = pl.read_parquet(tmp_path / "out.parquet")
    assert frame.select("node", "kpi", "value").rows() == [
        ("cmp01", 'cpu.usage_user{cpu="cpu0"}', 20.5),
        ("cmp01", 'cpu.usage_idle{cpu="cpu0"}', 70.0),
        ("cmp01", 'disk io.reads{path="/a b"}', 3.0),
        ("cmp01", 'disk io.ratio{path="/a b"}', 0.001),
    ]
    assert frame["timestamp"].cast(pl.Int64).to_list()[1:3] == [1763487222000000, 1763487222500000]
    assert [line for line, _ in counted.left_out.first] == [3, 5]
