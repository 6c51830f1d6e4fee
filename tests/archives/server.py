"""What the stand-ins share: a server that counts its requests, and does to each of them what a plan says."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "the-token-of-the-tests"
Plan = Callable[[int], str | None]
"""What is done to the request of this number (from 1): one of ``MISCHIEF``, or None."""
MISCHIEF = (
    "429",  # too many requests, with Retry-After
    "500",  # before anything was done
    "502",  # after it was done
    "lost",  # done, and the connection closed without an answer
    "late",  # done, and answered after nobody waits any more
    "cut",  # the connection closed in the middle of the request
    "corrupt",  # a bit of the body changed on its way
)


@dataclass
class Request:
    """A request as a stand-in sees it; ``path`` is decoded."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")


@dataclass
class Answer:
    """What it answers: JSON, unless ``content`` is given."""

    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None


class StandIn:
    """An archive's server; ``handle`` is its own, one request at a time as under a database's locks."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.plan: Plan = lambda _: None
        self.kill: tuple[int, str] | None = None
        self.victim = 0
        self.late_s = 1.5
        self.url = ""
        self.token = TOKEN
        self.expires_after: int | None = None
        self._lock = threading.Lock()
        self._count = threading.Lock()

    def handle(self, request: Request) -> Answer:
        raise NotImplementedError

    def refuse(self, request: Request) -> Answer | None:
        """What is answered to a request without the right token."""
        expired = self.expires_after is not None and len(self.requests) > self.expires_after
        if request.headers.get("authorization") == f"Bearer {self.token}" and not expired:
            return None
        return Answer(401, {"status": 401, "message": "Unauthorized", "error": "Invalid credentials in header"})

    def serve(self, request: Request) -> Answer | None:
        """Answer a request, or misbehave; None: the connection is closed without an answer."""
        with self._count:
            self.requests.append(f"{request.method} {request.path}")
            number = len(self.requests)
        what = self.plan(number)
        if self._dies(number, "before"):
            return None  # a request that never came through
        if what == "429":
            return Answer(429, {"status": 429, "message": "Rate limit exceeded"}, {"Retry-After": "0"})
        if what == "500":
            return Answer(500, {"status": 500, "message": "Internal server error"})
        if what == "cut":
            return None
        if what == "corrupt" and request.body:
            request.body = bytes([request.body[0] ^ 1]) + request.body[1:] if request.method == "PUT" else request.body
        with self._lock:
            answer = self.handle(request)
        self._dies(number, "after")
        if what == "502":
            return Answer(502, content=b"<html>Bad gateway</html>")
        if what == "late":
            time.sleep(self.late_s)
        return None if what == "lost" else answer

    def _dies(self, number: int, when: str) -> bool:
        """Kill whoever asks, if its turn is now."""
        dies = self.kill == (number, when) and self.victim > 0
        if dies:
            os.kill(self.victim, signal.SIGKILL)
        return dies

    @contextmanager
    def running(self) -> Iterator[StandIn]:
        """Serve for as long as the block lasts, at ``url``."""
        server = _Server(self)
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def at_random(seed: int, share: float, kinds: tuple[str, ...] = MISCHIEF) -> Plan:
    """Misbehave at a share of the requests, the same each time; never three times in a row."""
    chosen = random.Random(seed)
    drawn: dict[int, str | None] = {}

    def plan(number: int) -> str | None:
        for one in range(len(drawn) + 1, number + 1):
            bad = chosen.random() < share and not (drawn.get(one - 1) and drawn.get(one - 2))
            drawn[one] = chosen.choice(kinds) if bad else None
        return drawn[number]

    return plan


class _Server(ThreadingHTTPServer):
    """A server that knows its stand-in."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that the dead leave."""

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stand_in = stand_in


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the one who asks
    wbufsize = 1 << 16
    server: _Server

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else self._chunks()
        if len(body) < length:
            self.close_connection = True  # whoever sent it is dead, so that the rest never comes
            return
        answer = self.server.stand_in.serve(self._request(body))
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._send(answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any  # noqa: N815 (as the library names them)

    def _request(self, body: bytes) -> Request:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, unquote(parts.path), query, headers, body)

    def _chunks(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return b""
        data = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _send(self, answer: Answer) -> None:
        data = answer.content if answer.content is not None else json.dumps(answer.document).encode()
        headers = {"Content-Type": "application/json", **answer.headers}
        try:
            self.send_response(answer.status)
            for name, value in (headers | {"Content-Length": str(0 if answer.status == 204 else len(data))}).items():
                self.send_header(name, value)
            self.end_headers()
            if answer.status != 204:
                self.wfile.write(data)
        except OSError:  # nobody waits for it any more
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass
