"""A `once` call whose outcome is unknown is settled by asking its reconciliation, then a person."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import UnknownOutcome
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.settings import EngineSettings
from callboard.testing import TestRuntime, WindingClock, runtime
from tests.unit.engine.play import (
    Gate,
    decide,
    die_and_return,
    events,
    failure,
    kinds,
    open_question,
    requeue,
    story,
)

WINDOW, LIMIT = 5.0, 30.0  # of the test kit's settings, and of the tool


class Bank:
    """An outside system with a ledger; the first call hangs after it was (or was not) booked."""

    def __init__(self, *, booked: bool = True) -> None:
        self.ledger: dict[str, int] = {}
        self.calls: list[str] = []
        self.asked: list[tuple[str, float]] = []
        self.gate = Gate()
        self._booked = booked

    async def charge(self, key: str, cents: int) -> str:
        self.calls.append(key)
        if len(self.calls) > 1 or self._booked:
            assert key not in self.ledger, "booked twice"
            self.ledger[key] = cents
        if len(self.calls) == 1:
            await self.gate.enter()
        return f"receipt {len(self.calls)}"


def shop(bank: Bank, reconcile: Any = None) -> cb.App:
    """An app whose flow charges once."""
    app = cb.App("once")

    @app.tool(timeout=LIMIT, **({"reconcile": reconcile} if reconcile else {}))
    async def charge(cents: int, *, key: cb.IdempotencyKey) -> str:
        return await bank.charge(key, cents)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        try:
            return await charge.call(ctx, cents=500)
        except UnknownOutcome as given_up:
            return ["given up", str(given_up), given_up.path]

    return app


async def died_in_call(test: TestRuntime, bank: Bank) -> cb.RunHandle:
    """A run whose worker died while the call was in flight."""
    handle = await test.start("flow")
    await bank.gate.reached.wait()
    return await die_and_return(test, handle)


async def test_the_intent_is_committed_before_the_call_with_its_key_and_arguments() -> None:
    bank = Bank()
    async with runtime(shop(bank)) as test:
        handle = await test.start("flow")
        await bank.gate.reached.wait()
        journal = await events(test, handle)
        assert [e.kind for e in journal] == [EventKind.STARTED, EventKind.INTENT]
        intent = journal[1].value()
        assert intent["key"] == bank.calls[0]
        assert intent["key"].startswith(handle.id)
        assert intent["asked"] == {"cents": 500}
        bank.gate.opened.set()
        assert await handle.result(timeout=30) == "receipt 1"


async def test_a_call_that_was_applied_is_not_made_again() -> None:
    bank = Bank()

    async def reconcile(key: str) -> Any:
        bank.asked.append((key, test.clock.now()))
        return cb.Applied("receipt 1") if key in bank.ledger else cb.NotApplied()

    async with runtime(shop(bank, reconcile)) as test:
        begun = test.clock.now()
        handle = await died_in_call(test, bank)
        await test.wind(WINDOW + LIMIT - 1)
        assert bank.asked == []  # a stalled worker could still be about to call
        assert await handle.status() is cb.RunStatus.WAITING
        await test.wind(1)
        assert await handle.result(timeout=30) == "receipt 1"
    assert bank.asked == [(bank.calls[0], begun + WINDOW + LIMIT)]
    assert len(bank.calls) == 1


async def test_a_call_that_was_not_applied_is_made_soon_under_the_same_key() -> None:
    bank = Bank(booked=False)

    async def reconcile(key: str) -> Any:
        return cb.Applied("receipt") if key in bank.ledger else cb.NotApplied()

    async with runtime(shop(bank, reconcile)) as test:
        handle = await died_in_call(test, bank)
        await test.wind(WINDOW + LIMIT + 5)
        assert await handle.result(timeout=30) == "receipt 2"
        assert await kinds(test, handle, "0:charge") == [
            EventKind.INTENT, EventKind.RETRY, EventKind.INTENT, EventKind.DONE
        ]  # fmt: skip
    assert len(bank.calls) == 2 and len(set(bank.calls)) == 1
    assert list(bank.ledger.values()) == [500]


async def test_a_call_that_is_never_applied_is_not_made_for_ever() -> None:
    calls, app = [], cb.App("away")

    async def reconcile(key: str) -> Any:
        return cb.NotApplied()

    @app.tool(effect="once", reconcile=reconcile, timeout=1.0)
    async def charge(cents: int, key: cb.IdempotencyKey) -> str:
        """Never arrives."""
        calls.append(key)
        raise cb.UpstreamDown("no answer")

    @app.flow
    async def pay(ctx: cb.Context, cents: int) -> str:
        try:
            return str(await charge.call(ctx, cents=cents))
        except cb.ToolFailed as failure:
            return f"{failure.kind}, made: {failure.detail['made']}"

    async with runtime(app) as test:
        handle = await test.start(pay, 500)
        await test.wind(hours=2)
        assert await handle.result(timeout=30) == "timeout, made: False"
    assert len(calls) == 4
    assert len(set(calls)) == 1


@pytest.mark.parametrize("says", ["unknown", "raises", "something else"])
async def test_a_reconciliation_that_cannot_tell_leaves_it_to_a_person(says: str) -> None:
    bank = Bank()

    async def reconcile(key: str) -> Any:
        if says == "raises":
            raise ConnectionError
        return cb.Unknown() if says == "unknown" else "perhaps"

    async with runtime(shop(bank, reconcile)) as test:
        handle = await died_in_call(test, bank)
        await test.wind(WINDOW + LIMIT)
        question = await open_question(test, handle)
        assert question.kind == "settle"
        assert question.proposal["call"] == "charge"
        assert question.proposal["arguments"] == {"cents": 500}
        assert question.proposal["key"] == bank.calls[0]
        await decide(test, handle, "edited", "receipt from the bank's web page")
        assert await handle.result(timeout=30) == "receipt from the bank's web page"
    assert len(bank.calls) == 1


@pytest.mark.parametrize(
    ("status", "value", "result", "calls"),
    [
        ("approved", None, "receipt 2", 2),
        ("edited", "receipt of paper", "receipt of paper", 1),
        ("rejected", None, ["given up", "nobody knows whether charge happened; anna gave it up", "0:charge"], 1),
    ],
)
async def test_without_a_reconciliation_a_person_decides(status: str, value: Any, result: Any, calls: int) -> None:
    bank = Bank(booked=False)
    async with runtime(shop(bank)) as test:
        handle = await died_in_call(test, bank)
        await decide(test, handle, status, value)
        assert await handle.result(timeout=30) == result
    assert len(bank.calls) == calls


async def test_the_question_is_asked_once_though_workers_die_while_it_is_open() -> None:
    bank = Bank()
    async with runtime(shop(bank)) as test:
        handle = await died_in_call(test, bank)
        first = await open_question(test, handle)
        for _ in range(3):
            handle = await die_and_return(test, handle)
            await handle.signal("noise")
            assert (await open_question(test, handle)).id == first.id
        await decide(test, handle, "edited", "found")
        assert await handle.result(timeout=30) == "found"
    assert len(bank.calls) == 1


async def test_a_death_in_the_call_that_a_person_ordered_asks_again() -> None:
    bank = Bank(booked=False)
    async with runtime(shop(bank)) as test:
        handle = await died_in_call(test, bank)
        first = await open_question(test, handle)
        bank.gate.reached.clear()
        bank.calls.clear()  # so that the next call hangs as well
        await decide(test, handle, "approved")
        await bank.gate.reached.wait()
        handle = await die_and_return(test, handle)
        second = await open_question(test, handle)
        assert second.id != first.id
        await decide(test, handle, "rejected")
        assert (await handle.result(timeout=30))[0] == "given up"
    assert len(bank.calls) == 1


async def test_a_time_out_is_an_unknown_outcome_and_no_failure() -> None:
    app, calls, answers = cb.App("once"), [], [cb.Unknown(), cb.Applied("booked after all")]

    async def reconcile(key: str) -> Any:
        return answers.pop()

    @app.tool(timeout=0.05, reconcile=reconcile)
    async def charge() -> str:
        calls.append(1)
        await asyncio.sleep(60)
        return "?"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await charge.call(ctx)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await asyncio.sleep(0.1)
        await test.wind(WINDOW + 1)
        assert await handle.result(timeout=30) == "booked after all"
        assert "failed 0:charge" not in await story(test, handle)
    assert calls == [1]


@pytest.mark.parametrize("error", [cb.UpstreamDown("gone"), ValueError("a bug"), ConnectionResetError()])
async def test_an_error_that_leaves_doubt_is_an_unknown_outcome(error: Exception) -> None:
    app = cb.App("once")

    @app.tool
    async def charge() -> str:
        raise error

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await charge.call(ctx)

    async with runtime(app) as test:
        handle = await test.start(flow)
        assert (await open_question(test, handle)).kind == "settle"
        await decide(test, handle, "rejected", note="nobody knows")
        given_up = await failure(handle)
    assert (type(given_up), given_up.kind) == (UnknownOutcome, ErrorKind.UNKNOWN_OUTCOME)
    assert given_up.detail["note"] == "nobody knows"


async def test_a_definite_no_is_a_failure_at_once() -> None:
    app = cb.App("once")

    @app.tool
    async def charge() -> str:
        raise cb.UpstreamRejected("card expired")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await charge.call(ctx)

    async with runtime(app) as test:
        handle = await test.start(flow)
        error = await failure(handle)
    assert (type(error), error.kind) == (cb.ToolFailed, ErrorKind.UPSTREAM_REJECTED)


async def test_an_unknown_outcome_that_was_given_up_is_still_unknown_after_a_requeue() -> None:
    app, calls = cb.App("once"), []

    @app.tool
    async def charge() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionResetError
        return "charged"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await charge.call(ctx)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await decide(test, handle, "rejected")
        await failure(handle)
        await requeue(test, handle)
        await test.settle()
        assert calls == [1]  # requeueing is no permission to do it twice
        await decide(test, handle, "approved")
        assert await handle.result(timeout=30) == "charged"
    assert calls == [1, 1]


async def test_two_calls_of_one_tool_have_two_keys_and_a_replayed_one_keeps_its_own() -> None:
    app, keys, gate = cb.App("once"), [], Gate()

    @app.tool(effect="idempotent")
    async def book(n: int, *, key: cb.IdempotencyKey) -> int:
        keys.append((n, key))
        if n == 2:
            await gate.enter()
        return n

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return [await book.call(ctx, n=1), await book.call(ctx, n=2)]

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await handle.result(timeout=30) == [1, 2]
        assert await kinds(test, handle, "1:book") == [EventKind.INTENT, EventKind.DONE]
    assert [n for n, _ in keys] == [1, 2, 2]
    assert keys[1] == keys[2] and keys[0][1] != keys[1][1]


async def test_a_person_s_decision_is_waited_for_also_when_the_run_is_cancelled() -> None:
    bank = Bank()
    async with runtime(shop(bank)) as test:
        handle = await died_in_call(test, bank)
        await open_question(test, handle)
        await handle.cancel("enough")
        await decide(test, handle, "edited", "found")
        await test.settle()
        assert await kinds(test, handle, "0:charge") == [EventKind.INTENT, EventKind.INTENT, EventKind.DONE]
    assert len(bank.calls) == 1


async def test_a_call_that_a_drain_cut_off_is_an_unknown_outcome(tmp_path: Path) -> None:
    bank, clock = Bank(), WindingClock()
    settings = EngineSettings(sweep=0.05, drain=0.05)
    async with runtime(shop(bank), tmp_path / "store.db", clock=clock, settings=settings) as test:
        handle = await test.start("flow")
        await bank.gate.reached.wait()
    async with runtime(shop(bank), tmp_path / "store.db", clock=clock) as test:
        handle = test.rt.handle(handle.id)
        await decide(test, handle, "edited", "found")
        assert await handle.result(timeout=30) == "found"
    assert len(bank.calls) == 1


async def test_a_call_that_ends_after_its_flow_s_time_limit_is_recorded_and_not_lost() -> None:
    bank = Bank()
    app = cb.App("once")

    @app.tool(timeout=LIMIT)
    async def charge(*, key: cb.IdempotencyKey) -> str:
        return await bank.charge(key, 5)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            return str(await ctx.timeout(10, charge.call(ctx)))
        except cb.TimedOut:
            return "late"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await bank.gate.reached.wait()
        test.clock.set(test.clock.now() + 11)
        await asyncio.sleep(0.05)
        assert not (await handle.status()).ended
        bank.gate.opened.set()
        assert await handle.result(timeout=30) in ("late", "receipt 1")
        assert await kinds(test, handle, "0.0/0:charge") == [EventKind.INTENT, EventKind.DONE]
