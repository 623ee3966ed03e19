"""Puts a run's journal and its live chunks into an outlet, as server-sent events."""

import asyncio
from collections import deque
from contextlib import aclosing
from typing import Any

import msgspec

from callboard.apps.gateway.outlet import Outlet
from callboard.apps.gateway.place import Place
from callboard.apps.gateway.views import error_view, event_view
from callboard.domain.errors import StoreError
from callboard.domain.event import OUTCOMES, Event
from callboard.domain.run import Outcome, RunStatus
from callboard.runtime import RunHandle

_encoder = msgspec.json.Encoder()
_PATHS = 256  # effects whose outcome was told of late: their chunks, which may come after it, are old
_AGAIN = 1.0  # seconds until a store that does not answer is asked again


class Following:
    """One reader of one run. `place` is where it stands.

    Args:
        handle: the run.
        outlet: where it goes.
        place: after which everything is told.
        mark: what every id begins with, where the stream is of more than one run.
    """

    def __init__(self, handle: RunHandle, outlet: Outlet, place: Place, mark: str = "") -> None:
        self.place = place
        self._handle = handle
        self._outlet = outlet
        self._mark = mark
        self._told: deque[str] = deque(maxlen=_PATHS)

    async def tell(self) -> Outcome | None:
        """Tells everything until the run has ended or is blocked, and then how. None if the outlet ended before."""
        live = asyncio.get_running_loop().create_task(self._chunks())
        try:
            await self._journal()
        finally:
            await end_task(live)
        return None if self._outlet.over else await self._end()

    async def _journal(self) -> None:
        while not self._outlet.over:
            try:
                async with aclosing(self._handle.events(self.place.seq)) as events:  # type: ignore[type-var]
                    async for event in events:
                        await self._event(event)
                return
            except StoreError:
                await asyncio.sleep(_AGAIN)

    async def _event(self, event: Event) -> None:
        await self._outlet.room()
        # No await from here on: an id must not say that something was told that is not yet on its way.
        self.place = msgspec.structs.replace(self.place, seq=event.seq)
        if event.kind in OUTCOMES:
            self._told.append(event.path)
        self._outlet.add(self._message("journal", event_view(event)))

    async def _chunks(self) -> None:
        async with aclosing(self._handle.stream(self.place.chunks_after)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                await self._outlet.room()  # meanwhile chunks may be lost; a gap says so
                self.place = msgspec.structs.replace(self.place, chunk=chunk.id)
                if chunk.path in self._told:
                    continue  # its outcome was told: what was on the way to it says nothing new
                said = {"path": chunk.path, "epoch": chunk.epoch, "number": chunk.number, "value": chunk.value}
                self._outlet.add(self._message(chunk.kind, said))

    async def _end(self) -> Outcome:
        run = await self._handle.run()
        if run.status.ended:
            outcome = await self._handle.outcome()
        else:
            outcome = Outcome(run.status, None, run.error)
        self.place = msgspec.structs.replace(self.place, end=outcome.status is not RunStatus.BLOCKED)
        said = {"id": run.id, "status": outcome.status, "output": outcome.output, "error": error_view(outcome.error)}
        self._outlet.add(self._message("end", said))
        return outcome

    def _message(self, name: str, data: Any) -> bytes:
        return message(name, data, f"{self._mark}{self.place}")


async def end_task(task: "asyncio.Task[None]") -> None:
    """Ends what goes on beside; what it raised before that was said elsewhere."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


def message(name: str, data: Any, place: str = "") -> bytes:
    """One server-sent event. JSON has no line breaks of its own."""
    head = f"id: {place}\nevent: {name}\ndata: " if place else f"event: {name}\ndata: "
    return head.encode() + _encoder.encode(data) + b"\n\n"
