"""A model call goes from one candidate of its route to the next, and says so."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import ModelFailed
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.domain.retry import Retry
from callboard.models import ModelInfo, ModelRequest
from callboard.resilience import BreakerRules
from callboard.testing import runtime
from tests.unit.agents.play import Fault, Recorder
from tests.unit.agents.routed import MODEL, answer, answering, deltas, failing, notes, routed
from tests.unit.engine.play import Gate, die_and_return, events, failure, kinds

ELSEWHERE = [
    ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED, ErrorKind.UPSTREAM_DOWN, ErrorKind.TIMEOUT,
    ErrorKind.MALFORMED_OUTPUT, ErrorKind.INCOMPLETE, ErrorKind.QUOTA, ErrorKind.AUTHENTICATION,
]  # fmt: skip


@pytest.mark.parametrize("kind", ELSEWHERE)
async def test_when_one_candidate_fails_the_next_is_asked_at_once(kind: ErrorKind) -> None:
    a, b = failing(kind), answering()
    app, agent = routed(a, b)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        assert await handle.result(timeout=30) == "done"
        assert await kinds(test, handle, MODEL) == [
            EventKind.INTENT, EventKind.RETRY, EventKind.INTENT, EventKind.DONE
        ]  # fmt: skip
        said = await answer(test, handle)
        assert [(each.model, each.reason) for each in said.route][-1] == ("b", "comes first by listed")
        assert said.route[0].model == "a"
        assert said.route[0].reason.startswith(f"failed in this call ({kind}")
        first, second = await notes(test, handle)
        assert (first["agent"], first["model"], second["model"]) == ("agent", "a", "b")
        assert first["considered"] == [["b", "comes later by listed"], ["a", "comes first by listed"]]
    assert (len(a.requests), len(b.requests)) == (1, 1)


@pytest.mark.parametrize("kind", [ErrorKind.INVALID_REQUEST, ErrorKind.CONTENT_FILTERED, ErrorKind.INPUT])
async def test_what_another_would_not_do_better_is_not_asked_of_another(kind: ErrorKind) -> None:
    a, b = failing(kind), answering()
    app, agent = routed(a, b)
    async with runtime(app) as test:
        error = await failure(await test.start(agent, "go"))
    assert error.kind is kind
    assert (len(a.requests), len(b.requests)) == (1, 0)


@pytest.mark.parametrize(("window", "larger"), [(4_000, False), (8_000, True)])
async def test_what_is_too_long_for_one_goes_to_a_larger_one_only(window: int, larger: bool) -> None:
    a, b = failing(ErrorKind.CONTEXT_TOO_LONG), answering()
    a.model.info = ModelInfo(name="a", upstream="a", context=4_000)
    b.model.info = ModelInfo(name="b", upstream="b", context=window)
    app, agent = routed(a, b)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        if larger:
            assert await handle.result(timeout=30) == "done"
        else:
            assert (await failure(handle)).kind is ErrorKind.CONTEXT_TOO_LONG
    assert (len(a.requests), len(b.requests)) == (1, int(larger))


async def test_when_all_have_failed_they_are_asked_again_in_turn_as_often_as_their_upstreams_say() -> None:
    a, b = failing(ErrorKind.UPSTREAM_DOWN), answering(faults=[Fault(ErrorKind.OVERLOADED, attempts=100)])
    app, agent = routed(a, b)
    app.upstream("a", retry=Retry(attempts=3, first=1.0), breaker=None)
    app.upstream("b", retry=Retry(attempts=2, first=10.0), breaker=None)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await test.settle()
        assert await handle.status() is cb.RunStatus.WAITING
        await test.wind(1_000)
        error = await failure(handle)
        asked = [note["model"] for note in await notes(test, handle)]
    assert asked == ["a", "b", "a", "a", "b"]
    assert error.kind is ErrorKind.OVERLOADED


async def test_a_worker_that_takes_over_goes_on_with_the_same_plan() -> None:
    gate = Gate("done")
    a, b = failing(ErrorKind.OVERLOADED), answering(lambda request: gate.enter())
    app, agent = routed(a, b)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await handle.result(timeout=30) == "done"
        assert [note["model"] for note in await notes(test, handle)] == ["a", "b", "b"]
    assert (len(a.requests), gate.entered) == (1, 2)


async def test_whoever_reads_along_is_told_that_the_answer_begins_anew() -> None:
    a = Recorder(["from a"], name="a", chunk=2, faults=[Fault(ErrorKind.OVERLOADED, attempts=9, after_chunks=2)])
    app, agent = routed(a, answering())
    seen: list[Any] = []
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        watching = asyncio.create_task(deltas(handle, seen))
        assert await handle.result(timeout=30) == "done"
        await asyncio.sleep(0.01)
        watching.cancel()
    assert [type(each).__name__ for each in seen] == ["TextDelta", "TextDelta", "RestartDelta", "TextDelta"]
    assert (seen[2].why, seen[2].model) == ("overloaded", "b")


async def test_a_failover_before_the_first_delta_is_nobody_s_business() -> None:
    app, agent = routed(failing(ErrorKind.OVERLOADED), answering())
    seen: list[Any] = []
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        watching = asyncio.create_task(deltas(handle, seen))
        assert await handle.result(timeout=30) == "done"
        await asyncio.sleep(0.01)
        watching.cancel()
    assert [type(each).__name__ for each in seen] == ["TextDelta"]


async def test_after_a_death_in_the_middle_of_a_stream_readers_are_told_as_well() -> None:
    gate = Gate("done")
    app = cb.App("route")
    agent = app.agent("agent", model=cb.ScriptedModel(lambda request: gate.enter()))
    seen: list[Any] = []
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        watching = asyncio.create_task(deltas(handle, seen))
        gate.opened.set()
        await handle.result(timeout=30)
        await asyncio.sleep(0.01)
        watching.cancel()
    assert [type(each).__name__ for each in seen] == ["RestartDelta", "TextDelta"]


async def test_an_upstream_without_a_share_for_retries_is_not_asked_twice() -> None:
    app = cb.App("route")
    script = failing(ErrorKind.UPSTREAM_DOWN)
    agent = app.agent("agent", model=script.model)
    app.upstream("a", retry_share=0.0)
    async with runtime(app) as test:
        error = await failure(await test.start(agent, "go"))
    assert (error.kind, len(script.requests)) == (ErrorKind.UPSTREAM_DOWN, 1)


async def test_where_retries_have_had_their_share_the_run_waits_and_not_for_ever() -> None:
    app = cb.App("route")
    script = failing(ErrorKind.UPSTREAM_DOWN)
    agent = app.agent("agent", model=script.model)
    app.upstream("a", retry_share=0.01, retry=Retry(attempts=20, first=0.01, factor=1.0), breaker=None)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await test.settle()
        for _ in range(30):
            await test.wind(1)
        assert await handle.status() is cb.RunStatus.WAITING
        assert len(script.requests) == 11  # ten retries are always granted
        for _ in range(60):
            await test.wind(40)
        error = await failure(handle)
    assert error.kind in (ErrorKind.UPSTREAM_DOWN, ErrorKind.RATE_LIMITED)


async def test_waiting_for_an_upstream_that_is_left_alone_counts_as_no_attempt() -> None:
    app = cb.App("route")
    fault = Fault(ErrorKind.UPSTREAM_DOWN, attempts=1)
    script = Recorder(lambda request: "done", name="a", faults=[fault])
    agent = app.agent("agent", model=script.model)
    app.upstream("a", breaker=BreakerRules(failures=1, open_for=600.0), retry=Retry(attempts=2, first=1.0))
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        for _ in range(8):
            await test.wind(300)
        assert await handle.result(timeout=30) == "done"
        refused = [
            e.value()["error"] for e in await events(test, handle) if e.kind is EventKind.RETRY and e.path == MODEL
        ]
        assert [each["detail"].get("made") for each in refused].count(False) >= 1
    assert len(script.requests) <= 3


async def test_a_candidate_whose_upstream_is_left_alone_is_passed_over() -> None:
    a, b = failing(ErrorKind.UPSTREAM_DOWN), answering(lambda request: "done")
    app, agent = routed(a, b)
    app.upstream("a", breaker=BreakerRules(failures=1, open_for=600.0))
    async with runtime(app) as test:
        assert await test.run(agent, "one") == "done"
        assert await test.run(agent, "two") == "done"
        assert await test.run(agent, "three") == "done"
    assert (len(a.requests), len(b.requests)) == (1, 3)


async def test_a_model_that_says_nothing_is_cut_off_at_its_upstream_s_limits() -> None:
    async def slow(request: ModelRequest) -> Any:
        await asyncio.sleep(3_600)

    a = Recorder(slow, name="a")
    b = Recorder(["wordy"], name="b", chunk=1, per_chunk=3_600.0)
    c = Recorder(["done"], name="c")
    app = cb.App("route")
    for name, each in (("a", a), ("b", b), ("c", c)):
        app.model(name, each.model)
    app.upstream("a", first=0.05)
    app.upstream("b", first=0.05, total=0.1)
    app.route("smart", "a", "b", "c")
    agent = app.agent("agent", route="smart")
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        assert await handle.result(timeout=30) == "done"
        said = [e.value()["error"]["message"] for e in await events(test, handle) if e.kind is EventKind.RETRY]
    assert said == ["a said nothing for 0.05 s", "b did not end its answer in 0.1 s"]


async def test_a_call_that_was_not_made_needs_no_share_of_retries() -> None:
    made: list[int] = []

    def speak(request: ModelRequest) -> str:
        made.append(request.attempt)
        if len(made) == 1:
            raise ModelFailed("down", kind=ErrorKind.UPSTREAM_DOWN)
        return "done"

    app = cb.App("route")
    agent = app.agent("agent", model=cb.ScriptedModel(speak, name="a"))
    app.upstream("a", breaker=BreakerRules(failures=1, open_for=600.0), retry_share=0.0)
    async with runtime(app) as test:
        await failure(await test.start(agent, "one"))
        handle = await test.start(agent, "two")
        for _ in range(4):
            await test.wind(300)
        assert await handle.result(timeout=30) == "done"
    assert made == [1, 2]
