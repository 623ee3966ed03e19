"""A process has so many requests in hand, and none for long: it refuses more at once, and who would join a queue that
stands. Who waits for a body or a run is not counted."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from callboard.apps.entrance import turns
from callboard.apps.entrance.crowd import Crowd
from callboard.apps.entrance.refusing import Refusing
from callboard.apps.entrance.turns import Turns
from callboard.apps.gateway.protocol import limited


class House:
    """What is inside: notes who has come in, and answers when it is told to."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.go: dict[str, asyncio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.came.append(scope["path"])
        if scope["path"] == "/reads":
            await receive()
        if scope["path"] == "/waits":
            scope["state"]["aside"]()
        await self.go.setdefault(scope["path"], asyncio.Event()).wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def answer(self, path: str) -> None:
        self.go.setdefault(path, asyncio.Event()).set()


class Street:
    """Requests that have come, and how each was answered; `arrived` lets bodies come."""

    def __init__(self, within: Crowd) -> None:
        self.answers: dict[str, int] = {}
        self.bodies: dict[str, bytes] = {}
        self.retry: dict[str, bytes] = {}
        self.arrived = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self._within = within

    async def come(self, path: str, *, whole: bool = True) -> None:
        async def receive() -> Message:
            await self.arrived.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.answers[path] = message["status"]
                self.retry[path] = dict(message["headers"]).get(b"retry-after", b"")
            else:
                self.bodies[path] = message["body"]

        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [],
            "state": {"whole": True} if whole else {},
        }
        self.tasks.append(asyncio.ensure_future(self._within(scope, receive, send)))
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def street(house: House, most: int, clock: Callable[[], float] | None = None) -> AsyncIterator[Street]:
    found = Street(Crowd(house, Turns(most, clock)))
    try:
        yield found
    finally:
        for task in found.tasks:
            task.cancel()
        await asyncio.gather(*found.tasks, return_exceptions=True)


async def test_more_than_there_is_room_for_are_told_to_come_back_and_health_is_answered() -> None:
    house = House()
    async with street(house, 2) as outside:
        for path in ("/a", "/b", "/c", "/livez"):
            await outside.come(path)
        assert house.came == ["/a", "/b", "/livez"]
        assert (outside.answers, outside.retry["/c"]) == ({"/c": 429}, b"1")
        said = json.loads(outside.bodies["/c"])
        assert (said["code"], "2 requests" in said["detail"]) == ("overloaded", True)
        house.answer("/a")
        await settled()
        await outside.come("/d")
        assert house.came[-1] == "/d"


async def test_who_waits_for_a_run_or_for_its_own_body_takes_no_room() -> None:
    house = House()
    async with street(house, 1) as outside:
        for path in ("/waits", "/reads"):
            await outside.come(path, whole=path == "/waits")
        await outside.come("/a")
        assert house.came == ["/waits", "/reads", "/a"]
        outside.arrived.set()  # and now it is counted
        await settled()
        house.answer("/a")
        await settled()
        await outside.come("/b")
        assert outside.answers == {"/a": 200, "/b": 429}
        for path in ("/waits", "/reads"):
            house.answer(path)
        await settled()
        await outside.come("/c")
        assert house.came[-1] == "/c"


async def test_so_many_are_worked_on_and_the_rest_comes_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_AT_ONCE", 1)
    house = House()
    async with street(house, 10) as outside:
        for path in ("/a", "/b", "/c", "/d"):
            await outside.come(path)
        assert house.came == ["/a"]
        outside.tasks[1].cancel()  # it must not keep the turn that it is given
        house.answer("/a")
        await settled()
        assert house.came == ["/a", "/c"]
        house.answer("/c")
        await settled()
        assert house.came == ["/a", "/c", "/d"]


class Watch:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_queue_that_stands_is_joined_by_nobody_and_who_waited_too_long_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "_AT_ONCE", 1)
    house, watch = House(), Watch()
    async with street(house, 10, watch) as outside:
        for path in ("/a", "/b"):
            await outside.come(path)
        watch.now = 0.2
        await outside.come("/c")  # a burst: it may still be worked off
        assert outside.answers == {}
        for watch.now, path in ((0.25, "/x"), (1.04, "/y"), (1.06, "/d")):  # a burst no more
            await outside.come(path)
        assert (outside.answers, outside.retry["/d"]) == ({"/d": 429}, b"1")
        watch.now = 1.1
        house.answer("/a")
        await settled()
        assert (house.came, outside.answers) == (
            ["/a", "/y"],
            {"/a": 200} | dict.fromkeys(("/b", "/c", "/x", "/d"), 429),
        )
        await outside.come("/e")  # nobody waits any more
        assert "/e" not in outside.answers


class Wire(asyncio.Transport):
    """What goes out over a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False
        self.protocol: Any = None

    def write(self, data: Any) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def answers(self) -> list[tuple[dict[str, str], bytes]]:
        """Heads and bodies of what was sent; nothing is left over."""
        found, rest = [], self.sent
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = {"": first} | {name: value for name, _, value in (line.partition(": ") for line in lines)}
            length = int(headers["content-length"])
            found.append((headers, rest[:length]))
            rest = rest[length:]
        return found


def connected(inside: House, asked: list[tuple[str, int]]) -> Wire:
    """A connection to a process that has a request in hand already and takes no more than one."""
    full = Turns(1)
    full.inside = 1

    def observe(method: str, route: str, status: int, seconds: float) -> None:
        asked.append((method, status))

    refusing = Refusing(full, lambda: "made-here", observe, secure=True)
    config = uvicorn.Config(Crowd(inside, full), http=limited(60.0, refusing.answer), ws="none", log_config=None)
    config.load()
    made: Any = config.http_protocol_class
    wire = Wire()
    wire.protocol = made(config=config, server_state=ServerState(), app_state={})
    wire.protocol.connection_made(wire)
    return wire


async def test_who_is_sent_away_is_answered_before_anything_is_made_of_the_request() -> None:
    house, asked = House(), list[tuple[str, int]]()
    wire = connected(house, asked)
    head = b"POST /v1/runs?x=1 HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n"
    wire.protocol.data_received(head + b"x-request-id: theirs\r\n\r\nbody" + head + b"\r\nbody")
    (first, said), (second, _) = wire.answers()
    assert (first[""], first["retry-after"]) == ("HTTP/1.1 429 Too Many Requests", "1")
    assert json.loads(said)["instance"] == "urn:callboard:request:theirs"
    assert json.loads(said)["code"] == "overloaded"
    assert (first["x-request-id"], second["x-request-id"]) == ("theirs", "made-here")
    assert {"strict-transport-security", "content-security-policy", "x-content-type-options"} <= first.keys()
    assert not wire.closed
    wire.protocol.data_received(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n")
    await settled()
    assert (house.came, asked) == (["/livez"], [("POST", 429)] * 2)
    house.answer("/livez")
    await settled()
    assert wire.answers()[2][0][""] == "HTTP/1.1 200 OK"


async def test_the_rest_of_a_body_is_not_waited_for() -> None:
    wire = connected(House(), [])
    wire.protocol.data_received(b"POST /v1/runs HTTP/1.1\r\nhost: a\r\ncontent-length: 9999\r\n\r\nsome")
    ((head, _),) = wire.answers()
    assert (head["connection"], wire.closed) == ("close", True)
