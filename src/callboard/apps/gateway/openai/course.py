"""The course of a run, as far as clients are told of it: calls of tools, words while they are said, the end.

Calls are read from the journal, so that every process that reads it tells the same. Words while they are said come from
the live stream, and only of a flow whose output is what its model says; others' words are told when the run has ended.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, TypeAlias

import msgspec

from callboard.apps.gateway.following import end_task
from callboard.domain.errors import NotFound, StoreError
from callboard.domain.event import Event, EventKind
from callboard.domain.run import Outcome, Run
from callboard.runtime import RunHandle

_START = "0-0"  # before every live chunk
_MODEL = ":model"
_ROOM = 1_000  # steps that wait for who tells them
_AGAIN = 0.2  # seconds until a store that does not answer, or a run that is not there yet, is looked at again
_NUMBERS = re.compile(r"\d+")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a tool. `output` is JSON, None until it is known; `error` says why it failed."""

    id: str
    name: str
    arguments: str
    output: str | None = None
    error: str | None = None


class Called(msgspec.Struct, frozen=True):
    """A model asked for these calls, by the journal's event `seq`."""

    seq: int
    calls: tuple[Call, ...]


class Answered(msgspec.Struct, frozen=True):
    """The same calls, after they were made."""

    seq: int
    calls: tuple[Call, ...]


class Asked(msgspec.Struct, frozen=True):
    """A model is asked, for the first time or anew; what was said for the one before is void."""

    seq: int


class Said(msgspec.Struct, frozen=True):
    """The model that was asked at `seq` says more; `before` it had said so many characters."""

    seq: int
    before: int
    text: str


class Ended(msgspec.Struct, frozen=True):
    """The run has ended; `seq` is the journal's last event."""

    seq: int
    run: Run
    outcome: Outcome


Step: TypeAlias = Called | Answered | Asked | Said | Ended


class Course:
    """Reads a journal, event by event."""

    def __init__(self) -> None:
        self.seq = -1
        self._open: dict[str, tuple[tuple[Call, ...], list[tuple[list[int], str, Event]]]] = {}  # by the agent's scope

    def read(self, event: Event) -> list[Step]:
        """What clients are told of an event."""
        self.seq = event.seq
        if event.kind.name.startswith("RUN_") and event.kind is not EventKind.RUN_BLOCKED:
            return [self._close(scope, event.seq) for scope in list(self._open)]
        if event.path.endswith(_MODEL):
            scope = event.path.rpartition("/")[0]
            if event.kind is EventKind.INTENT:
                return [*([self._close(scope, event.seq)] if scope in self._open else []), Asked(event.seq)]
            if event.kind is EventKind.DONE and (calls := _calls(event)):
                self._open[scope] = (calls, [])
                return [Called(event.seq, calls)]
        elif event.kind in (EventKind.DONE, EventKind.FAILED):
            self._take(event)
        return []

    def _take(self, event: Event) -> None:
        place, _, name = event.path.rpartition(":")
        for scope, (calls, outcomes) in self._open.items():
            if event.path.startswith(scope) and any(call.name == name for call in calls):
                outcomes.append(([int(each) for each in _NUMBERS.findall(place)], name, event))

    def _close(self, scope: str, seq: int) -> Answered:
        """The calls with their outcomes, which stand in the journal's places in the order of the calls."""
        calls, outcomes = self._open.pop(scope)
        outcomes.sort(key=lambda each: each[0])
        if [name for _, name, _ in outcomes] != [call.name for call in calls]:
            return Answered(seq, calls)  # something else was done about one of them; the journal says it
        return Answered(seq, tuple(_answered(call, each[2]) for call, each in zip(calls, outcomes, strict=True)))


async def follow(handle: RunHandle, *, live: bool) -> AsyncIterator[Step]:
    """The course of a run from its beginning until it has ended, also of one that is not there yet.

    With `live`, words come while they are said, as far as the live stream has them without a gap.
    """
    steps: asyncio.Queue[Step | None] = asyncio.Queue(_ROOM)
    words = _Words(steps)
    loop = asyncio.get_running_loop()
    reading = loop.create_task(_read(handle, steps, words))
    listening = loop.create_task(_listen(handle, words)) if live else None
    try:
        while (step := await steps.get()) is not None:
            yield step
    finally:
        for task in (reading, listening):
            if task is not None:
                await end_task(task)


async def _read(handle: RunHandle, steps: "asyncio.Queue[Step | None]", words: "_Words") -> None:
    course = Course()
    while True:
        try:
            async with aclosing(handle.events(course.seq)) as events:  # type: ignore[type-var]
                async for event in events:
                    for step in course.read(event):
                        await steps.put(step)
                        if isinstance(step, Asked):
                            await words.asked(step.seq)
            run = await handle.run()
            if run.status.ended:
                break
        except (StoreError, NotFound):
            pass
        await asyncio.sleep(_AGAIN)  # blocked, not there yet, or out of reach
    await steps.put(Ended(course.seq, run, await handle.outcome()))
    await steps.put(None)


async def _listen(handle: RunHandle, words: "_Words") -> None:
    async with aclosing(handle.stream(_START)) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            await words.heard(chunk.epoch, chunk.number, chunk.path, chunk.kind, chunk.value)


class _Words:
    """What the model has said of the answer that it is giving now, if nothing of it was lost."""

    def __init__(self, steps: "asyncio.Queue[Step | None]") -> None:
        self._steps = steps
        self._place = (0, 0)
        self._kept: list[str] | None = []  # None once something was lost
        self._said = 0
        self._asked = -1  # the journal's event by which it was asked,
        self._spoke = -1  # and by which it was when it spoke last

    async def asked(self, seq: int) -> None:
        """A model is asked by that event."""
        self._asked = seq
        if self._kept and self._spoke == -1:  # it spoke before we had read that it was asked
            await self._say()

    async def heard(self, epoch: int, number: int, path: str, kind: str, value: Any) -> None:
        """A live chunk."""
        before, self._place = self._place, (epoch, number)
        if kind == "gap" or (number != before[1] + 1 if epoch == before[0] else number != 1):
            self._kept = None
        elif epoch != before[0] and self._said:
            self._kept = None  # it begins anew, after a crash
        if not path.endswith(_MODEL) or kind != "delta":
            return
        said = msgspec.to_builtins(value)
        if said["type"] == "restart":
            self._kept = None  # from here on it is told when the run has ended: which of both is asked now is not known
        elif said["type"] == "text" and self._kept is not None:
            self._kept.append(said["text"])
            if self._asked >= 0:
                await self._say()

    async def _say(self) -> None:
        if self._spoke not in (-1, self._asked):
            self._kept = None  # it was asked again meanwhile
            return
        self._spoke = self._asked
        text, self._kept = "".join(self._kept or ()), []
        before, self._said = self._said, self._said + len(text)
        await self._steps.put(Said(self._asked, before, text))


def _calls(event: Event) -> tuple[Call, ...]:
    value = event.value()
    parts = value.get("result", {}).get("message", {}).get("parts", ())
    return tuple(
        Call(id=part["id"], name=part["name"], arguments=part.get("raw") or _json(part.get("arguments", {})))
        for part in parts
        if part.get("type") == "call"
    )


def _answered(call: Call, event: Event) -> Call:
    value = event.value()
    if event.kind is EventKind.FAILED:
        return msgspec.structs.replace(call, error=value.get("message", "it failed"))
    return msgspec.structs.replace(call, output=_json(value.get("result")))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


__all__ = ["Answered", "Asked", "Call", "Called", "Course", "Ended", "Said", "Step", "follow"]
