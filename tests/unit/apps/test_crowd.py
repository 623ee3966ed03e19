"""A process has so many requests in hand and refuses more at once; who waits for a body or a run is not counted."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Message, Receive, Scope, Send

from callboard.apps.entrance import crowd
from callboard.apps.entrance.crowd import Crowd


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
        await send({"type": "http.response.start", "status": 200, "headers": []})
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
async def street(house: House, most: int) -> AsyncIterator[Street]:
    found = Street(Crowd(house, most))
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
    monkeypatch.setattr(crowd, "_AT_ONCE", 1)
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


async def test_who_has_waited_too_long_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "_AT_ONCE", 1)
    monkeypatch.setattr(crowd, "_PATIENCE", 0.05)
    house = House()
    async with street(house, 10) as outside:
        for path in ("/a", "/b"):
            await outside.come(path)
        await asyncio.sleep(0.1)
        await outside.come("/c")
        house.answer("/a")
        await settled()
        assert (house.came, outside.answers) == (["/a", "/c"], {"/a": 200, "/b": 429})
