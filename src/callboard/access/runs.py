"""Runs at a desk: started, looked at, acted on."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec

from callboard.access.guard import Guard
from callboard.access.house import House
from callboard.access.patterns import common
from callboard.agents.lens import Saw
from callboard.domain.codec import encode
from callboard.domain.errors import CallboardError, Conflict, NotFound
from callboard.domain.event import Event
from callboard.domain.ids import is_id
from callboard.domain.principal import Kind
from callboard.domain.run import Outcome, Run, RunStatus
from callboard.engine.handle import RunHandle
from callboard.policy.access import Action
from callboard.store.deliveries import Delivery
from callboard.store.runs import Purge, Search, Totals

_SAID = 1_000  # characters of a reason that are recorded
_CHILDREN = 500
_TOGETHER = 100  # runs requeued under one entry of the record


def gist(value: Any) -> dict[str, Any]:
    """What is recorded of a value: enough to tell it again, and nothing of what is in it. The record is kept for ever,
    and people's data must not be."""
    body = encode(value)
    return {"bytes": len(body), "sha256": sha256(body).hexdigest()}


class DeskRuns:
    """What one principal may do with the runs of one tenant."""

    def __init__(self, house: House, guard: Guard) -> None:
        self._house = house
        self._guard = guard
        self._store = house.services.store

    async def start(
        self,
        flow: str,
        input: Any = None,
        *,
        key: str | None = None,
        priority: int = 0,
        labels: dict[str, str] | None = None,
        start_at: float | None = None,
        delay: float = 0.0,
        webhook: str | None = None,
        trace: str | None = None,
    ) -> RunHandle:
        """Starts a run of a flow or an agent by its name; its row says who started it.

        Args:
            flow, input, key, priority, labels, start_at, delay, trace, webhook: as Runtime.start has them.

        Raises Denied, and what Runtime.start raises.
        """
        self._guard.check(Action.RUNS_START, flow)
        return await self._house.start(
            flow,
            input,
            tenant=self._guard.tenant,
            key=key,
            priority=priority,
            labels=labels,
            start_at=start_at,
            delay=delay,
            by=self._guard.principal.who,
            trace=trace,
            webhook=webhook,
        )

    async def search(self, search: Search, *, before: str | None = None, limit: int = 50) -> list[Run]:
        """Runs to which the search applies, newest first, as far as the principal may see them; `before` is the last
        id of the page before. Raises Denied, InputInvalid."""
        if (narrowed := self._narrowed(search)) is None:
            return []
        return await self._store.runs.search(self._guard.tenant, narrowed, before=before, limit=limit)

    async def totals(self, search: Search) -> Totals:
        """What all runs come to to which the search applies and that the principal may see. Raises Denied,
        InputInvalid."""
        narrowed = self._narrowed(search)
        if narrowed is None:
            narrowed = msgspec.structs.replace(search, flows=("",))  # no flow has that name
        return await self._store.runs.totals(self._guard.tenant, narrowed)

    async def reach(self, search: Search, *, before: str | None = None) -> str | None:
        """The last run that a search with `among` looks at; None when it looks at all. Raises Denied, InputInvalid."""
        if (narrowed := self._narrowed(search)) is None:
            return None
        return await self._store.runs.reach(self._guard.tenant, narrowed, before=before)

    async def get(self, run_id: str) -> Run:
        """A run's row. Raises Denied; NotFound, also for what is another tenant's or not the principal's to see."""
        self._guard.check(Action.RUNS_READ)
        run = await self._store.runs.get(self._guard.tenant, run_id) if is_id(run_id) else None
        if run is None or not self._guard.may(Action.RUNS_READ, run.flow):
            raise NotFound(f"no run {run_id[:100]!r}", remedy="callboard runs list shows the ids")
        return run

    async def handle(self, run_id: str) -> RunHandle:
        """A handle on a run, to wait for it and to follow it. Raises as `get` does.

        It is for reading: what changes the run goes through this desk.
        """
        await self.get(run_id)
        return self._house.handle(run_id, tenant=self._guard.tenant)

    async def events(self, run_id: str, *, after: int = -1, limit: int = 1_000, room: int | None = None) -> list[Event]:
        """A page of a run's journal, from the event after `after` on; with `room`, it ends with the event that fills so
        many bytes. Raises as `get` does."""
        await self.get(run_id)
        return await self._store.journal.read(self._guard.tenant, run_id, after=after, limit=limit, room=room)

    async def last(self, run_id: str) -> int:
        """The number of the last event of a run's journal. Raises as `get` does."""
        await self.get(run_id)
        return await self._store.journal.last(self._guard.tenant, run_id)

    async def outcome(self, run_id: str) -> Outcome | None:
        """How a run ended; None as long as it has not. Raises as `get` does."""
        await self.get(run_id)
        return (await self._store.runs.outcomes(self._guard.tenant, [run_id])).get(run_id)

    async def children(self, run_id: str, *, before: str | None = None, limit: int = _CHILDREN) -> list[Run]:
        """Runs that this one started, newest first, as far as the principal may see them. Raises as `get` does."""
        await self.get(run_id)
        found = await self._store.runs.find(self._guard.tenant, parent=run_id, before=before, limit=limit)
        return [run for run in found if self._guard.may(Action.RUNS_READ, run.flow)]

    async def seen(self, run_id: str, *, until: int | None = None) -> Saw:
        """What the models of a run saw, call by call, and why; see Runtime.seen. Raises as `get` does."""
        await self.get(run_id)
        return await self._house.seen(run_id, tenant=self._guard.tenant, until=until)

    async def deliveries(self, run_id: str) -> list[Delivery]:
        """Messages to the outside that the run has ended. Raises as `get` does."""
        await self.get(run_id)
        return await self._store.deliveries.find(self._guard.tenant, run_id=run_id)

    async def cancel(self, run_id: str, reason: str = "") -> RunStatus:
        """Asks a run to end. Raises Denied, NotFound, Conflict."""
        run = await self.get(run_id)
        after = {"reason": reason[:_SAID]}
        async with self._guard.deed(
            "runs:cancel", f"run:{run.id}", needs=Action.RUNS_CONTROL, flow=run.flow, before=_stood(run), after=after
        ):
            return await self._house.commands.cancel(self._guard.tenant, run.id, reason)

    async def signal(self, run_id: str, name: str, value: Any = None) -> RunStatus:
        """Sends a signal. It is recorded unless a program with a key sent it. Raises Denied, NotFound, Conflict."""
        run = await self.get(run_id)
        tenant = self._guard.tenant
        if self._guard.principal.kind is Kind.KEY and self._guard.may(Action.RUNS_CONTROL, run.flow):
            return await self._house.commands.signal(tenant, run.id, name, value)
        after = {"name": name[:_SAID], "value": gist(value)}
        async with self._guard.deed(
            "runs:signal", f"run:{run.id}", needs=Action.RUNS_CONTROL, flow=run.flow, after=after
        ):
            return await self._house.commands.signal(tenant, run.id, name, value)

    async def requeue(self, run_id: str, reason: str = "") -> Run:
        """Makes a blocked, failed or dead run go on. Raises Denied, NotFound, Conflict."""
        run = await self.get(run_id)
        after = {"reason": reason[:_SAID]}
        async with self._guard.deed(
            "runs:requeue", f"run:{run.id}", needs=Action.RUNS_REPAIR, flow=run.flow, before=_stood(run), after=after
        ):
            return await self._house.commands.requeue(self._guard.tenant, run.id, reason)

    async def requeue_all(self, run_ids: Sequence[str], reason: str = "") -> dict[str, CallboardError]:
        """Makes several runs go on, side by side and under one entry of the record for each hundred.

        Returns the errors of those that were refused. Raises Denied when the principal may not, of any of their flows.
        """
        refused: dict[str, CallboardError] = {}
        for begin in range(0, len(run_ids), _TOGETHER):
            refused |= await self._requeue_some(list(run_ids[begin : begin + _TOGETHER]), reason)
        return refused

    async def fork(self, run_id: str, at_seq: int) -> Run:
        """A new run that shares the history up to that event. Raises Denied, NotFound, InputInvalid, Conflict."""
        run = await self.get(run_id)
        async with self._guard.deed(
            "runs:fork", f"run:{run.id}", needs=Action.RUNS_REPAIR, flow=run.flow, after={"at": at_seq}
        ):
            return await self._house.commands.fork(self._guard.tenant, run.id, at_seq)

    async def purge(self, *, older_than: float, statuses: Sequence[RunStatus], batch: int, grace: float) -> Purge:
        """Removes ended runs with their journals, in batches, until none is left.

        Args:
            older_than: seconds since they ended, at least.
            statuses: how they ended.
            batch: runs removed in one transaction.
            grace: seconds for which a payload without a run is kept.

        Raises Denied, StoreError.
        """
        after = {"older_than": older_than, "statuses": [str(status) for status in statuses]}
        total, now = Purge(), self._house.services.clock.now()
        async with self._guard.deed("runs:purge", f"tenant:{self._guard.tenant}", needs=Action.RUNS_PURGE, after=after):
            while True:
                done = await self._store.runs.purge(
                    self._guard.tenant,
                    before=now - older_than,
                    statuses=statuses,
                    batch=batch,
                    blobs_before=now - grace,
                )
                if done == Purge():
                    return total
                counts = {name: getattr(total, name) + getattr(done, name) for name in total.__struct_fields__}
                total = Purge(**counts)

    async def _requeue_some(self, run_ids: list[str], reason: str) -> dict[str, CallboardError]:
        self._guard.check(Action.RUNS_READ)
        rows = await self._store.runs.rows(self._guard.tenant, [each for each in run_ids if is_id(each)])
        known = [each for each in run_ids if each in rows and self._guard.may(Action.RUNS_READ, rows[each].flow)]
        refused: dict[str, CallboardError] = {
            each: NotFound(f"no run {each[:100]!r}", remedy="callboard runs list shows the ids")
            for each in run_ids
            if each not in known
        }
        if not known:
            return refused
        flows = {rows[each].flow for each in known}
        denied = next((flow for flow in sorted(flows) if not self._guard.may(Action.RUNS_REPAIR, flow)), None)
        after = {"runs": known, "reason": reason[:_SAID]}
        object = f"run:{known[0]}" if len(known) == 1 else f"runs:{len(known)}"
        async with self._guard.deed("runs:requeue", object, needs=Action.RUNS_REPAIR, flow=denied, after=after):
            tenant, commands = self._guard.tenant, self._house.commands
            asked = [commands.requeue(tenant, each, reason) for each in known]
            answers = await asyncio.gather(*asked, return_exceptions=True)
        for each, answer in zip(known, answers, strict=True):
            if isinstance(answer, NotFound | Conflict):
                refused[each] = answer
            elif isinstance(answer, BaseException):
                raise answer
        if left := {each: error.code for each, error in refused.items() if each in known}:
            await self._guard.record("runs:requeue", object, after={"refused": left}, outcome="conflict")
        return refused

    def _narrowed(self, search: Search) -> Search | None:
        """The search over flows that the principal may see; None when that leaves nothing."""
        allowed = self._guard.flows(Action.RUNS_READ)
        if allowed is None:
            return search
        flows = allowed if search.flows is None else common(search.flows, allowed)
        return msgspec.structs.replace(search, flows=flows) if flows else None


def _stood(run: Run) -> dict[str, str]:
    return {"flow": run.flow, "status": str(run.status)}
