"""What the tests of routed calls share."""

from typing import Any

import msgspec

import callboard as cb
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.models import ModelResponse
from callboard.testing import TestRuntime
from tests.unit.agents.play import Fault, Recorder
from tests.unit.engine.play import events

MODEL = "0/0.0/0:model"


def routed(a: Recorder, b: Recorder, **rules: Any) -> tuple[cb.App, cb.Agent]:
    app = cb.App("route")
    app.model("a", a.model)
    app.model("b", b.model)
    app.route("smart", "a", "b", **rules)
    return app, app.agent("agent", route="smart")


def answering(script: Any = ("done",), name: str = "b", **options: Any) -> Recorder:
    return Recorder(script, name=name, **options)


def failing(kind: ErrorKind, attempts: int = 100, **fault: Any) -> Recorder:
    return Recorder(["from a"], name="a", faults=[Fault(kind, attempts=attempts, **fault)])


async def answer(test: TestRuntime, handle: cb.RunHandle) -> ModelResponse:
    done = next(e for e in await events(test, handle) if e.kind is EventKind.DONE and e.path == MODEL)
    return msgspec.convert(done.value()["result"], ModelResponse)


async def notes(test: TestRuntime, handle: cb.RunHandle) -> list[dict[str, Any]]:
    found = [e for e in await events(test, handle) if e.kind is EventKind.INTENT and e.path == MODEL]
    return [e.value()["note"] for e in found]


async def deltas(handle: cb.RunHandle, into: list[Any]) -> None:
    async for chunk in handle.stream("0-0"):
        into.append(chunk.value)
