"""A handle on a run, wherever it is executed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from callboard.domain.errors import RunCancelled, RunFailed, StoreError
from callboard.domain.event import ENDINGS, Event
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import ENDED, Outcome, Run, RunStatus
from callboard.engine.commands import Commands
from callboard.engine.flow import Flow
from callboard.engine.results import Results
from callboard.engine.services import Services
from callboard.engine.shape import loaded
from callboard.streams.stream import Chunk

_LOOK = 0.1  # seconds between looks at a store that does not answer
_CHECK = 5.0  # seconds without an event after which the row of a run that is being followed is looked at
_OVER = ENDED | {RunStatus.BLOCKED}
_LAST = 0.25  # seconds of silence after a run's end until its stream ends: what it said last may still be on its way


class RunHandle:
    """One run: its result, status and events, and what can be done to it.

    Attributes:
        id: the run's id.
        tenant: whose it is.
        created: False when the start that gave this handle found the run that its key had made before.
    """

    def __init__(
        self,
        services: Services,
        commands: Commands,
        results: Results,
        tenant: str,
        run_id: str,
        flow: Flow | None,
        *,
        created: bool = True,
    ) -> None:
        self._services = services
        self._commands = commands
        self._results = results
        self._flow = flow
        self.tenant = tenant
        self.id = run_id
        self.created = created

    def __repr__(self) -> str:
        return f"RunHandle({self.id})"

    async def result(self, timeout: float | None = None) -> Any:
        """Waits for the run to end and returns its output, as the type that its flow declares, or a Partial.

        Raises RunFailed (with the typed error in `.error`), RunCancelled, or TimeoutError after `timeout` seconds.
        """
        outcome = await self.outcome(timeout)
        if outcome.status is RunStatus.SUCCEEDED:
            output = outcome.output
            return loaded(output, None if self._flow is None else self._flow.output)
        error = outcome.error or ErrorRecord("failure", "bug", "no reason was recorded")
        if outcome.status is RunStatus.CANCELLED:
            raise RunCancelled(self.id, error.message)
        raise RunFailed(self.id, outcome.status, error)

    async def outcome(self, timeout: float | None = None) -> Outcome:
        """Waits for the run to end and says how. Raises TimeoutError after `timeout` seconds, StoreError."""
        return await self._results.outcome(self.tenant, self.id, timeout)

    async def run(self) -> Run:
        """The run's row. Raises NotFound."""
        return await self._services.store.runs.get(self.tenant, self.id)

    async def status(self) -> RunStatus:
        """Where the run stands. Raises NotFound."""
        return (await self.run()).status

    async def cancel(self, reason: str = "") -> None:
        """Asks the run to end. Raises Conflict when it has ended."""
        await self._commands.cancel(self.tenant, self.id, reason)

    async def signal(self, name: str, value: Any = None) -> None:
        """Sends a signal, JSON-like. Raises Conflict when the run has ended."""
        await self._commands.signal(self.tenant, self.id, name, value)

    async def events(self, after: int = -1) -> AsyncIterator[Event]:
        """The run's journal from the event after `after` on, as it grows, until the run has ended or is blocked."""
        with self._services.tails.follow(self.tenant, self.id, after) as tail:
            over = (await self.run()).status in _OVER
            while True:
                events = await tail.next(0 if over else _CHECK)
                for event in events:
                    yield event
                if over and not events:
                    return
                if (not events or events[-1].kind in ENDINGS) and (await self.run()).status in _OVER:
                    over = True
                    tail.look_again()

    async def stream(self, after: str | None = None) -> AsyncIterator[Chunk]:
        """Live progress and token deltas, until the run has ended. Never the truth: use `events` for that.

        From now on, or after the chunk with that `id`, as far as they are kept: a chunk of the kind `gap` stands
        for those that were lost. Raises InputInvalid when `after` is no chunk's id.
        """
        loop = asyncio.get_running_loop()
        ended = loop.create_task(self._ended())
        limit: asyncio.Timeout | None = None

        def last_words(_: object) -> None:
            if limit is not None:
                limit.reschedule(loop.time() + _LAST)

        ended.add_done_callback(last_words)
        try:
            async with aclosing(self._services.stream.follow(self.tenant, self.id, after)) as chunks:  # type: ignore[type-var]
                while True:
                    try:
                        async with asyncio.timeout(_LAST if ended.done() else None) as limit:
                            chunk = await anext(chunks)
                    except (TimeoutError, StopAsyncIteration):
                        return
                    limit = None
                    yield chunk
        finally:
            limit = None
            ended.cancel()

    async def _ended(self) -> None:
        while True:
            try:
                await self._results.outcome(self.tenant, self.id)
            except StoreError:
                await asyncio.sleep(_LOOK)
                continue
            return
