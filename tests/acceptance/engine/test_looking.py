"""What models saw can be looked at later: the flow is replayed, nothing is executed, and it is what they really got."""

from typing import Any

import callboard as cb
from callboard.domain.message import Message
from callboard.models import ModelRequest, call
from callboard.testing import TestRuntime, runtime


class Witness:
    """A model that asks for a tool first, and keeps all that it was asked."""

    def __init__(self) -> None:
        self.got: list[tuple[Message, ...]] = []

    def __call__(self, request: ModelRequest) -> Any:
        self.got.append(request.messages)
        if request.turn == 0:
            return call("look", item=request.messages[-1].text[-5:])
        return "broken" if request.turn == 1 else '{"found": true}'


class Stage:
    """An app whose flow asks two agents side by side, then waits for a person; `done` counts what really happened."""

    def __init__(self) -> None:
        self.app = cb.App("looked")
        self.witness = Witness()
        self.done: list[str] = []
        self.context = "the shop is open"

        @self.app.tool(effect="read")
        async def look(item: str) -> str:
            """Looks."""
            self.done.append(f"look {item}")
            return f"seen {item}"

        model = cb.ScriptedModel(self.witness)
        found: Any = dict[str, bool]
        clerk = self.app.agent("clerk", model=model, prompt="You look.", tools=[look], output=found, repairs=1)

        @self.app.flow
        async def search(ctx: cb.Context, things: list[str]) -> Any:
            """Searches."""
            await ctx.step(self.note)
            found = await ctx.gather(*(clerk.run(ctx, thing, context=[self.context]) for thing in things))
            decision = await ctx.ask({"found": found})
            return [found, decision.status]

        self.search = search

    def note(self) -> None:
        self.done.append("note")


async def state(test: TestRuntime, run_id: str) -> tuple[Any, ...]:
    run = await test.rt.store.runs.get("default", run_id)
    events = await test.rt.store.journal.read("default", run_id)
    return run.status, run.updated_at, run.epoch, len(events)


async def waiting(test: TestRuntime, stage: Stage) -> str:
    handle = await test.start(stage.search, ["chair", "table"])
    await test.settle()
    assert await handle.status() is cb.RunStatus.WAITING
    return handle.id


async def test_it_is_what_the_models_got_and_nothing_happens_again() -> None:
    stage = Stage()
    async with runtime(stage.app) as test:
        run_id = await waiting(test, stage)
        before, done = await state(test, run_id), list(stage.done)
        saw = await test.rt.seen(run_id)
        assert saw.why == ""
        assert len(saw.calls) == 6
        assert sorted(repr([p.message for p in c.parts]) for c in saw.calls) == sorted(
            repr(list(messages)) for messages in stage.witness.got
        )
        paths = {e.path for e in await test.rt.store.journal.read("default", run_id) if e.path.endswith(":model")}
        assert {c.path for c in saw.calls} == paths
        last = max(saw.calls, key=lambda c: len(c.parts))
        assert [part.why for part in last.parts] == [
            "the prompt of clerk",
            "context that the flow handed in, then the input",
            "what the model answered before",
            "what the tools answered",
            "what the model answered before",
            "the answer before did not fit the output's schema",
        ]
        assert [tool.name for tool in last.tools] == ["look"]
        assert last.schema is not None
        assert await state(test, run_id) == before
        assert stage.done == done


async def test_code_that_has_changed_since_is_told() -> None:
    stage = Stage()
    async with runtime(stage.app) as test:
        run_id = await waiting(test, stage)
        stage.context = "the shop is closed"
        saw = await test.rt.seen(run_id)
        assert "the journal has" in saw.why
        assert (await test.rt.store.runs.get("default", run_id)).status is cb.RunStatus.WAITING
