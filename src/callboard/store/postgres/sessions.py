"""Conversations on PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import msgspec

from callboard.connections.postgres import Database
from callboard.domain.codec import encode
from callboard.domain.run import RunStatus
from callboard.store.letter import CANCEL
from callboard.store.postgres.requeue import requeue
from callboard.store.postgres.sql import statements
from callboard.store.postgres.starts import deliver
from callboard.store.sessions import Added, Meanwhile, NewTurn, Session, Turn, TurnStatus
from callboard.store.turns import (
    OVERTAKEN,
    Going,
    Place,
    added,
    another_flow,
    check_after,
    elsewhere,
    no_session,
    no_turn,
    place,
    session_from,
    session_row,
    silent_text,
    turn_from,
    turn_row,
)

_SQL = statements("sessions")


class PostgresSessions:
    """Conversations. See callboard.store.sessions.Sessions for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, session: Session) -> Session:
        async with self._database.transaction(session.tenant) as db:
            await db.execute(_SQL["create"], *session_row(session))
            found = await _get(db, "get", session.tenant, session.id)
            if found.flow != session.flow:
                raise another_flow(found, session.flow)
            return found

    async def get(self, tenant: str, session_id: str) -> Session:
        async with self._database.reading(tenant) as db:
            return await _get(db, "get", tenant, session_id)

    async def find(
        self,
        tenant: str,
        *,
        flow: str | None = None,
        labels: dict[str, str] | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Session]:
        wanted = msgspec.json.encode(labels).decode() if labels else None
        async with self._database.reading(tenant) as db:
            rows = await db.fetch(_SQL["find"], tenant, flow, wanted, before, limit)
        return [session_from(row) for row in rows]

    async def add(self, tenant: str, session_id: str, turn: NewTurn, meanwhile: Meanwhile) -> Added:
        async with self._database.transaction(tenant) as db:
            session = await _get(db, "lock", tenant, session_id)
            # Each a statement of its own: what was committed while this one waited for a lock, the next one sees.
            await db.execute(_SQL["lock_pending"], tenant, session_id)
            rows = await db.fetch(_SQL["going"], tenant, session_id)
            going = [Going(n, i, after, TurnStatus(status), begun) for n, i, after, status, begun in rows]
            if (row := await db.fetchrow(_SQL["turn"], tenant, turn.id)) is not None:
                there = turn_from(row)
                if there.session != session_id:
                    raise elsewhere(there)
                return Added(there, created=False)
            if turn.after is not None:
                found = await db.fetchval(_SQL["status"], tenant, session_id, turn.after)
                check_after(session, turn.after, None if found is None else TurnStatus(found))
            follows = dict(await db.fetch(_SQL["follows"], tenant, session_id, going[0].number)) if going else {}
            return await _write(db, session, turn, place(session, turn, meanwhile, going, follows))

    async def started(self, tenant: str, turn_id: str, silent: Sequence[str]) -> bool:
        async with self._database.transaction(tenant) as db:
            return await db.fetchval(_SQL["started"], tenant, turn_id, silent_text(silent)) is not None

    async def turn(self, tenant: str, turn_id: str) -> Turn | None:
        async with self._database.reading(tenant) as db:
            row = await db.fetchrow(_SQL["turn"], tenant, turn_id)
        return None if row is None else turn_from(row)

    async def turns(self, tenant: str, session_id: str, *, after: int = 0, limit: int = 100) -> list[Turn]:
        async with self._database.reading(tenant) as db:
            return [turn_from(row) for row in await db.fetch(_SQL["turns"], tenant, session_id, after, limit)]

    async def path(self, tenant: str, turn_id: str) -> list[Turn]:
        async with self._database.reading(tenant) as db:
            rows = await db.fetch(_SQL["path"], tenant, turn_id)
        if not rows:
            raise no_turn(turn_id)
        return [turn_from(row) for row in rows]

    async def due(self, limit: int) -> list[Turn]:
        async with self._database.acquire() as db:
            return [turn_from(row) for row in await db.fetch(_SQL["due"], limit)]


async def purge_sessions(db: Any, tenant: str, before: float, limit: int) -> int:
    """Removes conversations that have no run any more; returns how many."""
    gone = [session_id for (session_id,) in await db.fetch(_SQL["purge"], tenant, before, limit)]
    if gone:
        await db.execute(_SQL["purge_turns"], tenant, gone)
    return len(gone)


async def _get(db: Any, statement: str, tenant: str, session_id: str) -> Session:
    row = await db.fetchrow(_SQL[statement], tenant, session_id)
    if row is None:
        raise no_session(session_id)
    return session_from(row)


async def _write(db: Any, session: Session, new: NewTurn, where: Place) -> Added:
    turn = added(session, new, where.after)
    for status, turns in ((TurnStatus.DROPPED, where.dropped), (TurnStatus.SKIPPED, where.skipped)):
        if turns:
            await db.execute(_SQL["mark"], session.tenant, list(turns), status)
    await db.execute(_SQL["insert"], *turn_row(turn))
    await db.execute(_SQL["grow"], session.tenant, session.id, turn.id, turn.number, turn.at)
    return Added(turn, tuple(await _cancel(db, session.tenant, where.cancel, turn.at)))


async def _cancel(db: Any, tenant: str, run_ids: Sequence[str], at: float) -> list[str]:
    """As Commands.cancel does; here, since whoever adds a turn may be gone a moment later."""
    numbers = [run["number"] for run in await db.fetch(_SQL["numbers"], tenant, list(run_ids))] if run_ids else []
    told = await deliver(db, [(number, CANCEL, encode(OVERTAKEN)) for number in numbers], at) if numbers else []
    for _, run_id, status in told:
        if status is RunStatus.BLOCKED:
            await requeue(db, tenant, run_id, "to be cancelled", at)
    return [run_id for _, run_id, _ in told]
