"""A real Airflow: api server, scheduler and dag processor in a folder of their own, ended with all their children."""

from __future__ import annotations

import contextlib
import http
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cluster import free_port
from once import once

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


# How long anything may take on a machine that has a lot else to do; on a quiet one nothing takes nearly as long.
PATIENCE_S = 900.0


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = PATIENCE_S) -> T:
    """Return the probe's first answer; a bounded wait on processes that report by nothing but their state."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = probe()
        if answer:
            return answer
        time.sleep(0.5)
    msg = f"{what}: not within {seconds:.0f} s"
    raise AssertionError(msg)


@dataclass
class Airflow:
    """Airflow in ``home`` on a free port.

    Attributes:
        home: database, configuration, logs of tasks and of the processes.
        environment: beside the caller's own, for every process.
        token: of the user who asks.
        users: "admin", who asks unless another is named, and people who may do what an operator of Airflow may.
        viewers: people who may look and change nothing.
        parts: the components that run.
        configuration: keys of ``airflow.cfg`` that are other than usual; ``section.key`` where several have the key.
        modules: name -> text of modules that all components can import.
    """

    home: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    token: str = ""
    users: tuple[str, ...] = ("admin", "ann")
    viewers: tuple[str, ...] = ("vera",)
    parts: tuple[str, ...] = ("api-server", "scheduler", "dag-processor")
    configuration: dict[str, str] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def migrate(self) -> None:
        """Make configuration and database, as an operator does first."""
        assert self._spawn("db", "migrate").wait(PATIENCE_S) == 0, self._log("db")

    def take(self, migrated: Path) -> None:
        """Begin with a copy of another home, in which nothing was done but to migrate."""
        shutil.copytree(migrated, self.home)
        path = self.home / "airflow.cfg"
        path.write_text(path.read_text().replace(str(migrated), str(self.home)))

    def start(self) -> None:
        (self.home / "config").mkdir(exist_ok=True)
        for name, text in self.modules.items():
            (self.home / "config" / f"{name}.py").write_text(text)
        self._name_users()
        self._configure()
        self.processes += [self._spawn(part) for part in self.parts]
        self.wait_until_healthy()
        self.token = self.token_of("admin")

    def _name_users(self) -> None:
        """Add them to the configuration that the first command made, whose keys all components share."""
        path, usual = self.home / "airflow.cfg", "simple_auth_manager_users = admin:admin\n"
        roles = {user: "admin" if user == "admin" else "op" for user in self.users} | dict.fromkeys(
            self.viewers, "viewer"
        )
        users = ",".join(f"{user}:{role}" for user, role in roles.items())
        made = path.read_text()
        assert usual in made
        path.write_text(made.replace(usual, f"simple_auth_manager_users = {users}\n"))

    def _configure(self) -> None:
        path = self.home / "airflow.cfg"
        text = path.read_text()
        for key, value in self.configuration.items():
            section, _, name = key.rpartition(".")
            head, marker, rest = text.partition(f"[{section}]\n") if section else ("", "", text)
            usual = rf"^{name} = .*(?:\n[ \t]+\S.*)*$"  # a value of several lines goes on below, further in
            found = len(re.findall(usual, rest, flags=re.MULTILINE))
            assert found == 1 or (section and found), key
            text = head + marker + re.sub(usual, f"{name} = {value}", rest, count=1, flags=re.MULTILINE)
        path.write_text(text)

    def rows(self) -> dict[str, int]:
        """Table of the metadata database -> number of rows."""
        with contextlib.closing(sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}  # noqa: S608

    def token_of(self, user: str) -> str:
        """Log in; return what stands for this user from now on."""
        said = {"username": user, "password": self.password_of(user)}
        token: str = self.call("POST", "/auth/token", said)["access_token"]
        return token

    def password_of(self, user: str) -> str:
        """The password that Airflow made up."""
        passwords: dict[str, str] = json.loads((self.home / "simple_auth_manager_passwords.json.generated").read_text())
        return passwords[user]

    def kill_and_restart(self, part: str) -> None:
        """Kill a part with all its children, at whatever they are doing, and start it again."""
        place = self.parts.index(part)
        assert self.processes[place].poll() is None, f"{part} had ended before it was killed"
        os.killpg(self.processes[place].pid, signal.SIGKILL)
        self.processes[place].wait(30)
        self.processes[place] = self._spawn(part)

    def _spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        settings = {"FAULTSET_AIRFLOW_HOME": str(self.home), "FAULTSET_AIRFLOW_PORT": str(self.port)}
        with (self.home / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [str(ROOT / "tools" / "run"), "airflow", *arguments],
                cwd=self.home,
                env={**os.environ, **self.environment, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _log(self, part: str) -> str:
        return (self.home / f"{part}.log").read_text(errors="replace")[-5000:]

    def wait_until_healthy(self) -> None:
        """Wait until every part runs and says so."""
        wait_for("a healthy Airflow", self._healthy)

    def _healthy(self) -> bool:
        for process in self.processes:
            assert process.poll() is None, f"{process.args}: ended with {process.returncode}"
        try:
            health = self.call("GET", "/api/v2/monitor/health")
        except OSError:
            return False
        asked = {part.replace("-", "_") for part in self.parts} & health.keys()
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", *asked))

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        """Return the JSON answer of the REST API; ``token``: of another user than the usual one."""
        return json.loads(self.fetch(path, method, body, token=token))

    def fetch(self, path: str, method: str = "GET", body: Any = None, *, token: str | None = None) -> bytes:
        """Return what is answered; ``token``: of another user than the usual one, "" for nobody.

        A change that Airflow could not write down is asked for again: on SQLite its API server may wait for itself.
        """
        try:
            return self._fetch(path, method, body, token)
        except urllib.error.HTTPError as error:
            if method == "GET" or error.code != http.HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
        self.wait_until_healthy()
        return self._fetch(path, method, body, token)

    def _fetch(self, path: str, method: str, body: Any, token: str | None) -> bytes:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        if token := self.token if token is None else token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            data: bytes = answer.read()
            return data

    def questions(self) -> list[dict[str, Any]]:
        """What Airflow asks people now, or asked them before."""
        found = self.call("GET", "/api/v2/dags/publish_dataset/dagRuns/~/hitlDetails?limit=100")
        asked: list[dict[str, Any]] = found["hitl_details"]
        return asked

    def answer(self, run_id: str, chosen: str, reason: str | None = None, *, by: str = "admin") -> None:
        """Answer the question of a run of ``publish_dataset``, as a person may."""
        path = f"/api/v2/dags/publish_dataset/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
        given = {} if reason is None else {"reason": reason}
        answer = {"chosen_options": [chosen], "params_input": given}
        self.call("PATCH", path, answer, token=self.token_of(by))

    def run(self, dag_id: str, conf: dict[str, Any], seconds: float = PATIENCE_S) -> dict[str, Any]:
        """Start a DAG and return its run once it has ended."""
        wait_for(f"the DAG {dag_id}", lambda: self.knows(dag_id))
        started = self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        path = f"/api/v2/dags/{dag_id}/dagRuns/{started['dag_run_id']}"

        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.call("GET", path)
            return run if run["state"] in {"success", "failed"} else None

        return wait_for(f"the end of {dag_id}", ended, seconds)

    def knows(self, dag_id: str) -> bool:
        """Whether the DAG was read."""
        try:
            return bool(self.call("GET", f"/api/v2/dags/{dag_id}"))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False

    def stop(self) -> None:
        """End every process and all its children; a scheduler may otherwise outlive its signal by minutes."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            for process in self.processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, sent)
            with contextlib.suppress(subprocess.TimeoutExpired):
                for process in self.processes:
                    process.wait(5)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of Airflow with a database that was migrated and holds nothing; each Airflow begins with a copy."""
    return once(tmp_path_factory, "airflow-migrated", lambda home: Airflow(home, {}).migrate())


@contextlib.contextmanager
def running_airflow(
    home: Path,
    environment: dict[str, str],
    parts: tuple[str, ...] = Airflow.parts,
    configuration: dict[str, str] | None = None,
    modules: dict[str, str] | None = None,
    *,
    migrated: Path | None = None,
) -> Iterator[Airflow]:
    """Run an Airflow in ``home``, which begins as a copy of ``migrated`` where that is given."""
    airflow = Airflow(home, environment, parts=parts, configuration=configuration or {}, modules=modules or {})
    try:
        if migrated:
            airflow.take(migrated)
        else:
            home.mkdir(parents=True)
            airflow.migrate()
        airflow.start()
        yield airflow
    finally:
        airflow.stop()
