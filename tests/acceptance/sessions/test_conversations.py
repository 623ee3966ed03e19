"""Conversations: every message is answered once, one after the other, whoever dies in between."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

import callboard as cb
from callboard.domain.errors import Conflict, InputInvalid
from callboard.domain.message import assistant, system, user
from callboard.runtime import Flow, Runtime
from callboard.settings import EngineSettings
from callboard.store.sessions import Meanwhile, NewTurn, Turn, TurnStatus

OPTIONS = EngineSettings(sweep=0.2, drain=0.5)


class House:
    """An app whose agent answers with what it was told, and the calls that it made."""

    def __init__(self, store: str) -> None:
        self.store = store
        self.hold = asyncio.Event()
        self.asked: list[list[str]] = []
        self.app = cb.App("house")
        self.app.agent("echo", model=cb.ScriptedModel(self.reply), prompt="Echo.")

        @self.app.flow
        async def slow(ctx: cb.Context, said: str) -> str:
            if said == "wait":
                await ctx.wait("go", timeout=60)
            if said == "fail":
                raise ValueError("no")
            return f"done {said}"

        @self.app.flow
        async def whole(ctx: cb.Context, chat: cb.Chat) -> list[str]:
            return [f"{m.role}:{m.text}" for m in chat.messages]

        @self.app.flow
        async def order(ctx: cb.Context, wanted: dict[str, int]) -> int:
            return sum(wanted.values())

    def reply(self, request: Any) -> str:
        self.asked.append([f"{m.role}:{m.text}" for m in request.messages])
        return f"heard {request.messages[-1].text}"

    def open(self, **options: Any) -> Any:
        settings = cb.Settings(store=self.store, engine=OPTIONS)
        return cb.open(self.app, settings=settings, **options)


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    if request.param == "sqlite":
        return House(f"sqlite:///{tmp_path / 'house.db'}")
    return House(request.getfixturevalue("new_database")("sessions"))


def flow_of(rt: Runtime, name: str) -> Flow:
    found = rt.services.find(name)
    assert found is not None
    return found


async def _ended(rt: Runtime, turn: Turn) -> Any:
    return await rt.handle(turn.id).result(10)


async def _status(rt: Runtime, turn: Turn) -> cb.RunStatus:
    outcome = await rt.handle(turn.id).outcome(10)
    return outcome.status


async def test_a_conversation_goes_on_and_branches(house: House) -> None:
    async with house.open() as rt:
        session = await rt.sessions.create("default", flow_of(rt, "echo"), labels={"team": "red"})
        first = await rt.sessions.send("default", session.id, "one", instructions="Be brief.", by="key:1")
        assert await _ended(rt, first) == "heard one"
        second = await rt.sessions.send("default", session.id, "two", earlier=[user("by the way"), assistant("yes?")])
        assert await _ended(rt, second) == "heard two"
        branch = await rt.sessions.send("default", session.id, "three", after=first.id)
        assert await _ended(rt, branch) == "heard three"
        said = ["user:one", "assistant:heard one"]
        assert house.asked == [
            ["system:Echo.", "system:Be brief.", "user:one"],
            ["system:Echo.", *said, "user:by the way", "assistant:yes?", "user:two"],
            ["system:Echo.", *said, "user:three"],
        ]
        run = await rt.handle(first.id).run()
        assert (run.labels, run.by, run.flow) == ({"session": session.id}, "key:1", "echo")
        journal = [event async for event in rt.handle(branch.id).events()]
        assert b"heard one" not in b"".join(event.body for event in journal)  # the history is in no run's journal
        with pytest.raises(InputInvalid, match="refers to a session"):
            await rt.start("echo", {"$session": {"id": session.id, "turn": first.id}})

        whole = await rt.sessions.create("default", flow_of(rt, "whole"), session_id="mine")
        turn = await rt.sessions.send("default", "mine", "hello")
        assert await _ended(rt, turn) == ["user:hello"]
        turn = await rt.sessions.send("default", whole.id, "again")
        assert await _ended(rt, turn) == ["user:hello", 'assistant:["user:hello"]', "user:again"]
        await rt.sessions.create("default", flow_of(rt, "order"), session_id="orders")
        assert await _ended(rt, await rt.sessions.send("default", "orders", '{"a": 2, "b": 3}')) == 5
        with pytest.raises(InputInvalid, match="structured input, and the last message is not JSON"):
            await rt.sessions.send("default", "orders", "two apples")
        inline = {"$chat": msgspec.to_builtins([system("Shout."), user("hi"), assistant("HI"), user("bye")])}
        assert await rt.run("echo", inline) == "heard bye"
        assert house.asked[-1] == ["system:Echo.", "system:Shout.", "user:hi", "assistant:HI", "user:bye"]


async def test_a_message_that_comes_meanwhile(house: House) -> None:
    async with house.open() as rt:

        async def begin() -> tuple[str, Callable[..., Any], Turn]:
            session = await rt.sessions.create("default", flow_of(rt, "slow"))

            async def send(text: str, meanwhile: Meanwhile = Meanwhile.QUEUE, **options: Any) -> Turn:
                return await rt.sessions.send("default", session.id, text, meanwhile=meanwhile, **options)

            return session.id, send, await send("wait")

        _, send, waits = await begin()
        queued = await send("next")
        with pytest.raises(Conflict):
            await send("not now", Meanwhile.REJECT)
        assert (waits.status, queued.status) == (TurnStatus.STARTED, TurnStatus.PENDING)
        await rt.handle(waits.id).signal("go")
        assert await _ended(rt, queued) == "done next"

        _, send, waits = await begin()
        interrupts = await send("at once", Meanwhile.INTERRUPT)
        assert (await _status(rt, waits), await _ended(rt, interrupts)) == ("cancelled", "done at once")
        path = await rt.store.sessions.path("default", interrupts.id)
        last = await rt.sessions.turn("default", interrupts.id)
        assert [turn.id for turn in path] == [waits.id, interrupts.id]
        assert last is not None
        assert last.silent == (waits.id,)

        session_id, send, waits = await begin()
        dropped = await send("never")
        replaces = await send("instead", Meanwhile.REPLACE, turn_id=rt.services.ids.new())
        assert (await _status(rt, waits), await _ended(rt, replaces)) == ("cancelled", "done instead")
        again = await send("instead", Meanwhile.REPLACE, turn_id=replaces.id)
        assert again.id == replaces.id
        turns = await rt.sessions.turns("default", session_id)
        assert [(turn.id, str(turn.status)) for turn in turns] == [
            (waits.id, "dropped"),
            (dropped.id, "dropped"),
            (replaces.id, "started"),
        ]
        assert not await rt.store.runs.rows("default", [dropped.id])


async def test_twenty_messages_at_once_are_answered_one_after_the_other(house: House) -> None:
    async with AsyncExitStack() as stack:
        doors = [await stack.enter_async_context(house.open(worker=False)) for _ in range(2)]
        worker = await stack.enter_async_context(house.open())
        await worker.sessions.create("default", flow_of(worker, "echo"), session_id="s")
        sent = [doors[i % 2].sessions.send("default", "s", f"m{i}") for i in range(20)]
        turns = sorted(await asyncio.gather(*sent), key=lambda turn: turn.number)
        for turn in turns:
            assert await _ended(worker, turn) == f"heard {turn.message['parts'][0]['text']}"
        assert [len(each) for each in house.asked] == [2 + 2 * i for i in range(20)]  # each saw all before it, once
        runs = await worker.store.runs.find("default", labels={"session": "s"}, limit=100)
        assert len(runs) == 20


@pytest.mark.parametrize("died", ["before the start", "after the start"])
async def test_a_message_outlives_its_sender(house: House, died: str) -> None:
    async with house.open(worker=False) as door:
        await door.sessions.create("default", flow_of(door, "echo"), session_id="s")
        new = NewTurn(id=door.services.ids.new(), message=msgspec.to_builtins(user("still there")), at=1.0)
        added = await door.store.sessions.add("default", "s", new, Meanwhile.QUEUE)  # and then the process is gone
        if died == "after the start":

            async def gone(*args: Any) -> None:
                raise asyncio.CancelledError

            stored = door.store.sessions
            stored.started = gone
            with pytest.raises(asyncio.CancelledError):
                await door.sessions.advance("default", "s")
    async with house.open() as first, house.open() as second:
        assert await _ended(first, added.turn) == "heard still there"
        await asyncio.sleep(0.5)  # both have swept again
        turn = await second.sessions.turn("default", new.id)
        assert turn is not None
        assert turn.status is TurnStatus.STARTED
        assert len(await second.store.runs.find("default")) == 1
    assert house.asked == [["system:Echo.", "user:still there"]]
