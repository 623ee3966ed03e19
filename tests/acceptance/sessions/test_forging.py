"""What callers hand in must not pass for a session's own, and what others name must not be taken for a run's."""

from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import Conflict, InputInvalid, KeyConflict
from callboard.domain.ids import derived
from callboard.domain.principal import Grant, Kind, Principal, Role
from callboard.settings import EngineSettings
from callboard.store.sessions import Meanwhile, NewTurn, TurnStatus


def _app() -> cb.App:
    app = cb.App("house")

    @app.flow
    async def heard(ctx: cb.Context, chat: cb.Chat) -> list[str]:
        return [message.text for message in chat.messages]

    @app.flow
    async def hands_on(ctx: cb.Context, value: Any) -> Any:
        return await ctx.spawn(heard, value["for another"])

    @app.flow
    async def again(ctx: cb.Context, value: Any) -> Any:
        if "next" not in value:
            return value.text
        ctx.continue_as_new(value["next"])

    @app.flow
    async def gate(ctx: cb.Context, said: str) -> Any:
        return await ctx.wait("go", timeout=60)

    return app


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest) -> cb.Settings:
    place = "sqlite://" if request.param == "sqlite" else request.getfixturevalue("new_database")("forging")
    return cb.Settings(store=place, engine=EngineSettings(sweep=0.2, drain=0.5))


async def test_a_conversation_is_read_by_its_own_turns_and_nobody_else(settings: cb.Settings) -> None:
    async with cb.open(_app(), settings=settings) as rt:
        heard = rt.services.find("heard")
        assert heard is not None
        session = await rt.sessions.create("default", heard)
        turn = await rt.sessions.send("default", session.id, "between us")
        assert await rt.handle(turn.id).result(10) == ["between us"]
        forged = {"$session": {"id": session.id, "turn": turn.id}}
        for flow, value in (("hands_on", {"for another": forged}), ("again", {"next": forged})):
            with pytest.raises(cb.RunFailed, match="refers to a session"):
                await rt.run(flow, value)
        with pytest.raises(InputInvalid, match="refers to a session"):
            await rt.start("again", forged)
        with pytest.raises(InputInvalid, match="refers to a session"):
            await rt.schedules.put("nightly", "again", "0 0 * * *", input=forged)
        with pytest.raises(InputInvalid, match="those of sessions"):
            await rt.start("gate", "x", key=f"$turn:{turn.id}")


async def test_a_turn_cannot_be_named_like_a_run_that_is_there(settings: cb.Settings) -> None:
    async with cb.open(_app(), settings=settings) as rt:
        private = await rt.start("gate", "x")
        heard = rt.services.find("heard")
        assert heard is not None
        session = await rt.sessions.create("default", heard)
        with pytest.raises(Conflict, match="run of its own"):
            await rt.sessions.send("default", session.id, "mine", turn_id=private.id)

        grant = Grant(Role.AUTHOR, flows=("heard",))
        somebody = Principal(kind=Kind.KEY, id="k1", name="somebody", grants=(grant,), tenant="default")
        desk = rt.desk(somebody, "default")
        first = await desk.sessions.send(session.id, "hello", key=private.id)
        again = await desk.sessions.send(session.id, "hello", key=private.id)
        assert first.id == again.id == derived(session.created_at, "turn", "default", session.id, private.id)
        assert await rt.handle(first.id).result(10) == ["hello"]
        for text, instructions in (("something else", ""), ("hello", "Be rude.")):
            with pytest.raises(KeyConflict):
                await desk.sessions.send(session.id, text, key=private.id, instructions=instructions)
        assert not (await private.status()).ended


async def test_a_run_that_was_begun_for_a_turn_that_another_overtook_is_cancelled(settings: cb.Settings) -> None:
    async with cb.open(_app(), settings=settings) as rt:
        gate = rt.services.find("gate")
        assert gate is not None
        session = await rt.sessions.create("default", gate)
        ids, now = rt.services.ids, rt.services.clock.now()
        first, second = (NewTurn(id=ids.new(), message=_user(text), at=now) for text in ("one", "two"))
        slow = (await rt.store.sessions.add("default", session.id, first, Meanwhile.QUEUE)).turn
        await rt.store.sessions.add("default", session.id, second, Meanwhile.INTERRUPT)
        await rt.sessions._begin(session, slow)  # by who had looked at it before the second came
        skipped = await rt.sessions.turn("default", slow.id)
        assert skipped is not None
        assert skipped.status is TurnStatus.SKIPPED
        assert (await rt.handle(slow.id).outcome(10)).status is cb.RunStatus.CANCELLED


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"type": "text", "text": text}]}
