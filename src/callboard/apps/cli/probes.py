"""What others ask a worker over HTTP: does it live, does it work, how much.

It answers from a thread of its own, so that it can also say that the event loop is stuck.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as TooLate
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from socketserver import TCPServer
from threading import Thread
from typing import TYPE_CHECKING

from callboard.domain.errors import InputInvalid

if TYPE_CHECKING:
    from callboard.runtime import Runtime

_PATIENCE = 5.0  # seconds for a slow asker, and for the event loop to tell the metrics
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_OK = "ok"

Answer = tuple[HTTPStatus, str | bytes]


class Probes:
    """Answers `/livez`, `/readyz` and `/metrics`. Make it on the event loop whose life it tells of.

    Attributes:
        port: where it listens.
        leaving: set it when the worker has been told to stop: it is no longer ready, and still alive.
    """

    def __init__(self, host: str, port: int) -> None:
        self.leaving = False
        self._loop = asyncio.get_running_loop()
        self._runtime: Runtime | None = None
        self._server = _Server((host, port), _handler(self.answer))
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="callboard-probes", daemon=True)
        self._thread.start()

    def watch(self, runtime: "Runtime") -> None:
        """From now on it tells of this runtime."""
        self._runtime = runtime

    def close(self) -> None:
        """Answers no more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> Answer:
        """What is answered to GET. Called from any thread."""
        match path.partition("?")[0]:
            case "/livez":
                return _verdict("" if self._runtime is None else self._runtime.condition.alive())
            case "/readyz":
                return _verdict(self._unready())
            case "/metrics":
                return self._metrics()
            case _:
                return HTTPStatus.NOT_FOUND, "there are /livez, /readyz and /metrics"

    def _unready(self) -> str:
        if self.leaving:
            return "it is stopping"
        return "it is starting" if self._runtime is None else self._runtime.condition.ready()

    def _metrics(self) -> Answer:
        if self._runtime is None:
            return HTTPStatus.SERVICE_UNAVAILABLE, "it is starting"
        asked = asyncio.run_coroutine_threadsafe(self._runtime.condition.metrics(), self._loop)
        try:
            return HTTPStatus.OK, asked.result(_PATIENCE)
        except TooLate:
            asked.cancel()
            return HTTPStatus.SERVICE_UNAVAILABLE, "the event loop does not answer"


@contextmanager
def probing(listen: str) -> Iterator[Probes | None]:
    """Answers at `host:port` as long as the block lasts; nowhere if that is empty. Raises InputInvalid."""
    if not listen:
        yield None
        return
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535:
        raise InputInvalid(f"listen={listen!r} is no address", remedy="write host:port, or :port for all addresses")
    try:
        probes = Probes(host.strip("[]"), int(port))
    except OSError as error:
        raise InputInvalid(f"cannot listen on {listen}", why=str(error), remedy="name another port") from error
    try:
        yield probes
    finally:
        probes.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = AF_INET6
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Binds without asking a name server who this machine is, which may take long."""
        TCPServer.server_bind(self)

    def handle_error(self, request: object, client_address: object) -> None:
        """Somebody hung up before the answer: nobody's news either."""


def _handler(answer: Callable[[str], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE
        server_version = "callboard"
        sys_version = ""

        def do_GET(self) -> None:
            """What HTTP's GET calls for."""
            status, body = answer(self.path)
            data = body.encode() + b"\n" if isinstance(body, str) else body
            self.send_response(status)
            self.send_header("Content-Type", _TEXT)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Probes come every few seconds and are nobody's news."""

    return Handler


def _verdict(fault: str) -> Answer:
    return (HTTPStatus.SERVICE_UNAVAILABLE, fault) if fault else (HTTPStatus.OK, _OK)
