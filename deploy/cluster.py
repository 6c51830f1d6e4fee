"""The layout of ``compose.yaml`` as plain processes of this machine, with the same settings, and its secrets.

    python3 deploy/cluster.py secrets [FOLDER]      makes up every password and key, as files (deploy/secrets)
    tools/run python deploy/cluster.py up [FOLDER]  runs all parts until Ctrl-C, restarts those that end (.cluster)

PostgreSQL and Redis are Debian's; the storage is moto's server, which forgets all when it ends.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = Path(__file__).with_name("compose.yaml")
BUCKET = "faultset"
PATIENCE_S = 300.0

LOCAL = (
    # On one machine parts share ports and a network that nobody else should reach.
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__PORT",
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT",
    "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT",
    "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT",
)
"""Settings that the processes have otherwise than the containers; all others are those of ``compose.yaml``."""


class ClusterError(Exception):
    """What is wrong, and what to do, in one line."""


# --- secrets ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Places:
    """Where the parts find each other, each as host:port."""

    postgres: str = "postgres:5432"
    redis: str = "redis:6379"
    s3: str = "s3:9000"


def write_secrets(folder: Path, places: Places) -> None:
    """Make up what is not there yet, and write what follows from it. Nothing that was made up is ever replaced.

    The folder is for its owner alone; the files in it can be read by whoever they are handed to, as containers' users.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)

    def made_up(name: str, value: Callable[[], str]) -> str:
        path = folder / name
        if not path.exists():
            _write(path, value())
        return path.read_text()

    made_up("fernet_key", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    made_up("jwt_secret", lambda: secrets.token_urlsafe(64))
    made_up("api_secret_key", lambda: secrets.token_urlsafe(32))
    made_up("passwords.json", lambda: json.dumps({"admin": secrets.token_urlsafe(16)}))
    database = made_up("postgres_password", lambda: secrets.token_hex(24))
    broker = made_up("redis_password", lambda: secrets.token_hex(24))
    key_id = made_up("s3_key_id", lambda: secrets.token_hex(10))
    secret = made_up("s3_secret", lambda: secrets.token_hex(24))
    _write(folder / "redis.conf", f"requirepass {broker}\n")
    _write(folder / "sql_alchemy_conn", f"postgresql+psycopg2://faultset:{database}@{places.postgres}/faultset")
    _write(folder / "celery_result_backend", f"db+postgresql+psycopg2://faultset:{database}@{places.postgres}/faultset")
    _write(folder / "celery_broker_url", f"redis://:{broker}@{places.redis}/0")
    extra = {"endpoint_url": f"http://{places.s3}", "region_name": "us-east-1"}
    keys = {"conn_type": "aws", "login": key_id, "password": secret, "extra": json.dumps(extra)}
    _write(folder / "connections.json", json.dumps({"faultset_s3": keys}))


def _write(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.chmod(0o644)
    new.replace(path)


# --- the parts --------------------------------------------------------------------------------------------------------


@dataclass
class Part:
    """One process with all that it starts, as a container has it.

    Attributes:
        name: of the service in ``compose.yaml``, numbered where there are several.
        command: arguments.
        environment: all of it.
        wanted: whether the supervisor starts it again when it ends.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    folder: Path
    user: str | None = None
    wanted: bool = False
    starts: int = 0
    process: subprocess.Popen[bytes] | None = None
    _ended: float = 0.0

    def start(self) -> None:
        """Start it, and let it be wanted."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                user=self.user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wanted, self.starts = True, self.starts + 1

    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def send(self, sent: signal.Signals) -> None:
        """Send a signal to it and all that it started, also what has a session of its own."""
        for pid in self._tree():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sent)

    def _tree(self) -> list[int]:
        import psutil

        if self.process is None:
            return []
        try:
            root = psutil.Process(self.process.pid)
            return [root.pid, *(child.pid for child in root.children(recursive=True))]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """End it at whatever it is doing, as the end of a container does; the supervisor starts it again."""
        # Stopped first, so that none of them starts another that is not in the list.
        self.send(signal.SIGSTOP)
        self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(30)

    def stop(self) -> None:
        """End it for good; what does not end within ten seconds is killed."""
        self.wanted = False
        if self.process is None:
            return
        tree = self._tree()
        # PostgreSQL takes SIGINT for "now, and in order".
        self.process.send_signal(signal.SIGINT if self.name == "postgres" else signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        for pid in {*tree, *self._tree()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(30)

    def mind(self) -> None:
        """Start it again a second after it ended, where it is wanted."""
        if not self.wanted or self.running():
            self._ended = 0.0
        elif not self._ended:
            self._ended = time.monotonic()
        elif time.monotonic() - self._ended > 1:
            self.start()


def services(compose: Path = COMPOSE) -> dict[str, dict[str, Any]]:
    """Return the services of ``compose.yaml`` by name."""
    import yaml

    found: dict[str, dict[str, Any]] = yaml.safe_load(compose.read_text())["services"]
    return found


@dataclass
class Cluster:
    """All parts of the layout in ``folder``.

    Attributes:
        folder: everything that they write.
        port: of the API server.
        environment: settings beside those of ``compose.yaml``, for tests.
        s3_endpoint: where the parts find the storage, where something lies before it.
        restore: called once the servers run and hold an empty database and an empty bucket.
    """

    folder: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    s3_endpoint: Callable[[str], str] = lambda address: address
    restore: Callable[[Cluster], None] = lambda _cluster: None
    _over: threading.Event = field(default_factory=threading.Event)
    _supervisor: threading.Thread | None = None

    def __post_init__(self) -> None:
        """Choose the ports of the servers, which nobody else needs to know."""
        self.places = Places(*(f"127.0.0.1:{free_port()}" for _ in range(3)))

    @property
    def secrets(self) -> Path:
        """The folder with the secrets."""
        return self.folder / "secrets"

    @property
    def admin_password(self) -> str:
        """What the user "admin" logs in with."""
        passwords: dict[str, str] = json.loads((self.secrets / "passwords.json").read_text())
        return passwords["admin"]

    def start(self) -> None:
        """Start the servers, prepare what is not there, start Airflow, and keep all of it running."""
        for name in ("logs", "work", "people", "run", "parts"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        outward = Places(self.places.postgres, self.places.redis, self.s3_endpoint(self.places.s3))
        write_secrets(self.secrets, outward)
        shutil.copy(self.secrets / "passwords.json", self.folder / "people" / "passwords.json")
        (self.folder / "people" / "passwords.json").chmod(0o600)
        if why := missing():
            raise ClusterError(why)
        self._prepare_postgres()
        for name, command in self._servers():
            self._add(name, command).start()
        for where in (self.places.postgres, self.places.redis, self.places.s3):
            wait_for(f"a server at {where}", lambda where=where: answers(where))
        self._make_database()
        self._make_bucket()
        self.restore(self)
        self._migrate()
        for name, command in self._airflow():
            self._add(name, command).start()
        self._supervisor = threading.Thread(target=self._mind, daemon=True)
        self._supervisor.start()
        wait_for("a healthy Airflow", self.healthy)

    def stop(self) -> None:
        """End all, Airflow before its servers."""
        self._over.set()
        if self._supervisor:
            self._supervisor.join()
        for part in reversed(self.parts.values()):
            part.wanted = False
        airflow = [part for part in self.parts.values() if part.name not in ("postgres", "redis", "s3")]
        for part in airflow:
            with contextlib.suppress(ProcessLookupError):
                part.send(signal.SIGCONT)
                part.send(signal.SIGTERM)
        end = time.monotonic() + 10
        while time.monotonic() < end and any(part.running() for part in airflow):
            time.sleep(0.1)
        for part in reversed(self.parts.values()):
            part.kill() if part in airflow else part.stop()

    def _mind(self) -> None:
        while not self._over.wait(0.3):
            for part in self.parts.values():
                part.mind()

    def healthy(self) -> bool:
        """Whether Airflow says that all of it is well."""
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            asked.request("GET", "/api/v2/monitor/health")
            health = json.load(asked.getresponse())
        except (OSError, ValueError, http.client.HTTPException):
            return False
        finally:
            asked.close()
        parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    # --- how a part is run here ---------------------------------------------------------------------------------------

    def settings_of(self, service: str) -> dict[str, str]:
        """Return a service's settings as ``compose.yaml`` has them, with the places of this machine."""
        declared = services()[service].get("environment") or {}
        return {name: self._here(str(value)) for name, value in declared.items()}

    def _here(self, text: str) -> str:
        for there, here in (
            ("http://api-server:8080", f"http://127.0.0.1:{self.port}"),
            ("/run/secrets", str(self.secrets)),
            ("/run/airflow", str(self.folder / "run")),
            ("/opt/airflow/dags", str(ROOT / "dags")),
            ("/opt/airflow/plugins", str(ROOT / "plugins")),
            ("/opt/airflow", str(self.folder)),
        ):
            text = text.replace(there, here)
        return text

    def _airflow(self) -> Iterator[tuple[str, list[str]]]:
        for service, declared in services().items():
            command = declared.get("command") or []
            if command[:1] != ["airflow"]:
                continue
            count = declared.get("deploy", {}).get("replicas", 1)
            for number in range(1, count + 1):
                name = service if count == 1 else f"{service}-{number}"
                own = [self._here(word).replace(f"/{service}.pid", f"/{name}.pid") for word in command]
                if service == "worker":
                    own += ["--celery-hostname", f"{name}@localhost"]
                yield name, own

    def _add(self, name: str, command: list[str]) -> Part:
        base = name.rstrip("0123456789").rstrip("-")
        folder = self.folder / "parts" / name
        folder.mkdir(parents=True, exist_ok=True)
        user = _database_user() if base == "postgres" else None
        environment = self.environment_of(base) if base in services() and command[0] == "airflow" else dict(os.environ)
        self.parts[name] = Part(
            name, command, environment | {"AIRFLOW_HOME": str(folder)}, self.folder / f"{name}.log", folder, user
        )
        return self.parts[name]

    def environment_of(self, service: str) -> dict[str, str]:
        """Return all of the environment of a part of Airflow's."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        here = {name: str(free_port()) for name in LOCAL if name.endswith("_SERVER_PORT")}
        here |= {"AIRFLOW__API__HOST": "127.0.0.1", "AIRFLOW__API__PORT": str(self.port)}
        here["AIRFLOW__API__BASE_URL"] = f"http://localhost:{self.port}"
        return ours | self.settings_of(service) | here | self.environment

    def postgres(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's clients on Airflow's database."""
        host, _, port = self.places.postgres.rpartition(":")
        there = {"PGHOST": host, "PGPORT": port, "PGUSER": "faultset", "PGDATABASE": "faultset"}
        there["PGPASSWORD"] = (self.secrets / "postgres_password").read_text()
        subprocess.run([_postgres(program), *arguments], env=os.environ | there, check=True)

    def storage(self) -> dict[str, str]:
        """Return the environment that leads to the storage with its keys, past whatever lies before it."""
        return {
            "AWS_ENDPOINT_URL": f"http://{self.places.s3}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": (self.secrets / "s3_key_id").read_text(),
            "AWS_SECRET_ACCESS_KEY": (self.secrets / "s3_secret").read_text(),
        }

    # --- servers ------------------------------------------------------------------------------------------------------

    def _servers(self) -> Iterator[tuple[str, list[str]]]:
        port = self.places.postgres.rpartition(":")[2]
        data = str(self.folder / "postgres")
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        yield "postgres", [_postgres("postgres"), "-D", data, "-p", port, *options]
        (self.folder / "redis").mkdir(exist_ok=True)
        where = ["--bind", "127.0.0.1", "--port", self.places.redis.rpartition(":")[2]]
        # The image takes the first word for a program of its own; here it has to be on the path.
        yield "redis", [*map(self._here, services()["redis"]["command"][:-1]), str(self.folder / "redis"), *where]
        port = self.places.s3.rpartition(":")[2]
        yield "s3", [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]

    def _prepare_postgres(self) -> None:
        data = self.folder / "postgres"
        if (data / "PG_VERSION").exists():
            return
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        user = _database_user()
        password = self.folder / "run" / "password"
        password.write_text((self.secrets / "postgres_password").read_text())
        password.chmod(0o600)
        if user:
            shutil.chown(data, user, user)
            shutil.chown(password, user, user)
            if subprocess.run(["test", "-w", str(data)], user=user, check=False).returncode:
                raise ClusterError(f"{data}: the user {user} cannot reach it; choose a folder that others may enter")
        command = [_postgres("initdb"), "-D", str(data), "-U", "faultset", "--auth=scram-sha-256", "--encoding=UTF8"]
        command += ["--locale=C.UTF-8", f"--pwfile={password}"]
        done = subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, check=False)
        password.unlink()
        if done.returncode:
            raise ClusterError(f"{data}: initdb failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")

    def _make_database(self) -> None:
        import psycopg2

        def connected() -> Any:
            host, _, port = self.places.postgres.rpartition(":")
            password = (self.secrets / "postgres_password").read_text()
            try:
                return psycopg2.connect(host=host, port=port, user="faultset", password=password, dbname="postgres")
            except psycopg2.OperationalError:
                return None  # it answers, and is still on its way up

        database = wait_for("PostgreSQL", connected)
        database.autocommit = True
        with contextlib.closing(database), database.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'faultset'")
            if not cursor.fetchone():
                cursor.execute("CREATE DATABASE faultset")

    def _make_bucket(self) -> None:
        import boto3

        found = self.storage()
        client = boto3.client(
            "s3",
            endpoint_url=found["AWS_ENDPOINT_URL"],
            region_name=found["AWS_REGION"],
            aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        )
        client.create_bucket(Bucket=BUCKET)

    def _migrate(self) -> None:
        migrate = self._add("migrate", ["airflow", "db", "migrate"])
        migrate.start()
        migrate.wanted = False
        if migrate.process is not None and migrate.process.wait(PATIENCE_S):
            raise ClusterError(f"{migrate.log}: airflow db migrate failed; see it")


def _database_user() -> str | None:
    """Return whom PostgreSQL runs as where it would refuse to run as who asks."""
    return "postgres" if os.geteuid() == 0 else None


def _postgres(program: str) -> str:
    """Return the path of one of PostgreSQL's programs, of the newest version that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    if not found:
        raise ClusterError(f"{program}: PostgreSQL is not installed; run tools/servers as root")
    return str(found[-1])


def missing() -> str | None:
    """Return why the parts cannot run here, in one line; None where they can."""
    if shutil.which("redis-server") is None or not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        return "PostgreSQL and Redis are not installed; run tools/servers as root"
    return None


def free_port() -> int:
    """Return a port of this machine's that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(where: str) -> bool:
    """Whether somebody listens at host:port."""
    host, _, port = where.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


T = TypeVar("T")


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = PATIENCE_S) -> T:
    """Return the probe's first answer.

    Raises:
        ClusterError: there was none in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := probe():
            return answer
        time.sleep(0.2)
    raise ClusterError(f"{what}: not within {seconds:.0f} s; see the logs")


# --- by hand ----------------------------------------------------------------------------------------------------------


def _fill(cluster: Cluster) -> None:
    """Put the checkout's sample experiments into the catalog."""
    from faultset.storage.bucket import Bucket

    os.environ |= cluster.storage()
    catalog = Bucket.at(f"s3://{BUCKET}")
    samples = ROOT / "experiments"
    for path in sorted(samples.rglob("*")):
        if path.is_file():
            catalog.put_file(path, f"catalog/{path.relative_to(samples).as_posix()}")


def up(folder: Path) -> None:
    """Run all parts until Ctrl-C."""
    cluster = Cluster(folder, int(os.environ.get("PORT") or 8080))
    over = threading.Event()
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, lambda *_: over.set())
    print(
        f"starting PostgreSQL, Redis, a storage and Airflow's parts, a minute or two; logs are in {folder}", flush=True
    )
    try:
        cluster.start()
        _fill(cluster)
        print(f"Airflow runs at http://localhost:{cluster.port}, for this machine only. Ctrl-C stops it.")
        print(f"Log in as admin with the password {cluster.admin_password}", flush=True)
        over.wait()
        print("stopping", flush=True)
    finally:
        cluster.stop()


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=["secrets", "up"])
    parser.add_argument("folder", nargs="?", type=Path)
    asked = parser.parse_args(arguments)
    try:
        if asked.do == "secrets":
            folder = asked.folder or COMPOSE.with_name("secrets")
            write_secrets(folder, Places())
            print(f"the secrets are in {folder}; whoever reads them may do everything")
        else:
            up((asked.folder or ROOT / ".cluster").absolute())
    except (ClusterError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
