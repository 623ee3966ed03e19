"""A provider on this machine that says what it is told to say: real sockets, answers in odd pieces, cut, late, wrong.

    async with Provider() as provider:
        seat = provider.seat([Answer(body, headers={"content-type": "text/event-stream"}, piece=1)])
        ...                                        # point a client at seat.url
        assert seat.asked[0].path == "/v1/messages"

Each client has a seat of its own, told apart by the first part of the path, and gets its answers in order.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.traffic.records import Record

_PACKET = 4096
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to one request.

    Attributes:
        body: the whole answer; with `chunked`, each piece of it becomes an HTTP chunk.
        piece: bytes sent at a time.
        cut: bytes of the body after which no more comes; None for all.
        clean: a cut body ends as if it were whole (a last chunk, a fitting length); else the connection is dropped.
        before: seconds before the first byte.
        between: seconds before each further piece.
        path: where the request has to go, "" for anywhere; another one is answered with 404.
    """

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    chunked: bool = False
    piece: int = 4096
    cut: int | None = None
    clean: bool = False
    before: float = 0.0
    between: float = 0.0
    path: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client sent."""

    path: str
    headers: Mapping[str, str]
    body: Any


class Seat:
    """One client's place: what it will be told, and what it asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.answers: deque[Answer] = deque()

    def say(self, *answers: Answer) -> None:
        """What is said from now on; what was left over is forgotten."""
        self.answers = deque(answers)


def replay(record: Record, piece: int = 4096, cut: int | None = None, clean: bool = False) -> Answer:
    """A recorded answer: in chunks if it was a stream or is to come in odd pieces, else with its length."""
    return Answer(
        record.body,
        status=record.status,
        headers=record.response_headers,
        chunked=record.streamed or piece < _PACKET,
        piece=piece,
        cut=cut,
        clean=clean,
        path=record.path,
    )


class Provider:
    """The server; one for all tests of a module."""

    def __init__(self) -> None:
        self._seats: dict[str, Seat] = {}
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Provider":
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def seat(self, answers: Iterable[Answer] = ()) -> Seat:
        """A place for one more client. Its URL has no slash at the end."""
        assert self._server is not None
        name = f"s{len(self._seats)}"
        self._seats[name] = seat = Seat(f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/{name}")
        seat.say(*answers)
        return seat

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read a request, answer it. False when the connection is not to be used again."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        name, _, path = head[0].split(" ")[1].lstrip("/").partition("/")
        headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        seat = self._seats[name]
        seat.asked.append(Asked(f"/{path.partition('?')[0]}", headers, msgspec.json.decode(body) if body else None))
        answer = seat.answers.popleft() if seat.answers else Answer(b'{"error": "nothing left to say"}', status=418)
        if answer.path and answer.path != seat.asked[-1].path:
            answer = Answer(b'{"error": "asked elsewhere"}', status=404)
        await asyncio.sleep(answer.before)
        return await _say(answer, writer)


async def _say(answer: Answer, writer: asyncio.StreamWriter) -> bool:
    """Send an answer. False when it was cut, or dropped."""
    body = answer.body if answer.cut is None else answer.body[: answer.cut]
    short = len(body) < len(answer.body)
    told = len(body) if answer.clean else len(answer.body)
    length = "transfer-encoding: chunked" if answer.chunked else f"content-length: {told}"
    lines = [f"HTTP/1.1 {answer.status} said", *(f"{key}: {value}" for key, value in answer.headers.items()), length]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    pieces = [body[at : at + answer.piece] for at in range(0, len(body), answer.piece)]
    if answer.chunked:
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    if answer.between or not answer.chunked:
        for at, piece in enumerate(pieces):
            if at and answer.between:
                await asyncio.sleep(answer.between)
            writer.write(piece)
    else:  # the client sees each chunk by itself, however many come in one packet
        for at in range(0, len(pieces), _BATCH):
            writer.write(b"".join(pieces[at : at + _BATCH]))
            await writer.drain()
    if answer.chunked and (answer.clean or not short):
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    return answer.clean or not short
