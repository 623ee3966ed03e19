"""The journal, inbox, approvals and blobs on SQLite."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import apsw
import msgspec

from callboard.domain.budget import Refusal
from callboard.domain.errors import Conflict, NotFound
from callboard.domain.event import Event
from callboard.domain.run import RunStatus
from callboard.store.approvals import Approval, ApprovalStatus
from callboard.store.claims import Claim
from callboard.store.journal import Extras, Isolation
from callboard.store.letter import DECISION, Letter
from callboard.store.rows import approval_from, event_from, no_approval
from callboard.store.sqlite.appends import Append, holds, lost
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.sql import every, one, statements
from callboard.store.sqlite.starts import Send, deliver, not_found
from callboard.store.sqlite.transact import Raised, Transact
from callboard.store.sqlite.writer import Writer

_SQL = statements("journal")
_RUNS = statements("runs")
_INBOX = statements("inbox")
_APPROVALS = statements("approvals")


class SqliteJournal:
    """Events."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    def append(
        self, claim: Claim, events: Sequence[Event], extras: Extras | None = None
    ) -> asyncio.Future[Refusal | None]:
        """See callboard.store.journal.Journal."""
        return self._writer.submit(Append(claim, events, extras))

    def transact(
        self,
        claim: Claim,
        seq: int,
        do: Callable[[Any], Any],
        event: Callable[[Any], Event],
        *,
        limit: float,
        isolation: Isolation = Isolation.READ_COMMITTED,
    ) -> Awaitable[Any]:
        """See callboard.store.journal.Journal."""
        return _transacted(self._writer.submit(Transact(claim, seq, do, event, limit)))

    async def read(
        self, tenant: str, run_id: str, *, after: int = -1, limit: int = 100_000, room: int | None = None
    ) -> list[Event]:
        """See callboard.store.journal.Journal."""

        def work(db: apsw.Connection) -> list[Event]:
            row = one(db, _RUNS["number"], (tenant, run_id))
            if row is None:
                raise not_found(run_id)
            return read_events(db, row[0], after, limit, room)

        return await self._reader.call(work)

    async def last(self, tenant: str, run_id: str) -> int:
        """See callboard.store.journal.Journal."""
        row = await self._reader.call(lambda db: one(db, _SQL["last"], (tenant, run_id)))
        if row is None:
            raise not_found(run_id)
        return int(row[0])

    async def news(self, tenant: str, after: Mapping[str, int], limit: int) -> dict[str, list[Event]]:
        """See callboard.store.journal.Journal."""
        wanted = dict(after)  # it is read on another thread
        asked = msgspec.json.encode(wanted).decode()

        def work(db: apsw.Connection) -> dict[str, list[Event]]:
            found: dict[str, list[Event]] = {}
            for run_id, *values in every(db, _SQL["news"], (tenant, asked, limit)):
                found.setdefault(run_id, []).append(event_from(*values))
            for run_id, number in every(db, _SQL["forks"], (tenant, asked)):
                if events := read_events(db, number, wanted[run_id], limit):
                    found[run_id] = events
            return found

        return await self._reader.call(work)


async def _transacted(written: asyncio.Future[Any]) -> Any:
    result = await written
    if isinstance(result, Raised):
        raise result.error
    return result


def read_events(
    db: apsw.Connection, number: int, after: int = -1, limit: int = 100_000, room: int | None = None
) -> list[Event]:
    """A run's events in order; those of the runs it was forked from come first, up to the fork."""
    parts: list[tuple[int, int]] = []
    last = 2**62
    origin: tuple[Any, ...] | None = (number, last)
    while origin is not None and origin[0] is not None:
        last = min(last, origin[1])
        parts.append((origin[0], last))
        origin = one(db, _RUNS["origin"], (origin[0],))
    events: list[Event] = []
    for run, until in reversed(parts):
        floor = max(after, events[-1].seq if events else -1)
        for row in db.execute(_SQL["read"], (run, floor, until, limit - len(events))):
            if room is not None and room <= 0:
                return events
            events.append(event_from(*row))
            if room is not None:
                room -= len(events[-1].body)
    return events


class SqliteInbox:
    """Letters."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    def send(self, tenant: str, run_id: str, name: str, body: bytes, at: float) -> asyncio.Future[RunStatus]:
        """See callboard.store.inbox.Inbox."""
        return self._writer.submit(Send(tenant, run_id, name, body, at))

    async def read(self, claim: Claim, after: int) -> tuple[int, list[Letter]]:
        """See callboard.store.inbox.Inbox."""

        def work(db: apsw.Connection) -> tuple[int, list[Letter]]:
            counter = one(db, _INBOX["counter"], (claim.number, claim.epoch))
            if counter is None:
                raise lost(claim)
            letters = [Letter(*row) for row in db.execute(_INBOX["letters"], (claim.number, after))]
            # A letter may have come between the two statements; what was read counts as seen.
            return max([counter[0], *(x.seq for x in letters)]), letters

        return await self._reader.call(work)


class SqliteApprovals:
    """Questions to people."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def find(
        self, tenant: str, *, status: ApprovalStatus | None = None, run_id: str | None = None, limit: int = 100
    ) -> list[Approval]:
        """See callboard.store.approvals.Approvals."""
        rows = await self._reader.call(lambda db: every(db, _APPROVALS["find"], (tenant, status, run_id, limit)))
        return [approval_from(row) for row in rows]

    async def get(self, tenant: str, approval_id: str) -> Approval:
        """See callboard.store.approvals.Approvals."""
        row = await self._reader.call(lambda db: one(db, _APPROVALS["get"], (tenant, approval_id)))
        if row is None:
            raise no_approval(approval_id)
        return approval_from(row)

    def decide(
        self, tenant: str, approval_id: str, status: ApprovalStatus, decision: bytes, by: str, at: float
    ) -> Awaitable[tuple[str, RunStatus]]:
        """See callboard.store.approvals.Approvals."""

        def work(db: apsw.Connection) -> tuple[str, RunStatus]:
            row = one(db, _APPROVALS["decide"], (tenant, approval_id, status, decision, by, at))
            if row is None:
                found = one(db, _APPROVALS["get"], (tenant, approval_id))
                if found is None:
                    raise no_approval(approval_id)
                raise Conflict(f"approval {approval_id} is {found[4]} already", why="only an open one can be decided")
            number, path = row
            told = deliver(db, [(number, f"{DECISION}{path}", decision)], at)
            if not told:
                raise Conflict(f"the run of approval {approval_id} has ended")
            return told[0][1], told[0][2]

        return self._writer.call(work)

    def close(self, claim: Claim, approval_id: str, status: ApprovalStatus) -> Awaitable[ApprovalStatus]:
        """See callboard.store.approvals.Approvals."""

        def work(db: apsw.Connection) -> ApprovalStatus:
            if not holds(db, claim):
                raise lost(claim)
            every(db, _APPROVALS["close"], (approval_id, status, claim.number))
            row = one(db, _APPROVALS["get"], (claim.tenant, approval_id))
            if row is None or row[1] != claim.run_id:
                raise no_approval(approval_id)
            return ApprovalStatus(row[4])

        return self._writer.call(work)


class SqliteBlobs:
    """Large payloads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def get(self, tenant: str, hash_hex: str) -> bytes:
        """See callboard.store.blobs.Blobs."""
        try:
            key = bytes.fromhex(hash_hex)
        except ValueError:
            key = b""
        row = await self._reader.call(lambda db: one(db, _SQL["get_blob"], (tenant, key)))
        if row is None:
            raise NotFound(f"no blob {hash_hex!r}")
        data: bytes = row[0]
        return data
