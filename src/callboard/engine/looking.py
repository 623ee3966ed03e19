"""Looks at a run without executing anything: its flow is replayed over its journal, and halts where that ends.

What a flow computed between its effects is in no journal; the flow computes it again. Nothing is written, nothing is
called, nobody is told.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from callboard.domain.budget import Refusal
from callboard.domain.codec import decode
from callboard.domain.errors import CallboardError, NotFound
from callboard.domain.event import Event, EventKind
from callboard.domain.run import Run
from callboard.domain.suspension import Suspension
from callboard.engine.branch import Branch
from callboard.engine.context import Context
from callboard.engine.execution import Execution
from callboard.engine.intake import intake
from callboard.engine.replay import Mismatch, Move, New, Open
from callboard.engine.request import Request
from callboard.engine.services import Services
from callboard.store.claims import Claim, Claimed
from callboard.store.journal import Extras, Isolation
from callboard.streams.stream import Chunk, Stream

_PATIENCE = 10.0  # seconds that the flow's own code may take


async def look(services: Services, run: Run, events: Sequence[Event]) -> str:
    """Replays a run's flow over its journal, with what `services` carry.

    Of a run that began anew, the events are those of one of its journals, from STARTED or CONTINUED on.

    Returns why the look ended before the journal did, such as code that has changed since; empty if it did not.
    Raises NotFound when the run's flow is not installed here in the run's version.
    """
    flow = services.flows.get(f"{run.flow}@{run.version}")
    if flow is None:
        raise NotFound(
            f"flow {run.flow}@{run.version} is not installed here",
            why="what a model saw is computed again by the flow's own code",
            remedy="look from a process that has this version",
        )
    claimed = Claimed(Claim(run.id, run.tenant, 0, run.epoch), run, list(events), 0, [])
    execution = _Look(claimed, flow, replace(services, stream=_Mute(services.stream)))
    execution.root.task = asyncio.current_task()
    stored = decode(events[0].body) if events[0].body else None
    try:
        async with asyncio.timeout(_PATIENCE):
            value = await intake(services.store, run, flow, stored)
            await execution.drive(execution.root, flow.fn(Context(execution), value))  # type: ignore[arg-type]
    except TimeoutError:
        return f"the flow's own code took longer than {_PATIENCE:g} s"
    except (Exception, Suspension) as error:
        if execution.blocked is not None:
            return execution.blocked.record().message
        if execution.stopping is None and not isinstance(error, CallboardError):
            return f"the flow raised {type(error).__name__}" if execution.replay.replaying else ""
    return ""


def journals(events: Sequence[Event]) -> list[list[Event]]:
    """A run's events, apart at each place where it began anew."""
    found: list[list[Event]] = []
    for event in events:
        if not found or event.kind is EventKind.CONTINUED:
            found.append([])
        found[-1].append(event)
    return found


class _Look(Execution):
    """An execution that halts each branch where the journal ends, and writes nothing."""

    def record(
        self, kind: EventKind, path: str, digest: bytes, body: bytes, took: int = 0, extras: Extras | None = None
    ) -> Awaitable[Refusal | None]:
        return _nothing()

    def transact(
        self, do: Callable[[Any], Any], outcome: Callable[[int, Any], Event], limit: float, isolation: Isolation
    ) -> Awaitable[Any]:
        raise self.stop("the journal ends here")

    async def _may_begin(self, branch: Branch, request: Request, move: Move) -> None:
        if type(move) is Mismatch:
            raise self.block(move.blocked)
        if isinstance(move, New | Open) and not request.drives:
            await self.wait(branch, None, None)  # others may have more of the past to go through
        if self.stopping is not None:
            raise self.stopping

    async def _park(self) -> None:
        self.parking = None
        self.stop("the journal ends here")


class _Mute:
    """A stream that nothing is told to."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @property
    def healthy(self) -> bool:
        return self._stream.healthy

    def publish(self, chunk: Chunk) -> None:
        pass

    def follow(self, tenant: str, run_id: str, after: str | None = None) -> AsyncIterator[Chunk]:
        return self._stream.follow(tenant, run_id, after)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass


async def _nothing() -> None:
    return None
