"""A requeued run goes on after its last success and does again what failed; a fork goes on by itself."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import ChildFailed, Conflict, InputInvalid
from callboard.domain.event import Event, EventKind
from callboard.testing import TestRuntime, runtime
from tests.unit.engine.play import Counter, events, failure, requeue, story


class Switch:
    """A step that fails until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.calls = 0

    async def work(self) -> str:
        self.calls += 1
        if not self.mended:
            raise ConnectionError("down")
        return "up"


@pytest.mark.parametrize("where", ["step", "gather", "race", "timeout", "scope", "retried"])
async def test_a_failed_run_does_again_what_failed_and_nothing_else(where: str) -> None:
    app, before, switch = cb.App("requeue"), Counter(), Switch()

    async def work(ctx: cb.Context) -> Any:
        match where:
            case "gather":
                return (await ctx.gather(ctx.step(before.count), ctx.step(switch.work)))[1]
            case "race":
                return (await ctx.race(ctx.wait("never"), ctx.step(switch.work)))[1]
            case "timeout":
                return await ctx.timeout(1_000, ctx.step(switch.work))
            case "scope":
                with ctx.scope("part"):
                    return await ctx.step(switch.work)
            case "retried":
                return await ctx.step(switch.work, retry=cb.Retry(attempts=2, first=0.0))
            case _:
                return await ctx.step(switch.work)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return [await ctx.step(before.count), await work(ctx), await ctx.step(before.count)]

    async with runtime(app) as test:
        handle = await test.start(flow)
        assert isinstance(await failure(handle), cb.StepFailed)
        counted = before.calls
        switch.mended = True
        run = await requeue(test, handle)
        assert (run.error, run.finished_at) == (None, None)
        assert await handle.result(timeout=30) == [1, "up", counted + 1]
        assert "requeued" in await story(test, handle)


async def test_a_run_can_fail_and_be_requeued_again_and_again() -> None:
    app, switch = cb.App("requeue"), Switch()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.step(switch.work)

    async with runtime(app) as test:
        handle = await test.start(flow)
        for calls in (1, 2, 3):
            await failure(handle)
            assert switch.calls == calls
            switch.mended = calls == 3
            await requeue(test, handle)
        assert await handle.result(timeout=30) == "up"


async def test_a_failure_that_the_flow_had_handled_is_not_done_again() -> None:
    app, switch, last = cb.App("requeue"), Switch(), Switch()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        try:
            await ctx.step(switch.work, name="first")
        except cb.StepFailed:
            return await ctx.step(last.work, name="second")

    async with runtime(app) as test:
        handle = await test.start(flow)
        await failure(handle)
        switch.mended = last.mended = True
        await requeue(test, handle)
        assert await handle.result(timeout=30) == "up"
    assert (switch.calls, last.calls) == (1, 2)


async def test_a_bug_in_plain_code_is_passed_when_it_has_been_mended() -> None:
    app, counter, bugs = cb.App("requeue"), Counter(), [True]

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> int:
        count = await ctx.step(counter.count)
        if bugs:
            raise ZeroDivisionError
        return count

    async with runtime(app) as test:
        handle = await test.start(flow)
        await failure(handle)
        bugs.clear()
        await requeue(test, handle)
        assert await handle.result(timeout=30) == 1


async def test_a_failed_child_is_started_anew() -> None:
    app, switch = cb.App("requeue"), Switch()

    @app.flow
    async def child(ctx: cb.Context, _: Any) -> Any:
        return await ctx.step(switch.work)

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> Any:
        return await ctx.spawn(child, None)

    async with runtime(app) as test:
        handle = await test.start(parent)
        assert isinstance(await failure(handle), ChildFailed)
        switch.mended = True
        await requeue(test, handle)
        assert await handle.result(timeout=30) == "up"
        assert len(await test.rt.store.runs.find("default", parent=handle.id)) == 2


async def test_only_blocked_failed_and_dead_runs_can_be_requeued() -> None:
    app = cb.App("requeue")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.sleep(10)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        with pytest.raises(Conflict, match="is waiting"):
            await requeue(test, handle)
        await test.wind(11)
        await handle.result(timeout=30)
        with pytest.raises(Conflict, match="is succeeded"):
            await requeue(test, handle)


async def test_a_refused_answer_of_a_model_is_asked_for_again() -> None:
    from callboard.domain.message import assistant
    from callboard.models import FinishReason, ModelRequest, ModelResponse

    app, mended = cb.App("requeue"), list[bool]()

    def answer(request: ModelRequest) -> Any:
        finish = FinishReason.STOP if mended else FinishReason.LENGTH
        return ModelResponse(assistant("well"), finish=finish)

    agent = app.agent("agent", model=cb.ScriptedModel(answer))
    async with runtime(app) as test:
        handle = await test.start(agent, "hello")
        await failure(handle)
        mended.append(True)
        await requeue(test, handle)
        assert await handle.result(timeout=30) == "well"


async def history(test: TestRuntime, run_id: str) -> list[Event]:
    return await test.rt.store.journal.read("default", run_id)


async def test_a_fork_shares_the_history_and_executes_only_what_is_new() -> None:
    app, shared, own = cb.App("fork"), Counter(), Counter()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return [await ctx.step(shared.count), await ctx.step(shared.count), await ctx.step(own.count)]

    async with runtime(app) as test:
        handle = await test.start(flow)
        assert await handle.result(timeout=30) == [1, 2, 1]
        fork = await test.rt.commands.fork("default", handle.id, 2)
        assert await test.rt.handle(fork.id).result(timeout=30) == [1, 2, 2]
        assert (await history(test, fork.id))[:3] == (await events(test, handle))[:3]
        assert [e.kind for e in await history(test, fork.id)][3:] == [
            EventKind.FORKED, EventKind.DONE, EventKind.RUN_SUCCEEDED
        ]  # fmt: skip
        assert fork.fork_of == handle.id
        assert await handle.result(timeout=30) == [1, 2, 1]  # the first run knows nothing of it
        second = await test.rt.commands.fork("default", fork.id, 4)
        assert await test.rt.handle(second.id).result(timeout=30) == [1, 2, 2]
    assert (shared.calls, own.calls) == (2, 2)


async def test_a_fork_is_refused_where_an_effect_is_open_or_the_run_had_ended() -> None:
    app = cb.App("fork")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.sleep(10)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(11)
        await handle.result(timeout=30)
        with pytest.raises(Conflict, match=r"0:sleep .* is open at event 1"):
            await test.rt.commands.fork("default", handle.id, 1)
        with pytest.raises(Conflict, match="ended at event 3"):
            await test.rt.commands.fork("default", handle.id, 3)
        with pytest.raises(InputInvalid, match="not an event"):
            await test.rt.commands.fork("default", handle.id, 99)


async def test_a_fork_of_a_run_whose_attached_child_has_not_ended_does_not_wait_for_ever() -> None:
    app, counter = cb.App("fork"), Counter()

    @app.flow
    async def child(ctx: cb.Context, _: Any) -> Any:
        return await ctx.wait("word")

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> Any:
        spawned = await ctx.spawn(child, None, mode="attached")
        await ctx.step(counter.count)
        return await spawned.result()

    async with runtime(app) as test:
        handle = await test.start(parent)
        await test.settle()
        try:
            fork = await test.rt.commands.fork("default", handle.id, 2)
        except Conflict:
            return  # refusing is as good as answering
        for run in await test.rt.store.runs.find("default", flow="child"):
            await test.rt.handle(run.id).signal("word", 7)
        await test.wind(seconds=3)  # a fork looks for a child that is not its own
        assert await handle.result(timeout=30) == 7
        assert await test.rt.handle(fork.id).result(timeout=30) == 7


async def test_a_run_whose_fork_is_kept_is_not_purged() -> None:
    app, counter = cb.App("fork"), Counter()

    @app.flow
    async def flow(ctx: cb.Context, large: str) -> int:
        await ctx.step(counter.count)
        return len(large)

    async with runtime(app) as test:
        handle = await test.start(flow, "x" * 100_000)
        await handle.result(timeout=30)
        fork = await test.rt.commands.fork("default", handle.id, 1)
        assert await test.rt.handle(fork.id).result(timeout=30) == 100_000
        ended, forever = [cb.RunStatus.SUCCEEDED], test.clock.now() + 1e6
        purged = await asyncio.gather(
            *[
                test.rt.store.runs.purge("default", before=forever, statuses=ended, batch=10, blobs_before=blobs)
                for blobs in (0.0, 4e9, 4e9)
            ]
        )
        assert sum(purge.runs for purge in purged) == 2  # first the fork, then what it stood on
        assert purged[0].runs == 1
        assert sum(purge.blobs for purge in purged) == 1
