"""The small words that the suite's stories are told in: start, claim, append, end."""

import itertools
import json
import os
import time
from collections.abc import Sequence
from typing import Any

from callboard.domain.event import Event, EventKind
from callboard.domain.ids import Ids
from callboard.domain.run import RunStatus
from callboard.store.approvals import Approval, ApprovalStatus, NewApproval
from callboard.store.claims import Claim, Claimed, Finish, Park, Release
from callboard.store.journal import Extras
from callboard.store.letter import Letter
from callboard.store.runs import NewRun
from callboard.store.store import Store

ANNA, BEN, CARL = "anna", "ben", "carl"
TENANT, STRANGER = "acme", "zenith"
T0 = 1_700_000_000.0  # when the stories begin
LATER = T0 + 1_000.0  # when everything started in them is due
LARGE = 200_000  # bytes that no adapter keeps in the row
FLOWS = ("order@1",)

ENDS = {
    RunStatus.SUCCEEDED: EventKind.RUN_SUCCEEDED,
    RunStatus.FAILED: EventKind.RUN_FAILED,
    RunStatus.CANCELLED: EventKind.RUN_CANCELLED,
    RunStatus.BLOCKED: EventKind.RUN_BLOCKED,
}
_ids = Ids(time.time, os.urandom)
_moments = itertools.count()


def new_id() -> str:
    return _ids.new()


def new_run(**changes: Any) -> NewRun:
    """A run to start; each is a millisecond younger than the one before."""
    values: dict[str, Any] = {
        "id": new_id(),
        "tenant": TENANT,
        "flow": "order",
        "version": "1",
        "input": b'{"n":1}',
        "digest": b"8 bytes!",
        "at": T0 + next(_moments) / 1000,
    }
    return NewRun(**values | changes)


def event(seq: int, kind: EventKind = EventKind.DONE, path: str = "", body: bytes = b"") -> Event:
    return Event(seq, kind, path or f"{seq}:step", b"digest..", int(T0 * 1e6) + seq, 250, body or b"%d" % seq)


def ask(**changes: Any) -> NewApproval:
    values: dict[str, Any] = {
        "id": new_id(),
        "path": "1:refund",
        "kind": "ask",
        "proposal": b'{"cents":900}',
        "at": T0,
    }
    return NewApproval(**values | changes)


def park(inbox_seq: int = 0, wake_at: float | None = None) -> Park:
    return Park(inbox_seq, wake_at)


def end(seq: int, status: RunStatus = RunStatus.SUCCEEDED, body: bytes = b'"done"', **more: Any) -> Finish:
    """The end of a run, or its block; one that did not succeed has an error of code `boom`."""
    error = None if status is RunStatus.SUCCEEDED else b'{"code":"boom","kind":"bug","message":"it broke"}'
    return Finish(status, event(seq, ENDS[status], "", body if error is None else error), error=error, **more)


async def start(store: Store, **changes: Any) -> str:
    return (await store.runs.start(new_run(**changes))).run_id


async def claim(store: Store, run_id: str, worker: str = ANNA, *, suspects: bool = False) -> Claimed:
    """Claims the one run that is ready."""
    found = await store.claims.claim(worker, FLOWS, 10, LATER, suspects=suspects)
    assert [c.run.id for c in found] == [run_id]
    return found[0]


async def running(store: Store, worker: str = ANNA, **changes: Any) -> Claim:
    """Starts a run and claims it. No other run may be ready."""
    return (await claim(store, await start(store, **changes), worker)).claim


async def many_running(store: Store, count: int, worker: str = ANNA) -> list[Claim]:
    for _ in range(count):
        await start(store)
    claims = [c.claim for c in await store.claims.claim(worker, FLOWS, count, LATER)]
    assert len(claims) == count
    return sorted(claims, key=lambda c: c.run_id)


async def waiting(store: Store, worker: str = ANNA, *, wake_at: float | None = None, **changes: Any) -> Claim:
    """Starts a run that parks at once; returns the claim that it was parked under."""
    held = await running(store, worker, **changes)
    assert (await store.claims.settle(held, park(0, wake_at))).done
    return held


async def ended(store: Store, status: RunStatus = RunStatus.SUCCEEDED, **changes: Any) -> str:
    """Starts a run and ends (or blocks) it."""
    held = await running(store, **changes)
    await store.claims.settle(held, end(1, status))
    return held.run_id


async def overtaken(store: Store) -> tuple[Claim, Claim]:
    """A run whose owner lost it: the zombie's claim, and the claim of its owner now."""
    zombie = await running(store)
    await store.claims.settle(zombie, Release())
    return zombie, (await claim(store, zombie.run_id)).claim


async def child_of(store: Store, parent: Claim, seq: int, *, path: str = "1:child", **changes: Any) -> str:
    """The parent's owner starts a child in an append."""
    child = new_run(parent=parent.run_id, parent_path=path, depth=1, **changes)
    await store.journal.append(parent, [event(seq, EventKind.INTENT, path)], Extras(children=(child,)))
    return child.id


async def asked(store: Store, held: Claim, seq: int = 1, **changes: Any) -> str:
    """The run's owner opens a question."""
    question = ask(**changes)
    await store.journal.append(held, [event(seq, EventKind.INTENT, question.path)], Extras(asks=(question,)))
    return question.id


async def decide(
    store: Store, approval_id: str, status: ApprovalStatus = ApprovalStatus.APPROVED, tenant: str = TENANT
) -> tuple[str, RunStatus]:
    return await store.approvals.decide(tenant, approval_id, status, b'"yes"', "mia", LATER)


async def send(store: Store, run_id: str, name: str = "signal:go", body: Any = None) -> RunStatus:
    return await store.inbox.send(TENANT, run_id, name, json.dumps(body).encode(), LATER)


async def letters(store: Store, held: Claim) -> list[Letter]:
    return (await store.inbox.read(held, 0))[1]


async def status_of(store: Store, run_id: str, tenant: str = TENANT) -> RunStatus:
    return (await store.runs.get(tenant, run_id)).status


async def journal_of(store: Store, run_id: str, tenant: str = TENANT) -> list[Event]:
    return await store.journal.read(tenant, run_id)


async def seqs_of(store: Store, run_id: str) -> list[int]:
    return [e.seq for e in await journal_of(store, run_id)]


async def approval(store: Store, approval_id: str) -> Approval:
    return await store.approvals.get(TENANT, approval_id)


def of_type(results: Sequence[Any], error: type[BaseException]) -> list[Any]:
    return [result for result in results if isinstance(result, error)]
