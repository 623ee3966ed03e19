"""Tells who waits for the end of a run: one read of the store for all ends that rang in one turn of the loop."""

import asyncio
import contextlib
from collections.abc import Sequence

from callboard.dispatch.bell import Hint, News
from callboard.domain.errors import StoreError
from callboard.domain.run import Outcome
from callboard.engine.services import Services


class Results:
    """Futures by run. Hints make it quick, a look at each sweep makes it sure."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: dict[tuple[str, str], list[asyncio.Future[Outcome]]] = {}
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
        for futures in self._waiting.values():
            for future in futures:
                future.cancel()

    async def outcome(self, tenant: str, run_id: str, timeout: float | None = None) -> Outcome:
        """How the run ended, once it has. Raises TimeoutError after `timeout` seconds, StoreError."""
        known = await self._services.store.runs.outcomes(tenant, [run_id])
        if run_id in known:
            return known[run_id]
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        futures = self._waiting.setdefault((tenant, run_id), [])
        futures.append(future)
        # It may have ended between the look above and now: look once more, together with whoever rang.
        self._rung.add(run_id)
        self._news.set()
        try:
            async with asyncio.timeout(timeout):
                return await future
        finally:
            futures.remove(future)
            if not futures:
                self._waiting.pop((tenant, run_id), None)

    def _hear(self, hints: Sequence[Hint]) -> None:
        ended = [hint.run_id for hint in hints if hint.news is News.ENDED]
        if ended and self._waiting:
            self._rung.update(ended)
            self._news.set()

    async def _answer_forever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._services.settings.sweep):
                    await self._news.wait()
                self._news.clear()
                rung, self._rung = self._rung, set()
                wanted = [name for name in self._waiting if name[1] in rung]
            except TimeoutError:
                wanted = list(self._waiting)  # hints may be lost
            with contextlib.suppress(StoreError):  # looked for again at the next sweep
                await self._answer(wanted)

    async def _answer(self, wanted: Sequence[tuple[str, str]]) -> None:
        by_tenant: dict[str, list[str]] = {}
        for tenant, run_id in wanted:
            by_tenant.setdefault(tenant, []).append(run_id)
        for tenant, run_ids in by_tenant.items():
            outcomes = await self._services.store.runs.outcomes(tenant, run_ids)
            for run_id, outcome in outcomes.items():
                for future in self._waiting.get((tenant, run_id), ()):
                    if not future.done():
                        future.set_result(outcome)
