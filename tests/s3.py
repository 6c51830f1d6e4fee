"""An S3 to test against: moto's server, and a link to it that counts, loses answers and fails on request."""

from __future__ import annotations

import http.client
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from moto.server import ThreadedMotoServer

KEY_ID = "AKIDTESTS"
SECRET = "the-secret-of-the-tests"


@dataclass(frozen=True)
class S3:
    """A storage: its address, and the environment that leads there."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "FAULTSET_S3_RETRIES": "2",
            "FAULTSET_S3_RETRY_SECONDS": "10",
        }

    def new_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"tests-{uuid.uuid4().hex}"
        self.client().create_bucket(Bucket=name)
        return name

    def client(self):
        """Another tool's client, to look with."""
        return _client("s3", self.endpoint)


@lru_cache
def _client(service: str, endpoint: str):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
    )


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """A server for the whole run, on a free port; its environment is set until the run ends."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it says every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3 = S3(f"http://{host}:{port}")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        for name, value in s3.environment.items():
            patch.setenv(name, value)
        yield s3
    server.stop()


@pytest.fixture
def new_bucket(s3_server: S3) -> str:
    """The name of a new, empty bucket."""
    return s3_server.new_bucket()


@dataclass(frozen=True)
class Guarded:
    """A storage that checks signatures and permissions, with a bucket "guarded" and a user who may do nothing."""

    endpoint: str
    user_key_id: str
    user_secret: str


@contextmanager
def guarded_server() -> Iterator[Guarded]:
    """A server of its own process: whether it checks is decided for all of a process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": "3"}  # the three calls that set it up
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait_for(endpoint, process)
        iam = _client("iam", endpoint)
        iam.create_user(UserName="visitor")
        key = iam.create_access_key(UserName="visitor")["AccessKey"]
        _client("s3", endpoint).create_bucket(Bucket="guarded")
        yield Guarded(endpoint, key["AccessKeyId"], key["SecretAccessKey"])
    finally:
        process.terminate()
        process.wait()


def _wait_for(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    host = endpoint.removeprefix("http://")
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        connection = http.client.HTTPConnection(host)
        try:
            connection.request("GET", "/moto-api/")
            connection.getresponse().read()
        except ConnectionError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    raise TimeoutError(endpoint)


@dataclass(frozen=True)
class Asked:
    """One request that came over the link, and the bytes that were answered."""

    method: str
    path: str
    answered: int


@dataclass
class Link:
    """What lies between a client and the storage.

    Attributes:
        endpoint: where clients connect to.
        asked: every request so far.
        lose: by method, which requests are carried out, but whose answers get lost.
        refuse: by method, the status that requests are answered with at once; 0: they are carried out.
        slow: by method, seconds that a request waits before it is carried out.
        gone: whether every connection is closed at once, as that of a storage that is not there.
    """

    endpoint: str = ""
    asked: list[Asked] = field(default_factory=list)
    lose: Callable[[str], bool] = lambda _method: False
    refuse: Callable[[str], int] = lambda _method: 0
    slow: Callable[[str], float] = lambda _method: 0.0
    gone: bool = False

    @property
    def answered(self) -> int:
        """All bytes that were answered, without headers."""
        return sum(one.answered for one in self.asked)


def _passed_on(headers: dict[str, str]) -> dict[str, str]:
    own = ("transfer-encoding", "connection", "date", "server")
    return {name: value for name, value in headers.items() if name.lower() not in own}


def _carrier(link: Link, host: str) -> type[BaseHTTPRequestHandler]:
    """Return what carries requests over a link to the storage at host:port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _carry(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            time.sleep(link.slow(self.command))
            if link.gone:
                self.close_connection = True
            elif status := link.refuse(self.command):
                self._answer(status, {}, b"<Error><Code>SlowDown</Code></Error>")
            else:
                self._ask(body)

        def _ask(self, body: bytes) -> None:
            upstream = http.client.HTTPConnection(host)
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            data = answer.read()
            upstream.close()
            if link.lose(self.command):
                self.close_connection = True
                return
            self._answer(answer.status, dict(answer.getheaders()), data)

        def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
            link.asked.append(Asked(self.command, self.path, len(data)))
            self.send_response(status)
            for name, value in _passed_on(headers).items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _carry  # noqa: N815 (the base class says so)

        def log_message(self, *ignored: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def link_to(s3: S3) -> Iterator[Link]:
    """Put a link before a storage; the bytes of the requests and answers are not touched."""
    link = Link()
    handler = _carrier(link, s3.endpoint.removeprefix("http://"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    link.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield link
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
