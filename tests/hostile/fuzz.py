"""Mutates whole, simulated experiments and reads them: ``tools/run python tests/hostile/fuzz.py --cases 20000 --seed 1``.

Seed and case number tell what is done: a case can be run again by ``--only``.
"""

# ruff: noqa: E501 (lists of one thing after another)

from __future__ import annotations

import argparse
import copy
import csv
import io
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "include"), str(ROOT / "tests")]

import yaml  # noqa: E402

from faultset import simulator  # noqa: E402
from faultset.errors import FaultsetError  # noqa: E402
from faultset.labels.engine import label_file  # noqa: E402
from faultset.labels.windows import Policy, windows  # noqa: E402
from faultset.records.telemetry import TelemetryFile  # noqa: E402
from faultset_cli import run  # noqa: E402

LONGEST_S = 10.0
MOST_MEMORY_KB = 1024 * 1024
_SUBJECTS = ("report", "report", "results", "cluster", "script", "telemetry", "telemetry")
# So many cases hold some of each subject that are read, and some that are refused.
ENOUGH = 100
_ROWS = 120
_WINDOWS = windows([], [], [], Policy())
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2.5, 1e308, -1e-308, 10**9, 10**30, float("nan"), float("inf"), "", " ", "x" * 3000, "\ud800",
    "<script>alert(1)</script>", "\x1b[2J\u202e", "../../etc/passwd", "9999-12-31T23:59:59", "0001-01-01 00:00:00",
    "password", "NaN", [], {}, [[]], [None], {"a": 1}, {"": None}, {"name": {}}, ["x", {"y": ["z"]}],
    json.loads("[" * 60 + "]" * 60),
)  # fmt: skip
TOKENS = (
    b"\x00", b"\xff\xfe", b"\n", b"\r", b'"', b"'", b"\\", b"{", b"}", b"[", b"]", b",", b":", b"<script>", b"</script>",
    b"$scope.scenarios = [", b"\n$scope.source = ", b"&a ", b"*a", b"<<: *a", b"!!python/object:x ", b"---\n", b"$(", b"`",
    b"\x1b[2J", "\u202e".encode(), b"1e999", b"-", b"NaN", b"99999999999999999999", b"\t", b"; rm -rf / ;", b"{1..9}", b"#",
)  # fmt: skip


class Failure(Exception):  # noqa: N818 (a case fails; nothing is wrong with the program)
    """A case in which something did not hold."""


class Originals:
    """The files that are mutated."""

    def __init__(self, folder: Path) -> None:
        simulator.simulate("glance-api-restart", folder, seed=7)
        names = [path for path in folder.rglob("*") if path.is_file()]
        self.folder = folder
        self.report = (folder / "report.html").read_bytes()
        self.results = (folder / "results.json").read_bytes()
        self.cluster = (folder / "os-faults.yaml").read_bytes()
        self.scripts = [path.read_bytes() for path in names if path.suffix == ".sh"]
        self.telemetry = [
            (path.parent.name, path.name, b"".join(path.read_bytes().splitlines(keepends=True)[:_ROWS]))
            for path in names
            if path.suffix == ".csv" and path.parent.name in {"metrics", "logs", "traces"}
        ]
        self.report = _shortened(self.report)
        self.results = _shortened_results(self.results)


def _shortened(report: bytes) -> bytes:
    """Return the report with 40 iterations, so that a case takes milliseconds."""
    text = report.decode()
    start = text.index("\n        $scope.scenarios = ") + len("\n        $scope.scenarios = ")
    scenarios = json.loads(text[start : text.index(";\n", start)])
    for scenario in scenarios:
        scenario["iterations_count"] = 40
        scenario["errors"] = [e for e in scenario["errors"] if int(e["iteration"]) <= 40]
        scenario["complete_output"] = scenario["complete_output"][:40]
        scenario["iterations"]["iter"] = [[name, points[:40]] for name, points in scenario["iterations"]["iter"]]
        scenario["iterations"]["pie"] = [["success", 40 - len(scenario["errors"])], ["errors", len(scenario["errors"])]]
    return (text[:start] + json.dumps(scenarios) + text[text.index(";\n", start) :]).encode()


def _shortened_results(results: bytes) -> bytes:
    document = json.loads(results)
    for task in document["tasks"]:
        for workload in (one for subtask in task["subtasks"] for one in subtask["workloads"]):
            workload["data"] = workload["data"][:40]
            workload["total_iteration_count"] = 40
            workload["failed_iteration_count"] = sum(bool(row["error"]) for row in workload["data"])
    return json.dumps(document).encode()


# --- mutations ---------------------------------------------------------------------------------------------------------


def mangled(data: bytes, chance: random.Random) -> bytes:
    """Return ``data`` with a few bytes changed, taken out, put in, repeated or cut off."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        at, length = chance.randrange(len(changed) + 1), chance.choice((1, 2, 8, 64, 512))
        what = chance.randrange(6)
        if what == 0 and changed:
            changed[min(at, len(changed) - 1)] ^= 1 << chance.randrange(8)
        elif what == 1:
            del changed[at : at + length]
        elif what == 2:
            changed[at:at] = chance.choice(TOKENS)
        elif what == 3:
            changed[at:at] = changed[at : at + length] * chance.choice((1, 2, 50))
        elif what == 4:
            changed[at : at + length] = chance.choice(TOKENS)
        elif chance.random() < 0.2:
            del changed[at:]
    return bytes(changed)


def bent(value: Any, chance: random.Random) -> Any:
    """Return a copy of a decoded value with a few of its members replaced, removed, repeated, renamed or wrapped."""
    value = copy.deepcopy(value)
    for _ in range(chance.choice((1, 1, 2, 4))):
        holder, key = _somewhere(value, chance)
        if holder is None or _holds_secret(holder[key]):
            continue
        what = chance.randrange(6)
        if what <= 1:
            holder[key] = copy.deepcopy(chance.choice(VALUES))
        elif what == 2:
            del holder[key]
        elif what == 3 and isinstance(holder, list):
            holder[key:key] = [holder[key]] * chance.choice((1, 3, 40))
        elif what == 4 and isinstance(holder, dict):
            holder[chance.choice(("", "x", "\ud800", "name", "__proto__", str(key).upper()))] = holder.pop(key)
        else:
            holder[key] = chance.choice(([holder[key]], {"x": holder[key]}, {str(key): holder[key]}))
    return value


def _holds_secret(value: Any) -> bool:
    return any(secret in str(value) for secret in simulator.SECRETS) and not isinstance(value, dict | list)


def _somewhere(value: Any, chance: random.Random) -> tuple[Any, Any]:
    holder, key = None, None
    while isinstance(value, dict | list) and value and (holder is None or chance.random() < 0.85):
        holder = value
        key = chance.randrange(len(value)) if isinstance(value, list) else chance.choice(list(value))
        value = value[key]
    return holder, key


def bent_json(data: bytes, chance: random.Random) -> bytes:
    return json.dumps(bent(json.loads(data), chance)).encode()


def bent_report(data: bytes, chance: random.Random) -> bytes:
    text = data.decode()
    name = chance.choice(("source", "scenarios", "scenarios", "config"))
    start = text.index(f"\n        $scope.{'source' if name == 'source' else 'scenarios'} = ")
    start = text.index(" = ", start) + 3
    end = text.index(";\n", start)
    value = json.loads(text[start:end])
    if name == "source":
        value = json.dumps(bent(json.loads(value), chance))
    elif name == "config":
        value[0]["config"] = json.dumps(bent(json.loads(value[0]["config"]), chance))
    else:
        value = bent(value, chance)
    return (text[:start] + json.dumps(value) + text[end:]).encode()


def bent_yaml(data: bytes, chance: random.Random) -> bytes:
    return yaml.safe_dump(bent(yaml.safe_load(data), chance), allow_unicode=False).encode("utf-8", "replace")


def bent_csv(data: bytes, chance: random.Random) -> bytes:
    rows = list(csv.reader(io.StringIO(data.decode())))
    for _ in range(chance.choice((1, 1, 3))):
        what, at = chance.randrange(6), chance.randrange(len(rows))
        column = chance.randrange(len(rows[0]))
        if what == 0 and column < len(rows[at]):
            rows[at][column] = str(chance.choice(VALUES))[:500]
        elif what == 1:
            rows[at:at] = [rows[at]] * chance.choice((1, 30))
        elif what == 2 and len(rows) > 2:
            del rows[at]
        elif what == 3:
            rows[at] = rows[at][:column]
        elif what == 4:
            for row in rows:
                del row[column : column + 1]
        else:
            for row in rows:
                row[column:column] = row[column : column + 1]
        if not rows[0]:
            break
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


# --- cases -------------------------------------------------------------------------------------------------------------

Mutation = Callable[[bytes, random.Random], bytes]


def _memory_kb(name: str) -> int:
    """Return what the kernel says of this process: ``VmRSS`` now, ``VmHWM`` the most since it was last cleared."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])


class Fuzzer:
    """Runs cases; each is decided by the seed and its number alone."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        (folder / "original").mkdir()
        self.originals = Originals(folder / "original")
        self.case_folder = folder / "case"
        self.case_folder.mkdir()
        self.codes: Counter[str] = Counter()
        # A process may have used more before: what counts is what the cases add.
        Path("/proc/self/clear_refs").write_text("5")
        self.memory_before_kb = _memory_kb("VmRSS")

    def run(self, number: int) -> None:
        """Run one case.

        Raises:
            Failure: something did not hold; names the case.
        """
        chance = random.Random(f"{self.seed}/{number}")
        subject = chance.choice(_SUBJECTS)
        started = time.process_time()
        try:
            outcome = self._telemetry(chance) if subject == "telemetry" else self._run_of(subject, chance)
        except Failure as error:
            raise Failure(f"seed {self.seed}, case {number} ({subject}): {error}") from error
        except Exception as error:
            raise Failure(f"seed {self.seed}, case {number} ({subject}): {type(error).__name__}: {error}") from error
        took = time.process_time() - started
        if took > LONGEST_S:
            raise Failure(f"seed {self.seed}, case {number} ({subject}): took {took:.1f} s")
        self.codes[f"{subject} {outcome}"] += 1

    def _run_of(self, subject: str, chance: random.Random) -> str:
        own = self.originals
        structural = chance.random() < 0.6
        files = {"report.html": own.report, "os-faults.yaml": own.cluster}
        if subject == "results":
            files["results.json"] = _mutated(own.results, bent_json, structural=structural, chance=chance)
        elif subject == "cluster":
            files["os-faults.yaml"] = _mutated(own.cluster, bent_yaml, structural=structural, chance=chance)
        elif subject == "report":
            files["report.html"] = _mutated(own.report, bent_report, structural=structural, chance=chance)
        scripts = list(own.scripts)
        if subject == "script":
            structural = False
            scripts[0] = mangled(scripts[0], chance)
        files |= {f"s{number}.sh": script for number, script in enumerate(scripts)}
        for name, data in files.items():
            (self.case_folder / name).write_bytes(data)
        alone = subject == "results" and chance.random() < 0.5
        arguments = ["inspect", self._path("results.json" if alone else "report.html")]
        arguments += ["--results", self._path("results.json")] if subject == "results" and not alone else []
        arguments += ["--cluster", self._path("os-faults.yaml")]
        arguments += [part for number in range(len(scripts)) for part in ("--hook-script", self._path(f"s{number}.sh"))]
        done = run(*arguments, *(["--json"] if chance.random() < 0.7 else []))
        _held(done.exit_code, done.stdout, done.stderr, structural=structural)
        return str(done.exit_code)

    def _path(self, name: str) -> str:
        return str(self.case_folder / name)

    def _telemetry(self, chance: random.Random) -> str:
        kind, name, data = chance.choice(self.originals.telemetry)
        path = self.case_folder / name
        path.write_bytes(_mutated(data, bent_csv, structural=chance.random() < 0.6, chance=chance))
        file = TelemetryFile(kind, str(path), f"{kind}/{name}", "Europe/Berlin")  # type: ignore[arg-type]
        try:
            label_file(file, _WINDOWS, self.case_folder / "labeled.parquet")
        except FaultsetError as error:
            _held(error.exit_code, "", f"error: {error}", structural=False)
            return str(error.exit_code)
        return "0"

    def check_surroundings(self) -> None:
        """Hold that nothing was written beside the cases, that memory stayed bounded, and that the cases say something.

        Raises:
            Failure: it did not.
        """
        expected = re.compile(r"(report\.html|results\.json|os-faults\.yaml|s\d\.sh|labeled\.parquet|.*\.csv)")
        strangers = [path.name for path in self.case_folder.rglob("*") if not expected.fullmatch(path.name)]
        if strangers:
            raise Failure(f"these were written: {strangers}")
        peak = _memory_kb("VmHWM") - self.memory_before_kb
        if peak > MOST_MEMORY_KB:
            raise Failure(f"{peak / 1024:.0f} MiB of memory were used")
        expected_outcomes = {f"{subject} {code}" for subject in _SUBJECTS for code in (0, 2)}
        if self.codes.total() >= ENOUGH and not expected_outcomes <= self.codes.keys():
            raise Failure(f"some are only read or only refused: {dict(self.codes)}")


def _mutated(data: bytes, structure: Mutation, *, structural: bool, chance: random.Random) -> bytes:
    return structure(data, chance) if structural else mangled(data, chance)


def _held(code: int, stdout: str, stderr: str, *, structural: bool) -> None:
    if code not in {0, 1, 2} or "Traceback" in stderr or "internal:" in stderr:
        raise Failure(f"exit code {code}: {stderr.strip()[-300:]}")
    if code == 2 and (len(stderr.splitlines()) != 1 or stdout):
        raise Failure(f"not one line: {stderr[-300:]!r}")
    if not all(line.isprintable() for line in stderr.splitlines()):
        raise Failure(f"not printable: {stderr!r}")
    # Bytes changed at random can take away what tells that a text is a secret; a changed structure cannot.
    if structural and any(secret in stdout + stderr for secret in simulator.SECRETS):
        raise Failure("a secret came out")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="run this case alone")
    arguments = parser.parse_args()
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(arguments.seed, Path(folder))
        started = time.monotonic()
        for number in range(arguments.cases) if arguments.only is None else [arguments.only]:
            try:
                fuzzer.run(number)
            except Failure as error:
                failures.append(str(error))
                print(f"FAILED {error}", flush=True)
        fuzzer.check_surroundings()
        took = time.monotonic() - started
    peak = _memory_kb("VmHWM") / 1024
    print(f"{sum(fuzzer.codes.values()):,} cases held, {len(failures)} failed, {took:.0f} s, {peak:.0f} MiB at most")
    print(", ".join(f"{name}: {count}" for name, count in sorted(fuzzer.codes.items())))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
