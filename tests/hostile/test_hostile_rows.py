"""Telemetry that is damaged, huge or hostile: labeled as it is, or refused with its row; no secret comes out of it."""
# ruff: noqa: E501 (a line a case reads better than one wrapped)

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import samples
from faultset.errors import InputError
from faultset.labels.engine import FileLabels, label_file
from faultset.labels.windows import Policy, windows
from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.sources.kit.redaction import redact, secrets_in
from hostile_entry import SECRET, inspected, listing

HEADER = b"now,cpu.user,mem.used,load.cpucore,load.min1,load.min5,load.min15\n"
ROW = b"2019-11-19 21:11:16 CET,1.5,2,8,0.1,0.1,0.1\n"
SOUND = HEADER + ROW * 3
LOGS = b"Hostname,log_level,Timestamp,@timestamp,Payload,programname\n"


def log(payload: str) -> bytes:
    quoted = payload.replace('"', '""')
    return f'ctl1,INFO,2019-11-19T20:11:16.000,2019-11-19T20:11:16.000+00:00,"{quoted}",nova\n'.encode()


def labeled(folder: Path, data: bytes, kind: TelemetryKind, name: str = "ctl1_metrics.csv") -> tuple[FileLabels, Path]:
    source, target = folder / "in" / name, folder / "out.parquet"
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(data)
    file = TelemetryFile(kind, str(source), f"{kind}/{name}", "Europe/Berlin")
    return label_file(file, windows([], [], [], Policy()), target, nodes={"ctl1"}), target


def zip_of(*members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(members):
            archive.writestr(f"../../{number}.csv", data)
    return buffer.getvalue()


REFUSED: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "a header alone": lambda: HEADER,
    "NUL bytes": lambda: HEADER + b"\x00" * 4096,
    "another encoding": lambda: SOUND.decode().encode("utf-16"),
    "a column twice": lambda: HEADER.replace(b"min5", b"min1"),
    "a column called like a label": lambda: HEADER[:-1] + b",phase\n" + ROW[:-1] + b",1\n",
    "a column with an escape": lambda: HEADER[:-1] + b",\x1b[2Jcpu\n" + ROW[:-1] + b",1\n",
    "a column that holds a secret": lambda: HEADER[:-1] + f",password={SECRET}\n".encode() + ROW[:-1] + b",1\n",
    "a header of a megabyte": lambda: HEADER[:-1] + b"," + b"a" * 1_000_000 + b"\n" + ROW,
    "a formula as a time": lambda: HEADER + b"=cmd|' /C calc'!A0,1,2,8,1,1,1\n",
    "a time of the year 9999": lambda: HEADER + b"9999-12-31 23:59:59 CET,1,2,8,1,1,1\n",
    "a time before the epoch": lambda: HEADER + b"1901-01-01 00:00:00 CET,1,2,8,1,1,1\n",
    "a secret as a time": lambda: HEADER + f"password={SECRET},1,2,8,1,1,1\n".encode(),
    "markup as a time": lambda: HEADER + b"<script>alert(1)</script>,1,2,8,1,1,1\n",
    "gzip that is cut off": lambda: gzip.compress(SOUND * 100)[:-20],
    "gzip in gzip": lambda: gzip.compress(gzip.compress(SOUND)),
    "zip of two": lambda: zip_of(SOUND, SOUND),
    "zip that is damaged": lambda: zip_of(SOUND)[:-40],
    "JSON": lambda: b'[{"a": 1}]',
    "a parquet file": lambda: b"PAR1" + bytes(100),
}  # fmt: skip


@pytest.mark.parametrize("made", REFUSED.values(), ids=REFUSED)
def test_metrics_that_are(made: Callable[[], bytes], tmp_path: Path):
    with pytest.raises(InputError) as error:
        labeled(tmp_path, made(), "metrics")
    line = str(error.value)
    assert line.isprintable()
    assert SECRET not in line
    assert set(listing(tmp_path)) == {"in/ctl1_metrics.csv"}


LEFT_OUT: dict[str, bytes] = {
    "broken UTF-8": b"2019-11-19 21:11:17 CET,\xff\xfe,2,8,1,1,1\n",
    "a quote that is never closed": b'"' + b"x" * 100_000,
    "too many fields": b"2019-11-19 21:11:17 CET,1,2,8,1,1,1,9\n",
    "too few fields": b"2019-11-19 21:11:17 CET,1\n",
    "a million commas": b"," * 1_000_000 + b"\n",
}


@pytest.mark.parametrize("line", LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_line_that_is_no_row_is_left_out_and_named(line: bytes, tmp_path: Path):
    counted, target = labeled(tmp_path, SOUND + line + ROW, "metrics")
    assert counted.left_out.first[0][0] == 5
    assert counted.left_out.first[0][1].isprintable()
    assert counted.rows == pq.read_metadata(target).num_rows
    assert 3 <= counted.rows <= 4


def test_the_only_member_of_a_zip_is_read_whatever_it_is_called(tmp_path: Path):
    counted, _ = labeled(tmp_path, zip_of(SOUND), "metrics")
    assert counted.rows == 3
    assert set(listing(tmp_path)) == {"in/ctl1_metrics.csv", "out.parquet"}
    assert not list(tmp_path.parent.glob("0.csv"))


def test_a_bomb_of_telemetry_is_refused_by_its_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAULTSET_LIMIT_TELEMETRY_RATIO", "50")
    with pytest.raises(InputError, match="telemetry_ratio"):
        labeled(tmp_path, gzip.compress(HEADER + ROW * 500_000), "metrics")
    assert set(listing(tmp_path)) == {"in/ctl1_metrics.csv"}


def test_a_file_of_telemetry_is_refused_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAULTSET_LIMIT_TELEMETRY_BYTES", "1M")
    with pytest.raises(InputError, match="telemetry_bytes"):
        labeled(tmp_path, HEADER + ROW * 50_000, "metrics")


PAYLOADS = {
    "markup": "<script>alert(1)</script>",
    "a formula": "=HYPERLINK(\"http://evil\",\"x\")",
    "escapes": "\x1b[2J\x1b]0;x\x07",
    "turned letters": "a\u202eb",
    "line feeds": "a\nb\r\nc",
    "many quotes": '""""""',
    "a megabyte": "x" * 1_000_000,
}  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_log_line_stays_what_it_is(payload: str, tmp_path: Path):
    _, target = labeled(tmp_path, LOGS + log("before") + log(payload), "logs", "openstack.csv")
    assert pq.read_table(target)["Payload"].to_pylist() == ["before", payload]


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
# Texts that give a secret away, and the secret.
GIVEAWAYS: dict[str, tuple[str, str]] = {
    "sshpass": (f"sshpass -p {SECRET} ssh rally@ctl1", SECRET),
    "sshpass without a blank": (f"sshpass -p'{SECRET}' ssh rally@ctl1", SECRET),
    "password=": (f"password={SECRET}", SECRET),
    "OS_PASSWORD": (f"export OS_PASSWORD={SECRET}", SECRET),
    "an option": (f"openstack --os-password {SECRET} server list", SECRET),
    "JSON": (f'{{"auth": {{"password": "{SECRET}"}}}}', SECRET),
    "a URL": (f"amqp://nova:{SECRET}@10.0.0.1:5672/", SECRET),
    "bearer": ("Authorization: Bearer abcdefgh12345678ijkl", "abcdefgh12345678ijkl"),
    "basic": ("Authorization: Basic cmFsbHk6aHVudGVyMg==", "cmFsbHk6aHVudGVyMg=="),
    "X-Auth-Token": ("X-Auth-Token: 0123456789abcdef0123", "0123456789abcdef0123"),
    "JWT": (f"got {JWT} back", JWT),
    "Fernet": ("token gAAAAABd1F0cK3p4c5q6r7s8t9u0vwxyz used", "gAAAAABd1F0cK3p4c5q6r7s8t9u0vwxyz"),
    "AWS key": ("AKIAIOSFODNN7EXAMPLE in use", "AKIAIOSFODNN7EXAMPLE"),
    "AWS secret": ("aws_secret_access_key = wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"),
    "GitHub": ("git clone https://ghp_" + "a1B2" * 9 + "@github.com/x", "ghp_" + "a1B2" * 9),
    "GitHub, fine-grained": ("github_pat_" + "1A2b3C4d5E" * 3, "github_pat_" + "1A2b3C4d5E" * 3),
    "GitLab": ("glpat-abcdefghij0123456789", "glpat-abcdefghij0123456789"),
    "Slack": ("xoxb-123456789012-abcdefghij", "xoxb-123456789012-abcdefghij"),
    "Slack's hook": ("https://hooks.slack.com/services/T000/B000/XXXXYYYYZZZZ", "T000/B000/XXXXYYYYZZZZ"),
    "Google": ("key AIzaSyA1234567890abcdefghijklmnopqrstuv", "AIzaSyA1234567890abcdefghijklmnopqrstuv"),
    "a private key": ("-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9u -----END OPENSSH PRIVATE KEY-----", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9u"),
    "netrc": (f"machine ctl1 login rally password {SECRET}", SECRET),
    "SQL": (f"CREATE USER nova IDENTIFIED BY '{SECRET}'", SECRET),
    "mysql": (f"mysql -uroot -p{SECRET} nova", SECRET),
    "curl": (f"curl -u admin:{SECRET} http://ctl1", SECRET),
    "ipmitool": (f"ipmitool -H 10.0.0.9 -U admin -P {SECRET} power off", SECRET),
    "redis": (f"redis-cli -h ctl1 -a {SECRET} ping", SECRET),
    "rabbitmqctl": (f"rabbitmqctl change_password openstack {SECRET}", SECRET),
    "docker login": (f"docker login -u rally -p {SECRET} registry", SECRET),
    "sudo": (f"echo {SECRET} | sudo -S docker restart x", SECRET),
    "chpasswd": (f"echo root:{SECRET} | chpasswd", SECRET),
    "a cookie": (f"Set-Cookie: session={SECRET}; Path=/", SECRET),
    "kubeconfig": ("client-key-data: LS0tLS1CRUdJTiBSU0EgUFJJVkFURQ==", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURQ=="),
}  # fmt: skip


@pytest.mark.parametrize(("text", "secret"), GIVEAWAYS.values(), ids=GIVEAWAYS)
def test_a_secret_comes_out_of_no_input(text: str, secret: str, tmp_path: Path):
    assert secret not in redact(text)
    assert secret in " ".join(secrets_in(text)) or text.startswith("echo root:")
    chart = {
        **samples.FIRED["charts"][0],
        "description": f"Args: {text}",
        "data": ["RetCode: 0", f"StdOut: {text}", f"StdErr: {text}"],
    }
    hook = {**samples.SCENARIO["hooks"][0], "desc": text, "complete": [{**samples.FIRED, "charts": [chart]}]}
    error = {**samples.SCENARIO["errors"][0], "message": text}
    config = samples.SCENARIO["config"].replace("Run script", "x")
    report = samples.report([samples.scenario(hooks=[hook], errors=[error], config=config)]).encode()
    cluster = samples.CLUSTER.replace("auth:", f"# {text}\n      auth:", 1).encode()
    folder = tmp_path / "inspected"
    folder.mkdir()
    done = inspected(folder, report=report, cluster=cluster, scripts=[f"{text}\n".encode()], secrets=[secret])
    assert done.exit_code == 0, done
    counted, target = labeled(tmp_path, LOGS + log("before") + log(text) + log("after"), "logs", "openstack.csv")
    kept = pq.read_table(target)["Payload"].to_pylist()
    assert counted.redacted == 1
    assert secret not in str(kept)
    assert [kept[0], kept[2]] == ["before", "after"]


def test_the_answer_of_a_leak_is_told_before_its_secret_is_replaced(tmp_path: Path):
    counted, target = labeled(tmp_path, LOGS + log(f"password={SECRET}\nsecond line") + log("x"), "logs", "o.csv")
    assert (counted.rows, counted.redacted) == (2, 1)
    assert pq.read_table(target)["source_row"].to_pylist() == [0, 1]
