"""Which models a run asked, as its journal tells it."""

import callboard as cb
from callboard.apps.cli.decisions import decided, in_words
from callboard.domain.kinds import ErrorKind
from callboard.models.scripted import Fault
from callboard.testing import runtime
from tests.unit.engine.play import events, failure


async def test_calls_that_went_elsewhere_are_told_with_their_reasons() -> None:
    app = cb.App("decisions")
    app.model("a", cb.ScriptedModel(["x"], name="a", faults=[Fault(ErrorKind.OVERLOADED, attempts=9)]))
    app.model("b", cb.ScriptedModel(["done"], name="b"))
    app.route("smart", "a", "b")
    agent = app.agent("clerk", route="smart")
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await handle.result(timeout=30)
        (call,) = decided(await events(test, handle))
    assert (call["path"], call["agent"], call["model"]) == ("0/0.0/0:model", "clerk", "b")
    assert call["reason"] == "comes first by listed"
    assert [(each["model"], each["kind"]) for each in call["failed"]] == [("a", "overloaded")]
    assert in_words([call]) == "b x 1\n0/0.0/0:model: a failed (overloaded); asked last: b"


async def test_a_call_that_nobody_could_serve_is_told_too() -> None:
    app = cb.App("decisions")
    agent = app.agent("clerk", model=cb.ScriptedModel(["x"]), limits=cb.Limits(tokens=10))
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await failure(handle)
        calls = decided(await events(test, handle))
    assert in_words(calls) == "nobody x 1\n0/0.0/0:model: nobody failed (limit); asked last: nobody"
    assert decided([]) == []
    assert in_words([]) == ""
