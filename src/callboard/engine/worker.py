"""A worker: claims ready runs, executes them side by side, and stops without losing anything."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from callboard.dispatch.bell import Hint, News
from callboard.domain.errors import StoreError
from callboard.domain.run import RunStatus
from callboard.engine.heartbeat import Heartbeat
from callboard.engine.recovery import Recovery
from callboard.engine.runner import End, Runner
from callboard.engine.services import Ended, Services
from callboard.store.claims import Claim, Claimed, Release
from callboard.telemetry.current import Place, stand

_log = logging.getLogger("callboard.worker")
_BATCH = 500  # runs claimed in one go at most
_PATIENCE = 5.0  # seconds that a suspect waits before other runs are held back for it


class Worker:
    """Executes runs of the flows it knows, `concurrency` at a time."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.id = services.ids.new()
        self._active: dict[str, Runner] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._unreleased: list[Claim] = []
        self._wake = asyncio.Event()
        self._alone = False
        self._claiming: set[str] | None = None  # runs that rang for a letter while a claim is under way
        self._exhausted = False  # the last claim has left nothing that this worker could execute
        self._suspects_since: float | None = None
        self._stopping = False
        self._loop_task: asyncio.Task[None] | None = None
        self._heartbeat = Heartbeat(services, self.id)
        self._recovery = Recovery(services, self)

    @property
    def started(self) -> bool:
        """True once it claims runs."""
        return self._loop_task is not None

    @property
    def ready(self) -> bool:
        """True while it claims runs: from its start until it is told to stop."""
        return self.started and not self._stopping

    @property
    def active(self) -> int:
        """How many runs are being executed."""
        return len(self._active)

    @property
    def beat_age(self) -> float | None:
        """Seconds since it last showed that it lives; None before it begins and after it has left."""
        return self._heartbeat.age

    @property
    def sweep_age(self) -> float | None:
        """Seconds since the store answered a sweep; None before the first."""
        return self._recovery.age

    async def start(self) -> None:
        """Announces the worker and begins to claim. Raises StoreError."""
        services = self._services
        await services.store.claims.register(self.id, services.clock.now())
        services.fleet.limits = tuple(await services.store.budgets.limits())  # before the first call, not soon after
        self._services.bell.listen(self._hear)
        self._heartbeat.start()
        self._recovery.start()
        self._loop_task = asyncio.get_running_loop().create_task(self._claim_forever())
        self._wake.set()

    async def stop(self) -> None:
        """Claims no more, lets effects in flight finish for the drain time, hands the rest back, and leaves."""
        self._stopping = True
        self._wake.set()
        if self._loop_task is not None:
            await asyncio.wait([self._loop_task])
        await self._recovery.stop()
        for runner in list(self._active.values()):
            runner.execution.drain()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._services.settings.drain)
        await self._abandon("the worker stops")
        self._heartbeat.stop()
        # If the store is gone: the lock on the worker's file ends with the process, and others will see it.
        with contextlib.suppress(StoreError):
            await self._services.store.claims.retire(self.id)

    async def kill(self) -> None:
        """Ends at once and writes nothing, as if the process had died; for tests of recovery."""
        self._stopping = True
        self._heartbeat.stop()
        await self._recovery.stop()
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.wait([self._loop_task])
        for runner in list(self._active.values()):
            runner.execution.released = True
        await self._abandon("killed")

    def due(self, when: float) -> None:
        """A run waits until then."""
        self._recovery.due(when)

    def nudge(self) -> None:
        """There may be something to claim."""
        self._wake.set()

    def watch(self, inboxes: dict[str, int]) -> None:
        """Compares what the store says about this worker's runs with what is executed here."""
        if self._alone and any(runner.execution.progressed for runner in self._active.values()):
            self._alone = False  # it got something done without killing anybody: others may run beside it
            self._wake.set()
        for run_id, runner in list(self._active.items()):
            counter = inboxes.get(run_id)
            if counter is not None and counter > runner.execution.mailbox.seen:
                runner.execution.mailbox.poke()

    def suspects(self, count: int, now: float) -> None:
        """How many ready runs are suspected of killing workers."""
        if not count:
            self._suspects_since = None
        elif self._suspects_since is None:
            self._suspects_since = now
        if count:
            self._wake.set()

    def _hear(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            if hint.news is News.READY:
                self._wake.set()
            elif hint.news is News.INBOX:
                if (runner := self._active.get(hint.run_id)) is not None:
                    runner.execution.mailbox.poke()
                elif self._claiming is not None:
                    self._claiming.add(hint.run_id)

    async def _claim_forever(self) -> None:
        while not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            heard = self._services.bell.mark()
            try:
                while await self._claim():
                    pass
                if self._exhausted:  # a worker that is full leaves what it heard to others
                    self._services.bell.answered(heard)
                await self._release_again()
            except StoreError as error:
                _log.warning("cannot claim, trying again at the next sweep: %s", error)
            except Exception:
                _log.exception("claiming failed; trying again at the next sweep")

    async def _claim(self) -> bool:
        """Claims once; True when there may be more to claim at once."""
        self._exhausted = False
        services = self._services
        free = min(services.settings.concurrency - len(self._active), _BATCH)
        now = services.clock.now()
        if free <= 0 or self._alone or self._stopping:
            return False
        if self._suspects_since is not None:
            if not self._active:
                return await self._claim_suspect(now)
            if services.clock.monotonic() - self._suspects_since > _PATIENCE:
                return False
        claimed = await self._take(free, now, suspects=False)
        self._exhausted = len(claimed) < free
        return not self._exhausted

    async def _claim_suspect(self, now: float) -> bool:
        """A run whose owners died runs alone: if it kills this worker too, no other run is blamed."""
        self._suspects_since = None
        claimed = await self._take(1, now, suspects=True)
        self._alone = bool(claimed)
        return not claimed

    async def _take(self, limit: int, now: float, *, suspects: bool) -> list[Claimed]:
        services = self._services
        self._claiming = set()
        try:
            claimed = await services.store.claims.claim(
                self.id, list(services.flows), limit, now, suspects=suspects, labels=services.labels
            )
            for each in claimed:
                self._execute(each)
                if each.claim.run_id in self._claiming:  # a letter came while the run was being claimed
                    self._active[each.claim.run_id].execution.mailbox.poke()
        finally:
            self._claiming = None
        return claimed

    def _execute(self, claimed: Claimed) -> None:
        flow = self._services.flows[f"{claimed.run.flow}@{claimed.run.version}"]
        runner = Runner(claimed, flow, self._services)
        self._services.metrics.claimed += 1
        self._active[claimed.claim.run_id] = runner
        task = asyncio.get_running_loop().create_task(self._run(claimed.claim, runner))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, claim: Claim, runner: Runner) -> None:
        full = len(self._active) >= self._services.settings.concurrency
        execution = runner.execution
        stand(Place(execution.run, since=execution.since, sampled=self._services.sampled))
        try:
            end = await runner.run()
        except Exception:
            _log.exception("run %s could not be executed; it is handed back", claim.run_id)
            end = End(None, unreleased=True)
        finally:
            if self._active.get(claim.run_id) is runner:
                del self._active[claim.run_id]
        if self._alone or full:
            self._alone = False  # a suspect runs alone, so it is the suspect that has ended
            self._wake.set()
        if end.status is not None and end.status.ended:
            self._services.metrics.end(end.status, execution.run.flow)
            if end.kind:
                self._services.metrics.failure(end.kind, "run")
        if end.status is not None and (end.status.ended or end.renewed):
            told = Ended(
                claim.tenant, claim.run_id, end.status, execution.seq, execution.base, execution.run, execution.kept
            )
            self._services.ended(told)
        self._tell(claim, end)

    def _tell(self, claim: Claim, end: End) -> None:
        bell = self._services.bell
        if end.status is not None and (end.status.ended or end.status is RunStatus.BLOCKED):
            bell.ring((Hint(News.ENDED, claim.run_id),))
        if end.woken:
            bell.ring([Hint(News.READY, run_id) for run_id in end.woken])
        if end.status is RunStatus.READY and not self._stopping:
            bell.ring((Hint(News.READY, claim.run_id),))
        if end.wake_at is not None:
            self._recovery.due(end.wake_at)
        if end.unreleased:
            self._unreleased.append(claim)

    async def _release_again(self) -> None:
        """Runs that could not be handed back when the store failed."""
        while self._unreleased:
            claim = self._unreleased[-1]
            try:
                await self._services.store.claims.settle(claim, Release())
            except StoreError as error:
                if error.code != "lease_lost":
                    raise
            self._unreleased.pop()

    async def _abandon(self, why: str) -> None:
        for runner in list(self._active.values()):
            runner.execution.stop(why)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)
