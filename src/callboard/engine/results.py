"""Tells who waits for the end of a run: one read of the store for all ends that rang in one turn of the loop."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

from callboard.dispatch.bell import Hint, News
from callboard.domain.errors import StoreError
from callboard.domain.run import Outcome
from callboard.engine.services import Services


class Results:
    """Futures by run. Hints make it quick, a look at each sweep makes it sure."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: dict[str, list[tuple[str, asyncio.Future[Outcome]]]] = {}  # by run id: (tenant, future)
        self._rung: set[str] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begins to listen."""
        self._services.bell.listen(self._hear)
        self._task = asyncio.get_running_loop().create_task(self._answer_forever())

    async def close(self) -> None:
        """Ends it; who still waits is cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for waiting in self._waiting.values():
            for _, future in waiting:
                future.cancel()

    async def outcome(self, tenant: str, run_id: str, timeout: float | None = None) -> Outcome:
        """How the run ended, once it has. Raises TimeoutError after `timeout` seconds, StoreError."""
        mine: tuple[str, asyncio.Future[Outcome]] = (tenant, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(run_id, []).append(mine)
        # It may have ended already: it is looked for together with whatever else rings in this turn of the loop.
        self._rung.add(run_id)
        self._news.set()
        try:
            if timeout is None:
                return await mine[1]
            async with asyncio.timeout(timeout):
                return await mine[1]
        finally:
            waiting = self._waiting[run_id]
            waiting.remove(mine)
            if not waiting:
                del self._waiting[run_id]

    def _hear(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            if hint.news is News.ENDED and hint.run_id in self._waiting:
                self._rung.add(hint.run_id)
                self._news.set()

    async def _answer_forever(self) -> None:
        loop, sweep = asyncio.get_running_loop(), self._services.settings.sweep
        due = loop.time() + sweep
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._news.wait()
            rung, self._rung = self._rung, set()
            self._news.clear()
            if loop.time() >= due:  # hints may be lost, also while others ring
                due = loop.time() + sweep
                rung = set(self._waiting)
            try:
                await self._answer(rung)
            except StoreError as error:
                self._refuse(rung, error)

    async def _answer(self, rung: Iterable[str]) -> None:
        by_tenant: dict[str, list[str]] = {}
        for run_id in rung:
            for tenant in {tenant for tenant, _ in self._waiting.get(run_id, ())}:
                by_tenant.setdefault(tenant, []).append(run_id)
        for tenant, run_ids in by_tenant.items():
            outcomes = await self._services.store.runs.outcomes(tenant, run_ids)
            for run_id, outcome in outcomes.items():
                for owner, future in self._waiting.get(run_id, ()):
                    if owner == tenant and not future.done():
                        future.set_result(outcome)

    def _refuse(self, rung: Iterable[str], error: StoreError) -> None:
        """A store that cannot be read says so to those who wait for it."""
        for run_id in rung:
            for _, future in self._waiting.get(run_id, ()):
                if not future.done():
                    future.set_exception(error)
