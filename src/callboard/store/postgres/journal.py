"""Events on PostgreSQL."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from callboard.connections.postgres import Database
from callboard.domain.budget import Refusal
from callboard.domain.event import Event
from callboard.store.claims import Claim
from callboard.store.journal import Extras, Isolation
from callboard.store.postgres.appends import Append
from callboard.store.postgres.sql import statements
from callboard.store.postgres.starts import not_found
from callboard.store.postgres.transact import Transact
from callboard.store.postgres.writer import Writer
from callboard.store.rows import event_from

_SQL = statements("journal")


class PostgresJournal:
    """Events. See callboard.store.journal.Journal for what each method promises."""

    def __init__(self, writer: Writer, database: Database) -> None:
        self._writer = writer
        self._database = database

    def append(self, claim: Claim, events: Sequence[Event], extras: Extras | None = None) -> Awaitable[Refusal | None]:
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
        return self._writer.submit(Transact(claim, seq, do, event, limit, isolation))

    async def read(
        self, tenant: str, run_id: str, *, after: int = -1, limit: int = 100_000, room: int | None = None
    ) -> list[Event]:
        async with self._database.reading(tenant) as db:
            line = await db.fetch(_SQL["line"], tenant, run_id)
            if not line:
                raise not_found(run_id)
            return await _read(db, line, after, limit, room)

    async def last(self, tenant: str, run_id: str) -> int:
        async with self._database.reading(tenant) as db:
            row = await db.fetchrow(_SQL["last"], tenant, run_id)
        if row is None:
            raise not_found(run_id)
        return int(row[0])

    async def news(self, tenant: str, after: Mapping[str, int], limit: int) -> dict[str, list[Event]]:
        events: dict[str, list[Event]] = {}
        async with self._database.reading(tenant) as db:
            rows = await db.fetch(_SQL["news"], tenant, list(after), list(after.values()), limit)
        for run_id, *values in rows:
            events.setdefault(run_id, []).append(event_from(*values))
        for found in events.values():  # of a fork, each ancestor gives as many as were asked for
            found.sort(key=lambda event: event.seq)
            del found[limit:]
        return events


async def read_events(db: Any, number: int, after: int = -1, limit: int = 100_000) -> list[Event]:
    """A run's events in order; those of the runs it was forked from come first, up to the fork."""
    return await _read(db, await db.fetch(_SQL["line_of"], number), after, limit)


async def _read(db: Any, line: Sequence[Sequence[Any]], after: int, limit: int, room: int | None = None) -> list[Event]:
    events: list[Event] = []
    for run, until, above in reversed(line):  # the oldest ancestor first
        floor = max(after, above)
        if floor < until and len(events) < limit:
            asked = run, floor, until, limit - len(events)
            rows = await (
                db.fetch(_SQL["read"], *asked) if room is None else db.fetch(_SQL["read_within"], *asked, room)
            )
            events += (found := [event_from(*row) for row in rows])
            if room is not None and (room := room - sum(len(event.body) for event in found)) <= 0:
                break
    return events
