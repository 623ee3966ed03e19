"""Starts a run for each line, a bounded number ahead, and watches them until each has ended or rests."""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from callboard.apps.cli.batch.entry import Entry, refusal
from callboard.apps.cli.batch.lines import Line
from callboard.apps.cli.batch.progress import Progress
from callboard.apps.cli.batch.rest import rests
from callboard.apps.cli.batch.rows import rows
from callboard.apps.cli.desk import at
from callboard.domain.errors import Conflict, InputInvalid, KeyConflict, Overloaded
from callboard.domain.run import REQUEUEABLE, Run, RunStatus
from callboard.runtime import Flow, Runtime

_GATHER = 0.01  # seconds in which news gather before the store is asked
_LOOK = 0.25  # seconds between looks at runs that give no news
_SHARE = 20  # looking takes at most one part in so many of the time


class Batch:
    """One pass over the input.

    A run is *active* while it is executed or about to be, *asleep* while it waits for a time or a child, and
    *resting* while it waits for somebody outside. Only active runs count against the window. A line is *put off*
    while too much of others' work is waiting for its run to be started.

    Args:
        rt: the runtime, with a worker.
        flow: what each line is an input of.
        lines: the input; what is left in it after `run` was not started.
        window: how many active runs there may be.
        allowance: how many new or unfinished runs may be taken on; None for all.
        retry: whether runs that failed in an earlier command are requeued.
        progress: is told what happens.

    Attributes:
        entries: one for each line that was taken from the input, in order.
        stopped: whether `stop` was called.
    """

    def __init__(
        self,
        rt: Runtime,
        flow: Flow,
        lines: Iterator[Line],
        *,
        window: int,
        allowance: int | None,
        retry: bool,
        progress: Progress,
    ) -> None:
        self.entries: list[Entry] = []
        self.stopped = False
        self._rt = rt
        self._desk = at(rt)
        self._flow = flow
        self._lines = lines
        self._window = window
        self._allowance = allowance
        self._retry = retry
        self._progress = progress
        self._met: set[str] = set()
        self._active: dict[str, None] = {}  # in the order of their start
        self._asleep: set[str] = set()
        self._resting: dict[str, tuple[RunStatus, int]] = {}  # the status and epoch in which it came to rest
        self._news = asyncio.Event()
        self._put_off: deque[tuple[Line, Entry]] = deque()
        self._again_at = 0.0
        self._exhausted = False
        self._look_at = 0.0

    async def run(self) -> None:
        """Works until each run has ended or rests, or until `stop`. Raises StoreError."""
        self._rt.services.bell.listen(lambda _: self._news.set())
        while not self.stopped:
            await self._fill()
            if not (self._active or self._asleep or self._put_off):
                await self._see(list(self._resting))  # somebody may have woken one meanwhile
                if not (self._active or self._asleep):
                    return
            await self._pause()
            await self._collect()
            await self._look()
            self._progress.resting = len(self._resting)
            self._progress.put_off = len(self._put_off)
            self._progress.show()

    def stop(self) -> None:
        """Starts no more; `run` returns soon."""
        self.stopped = True
        self._news.set()

    async def _fill(self) -> None:
        """Starts lines until the window is full, or there is no room for them in the store."""
        while not self.stopped and (self._put_off or not self._exhausted):
            if self._put_off and asyncio.get_running_loop().time() < self._again_at:
                return
            self._again_at = math.inf
            room = self._window - len(self._active)
            if self._allowance is not None:
                room = min(room, self._allowance)
            if room <= 0:
                return
            if self._put_off:
                chunk = [self._put_off.popleft() for _ in range(min(room, len(self._put_off)))]
            else:
                chunk = [(line, Entry(line.key)) for line in islice(self._lines, room)]
                self._exhausted = len(chunk) < room
                self.entries += [entry for _, entry in chunk]
            await self._start(chunk)
            self._progress.show()

    async def _start(self, chunk: Sequence[tuple[Line, Entry]]) -> None:
        # Side by side, so that they share a commit; they reach the store in order, so the first of a key wins.
        begun = await asyncio.gather(*(self._begin(line, entry) for line, entry in chunk))
        self._put_off.extendleft(
            reversed([each for each, created in zip(chunk, begun, strict=True) if created is None])
        )
        found: list[str] = []
        for (_, entry), created in zip(chunk, begun, strict=True):
            if created is None:
                continue
            if entry.run_id is None:
                self._progress.passed(failed=True)
            elif entry.run_id in self._met:
                self._progress.passed()
            elif created:
                self._met.add(entry.run_id)
                self._active[entry.run_id] = None
                self._take_on()
            else:
                self._met.add(entry.run_id)
                found.append(entry.run_id)
        async for run in rows(self._rt, found):
            await self._resume(run)

    async def _begin(self, line: Line, entry: Entry) -> bool | None:
        """Writes into the entry what became of the line; returns whether its run is new, None to put it off."""
        if line.error is not None:
            entry.error = refusal(line, line.error)
            return False
        try:
            started = await self._rt.commands.start(
                self._flow,
                line.value,
                tenant=self._rt.settings.tenant,
                key=line.key,
                by=self._desk.principal.who,
            )
        except (InputInvalid, KeyConflict) as error:
            entry.error = refusal(line, error)
            return False
        except Overloaded as error:
            self._again_at = min(self._again_at, asyncio.get_running_loop().time() + error.retry_after)
            return None
        entry.run_id = started.run_id
        return started.created

    async def _resume(self, run: Run) -> None:
        """Goes on with a run of an earlier command."""
        if self._retry and run.status in REQUEUEABLE:
            with contextlib.suppress(Conflict):  # somebody was faster
                run = await self._desk.runs.requeue(run.id, "callboard run --retry-failed")
        if run.status.ended:
            self._progress.ended(run, here=False)
            return
        await self._place(run)
        if run.id not in self._resting:
            self._take_on()

    def _take_on(self) -> None:
        if self._allowance is not None:
            self._allowance -= 1

    async def _pause(self) -> None:
        """Waits for news, and a moment longer for more of them; but looks by itself now and then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):
                await self._news.wait()
        self._news.clear()
        await asyncio.sleep(_GATHER)

    async def _collect(self) -> None:
        """Lets go of active runs that have ended: one read for all of them."""
        ended = await self._rt.store.runs.outcomes(self._rt.settings.tenant, list(self._active))
        await self._see(list(ended))

    async def _look(self) -> None:
        """Now and then sees to runs that wait or are blocked, and to those whose news was lost."""
        clock = asyncio.get_running_loop().time
        began = clock()
        if began >= self._look_at:
            await self._see([*self._active, *self._asleep])
            self._look_at = clock() + max(_LOOK, (clock() - began) * _SHARE)

    async def _see(self, run_ids: Sequence[str]) -> None:
        async for run in rows(self._rt, run_ids):
            await self._place(run)
            if self.stopped:
                return

    async def _place(self, run: Run) -> None:
        if self._resting.get(run.id) == (run.status, run.epoch):
            return
        self._active.pop(run.id, None)
        self._asleep.discard(run.id)
        self._resting.pop(run.id, None)
        if run.status.ended:
            self._progress.ended(run, here=True)
        elif await rests(self._rt, run):
            self._resting[run.id] = run.status, run.epoch
        elif run.status is RunStatus.WAITING:
            self._asleep.add(run.id)
        else:
            self._active[run.id] = None
