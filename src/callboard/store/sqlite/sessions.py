"""Conversations on SQLite."""

import asyncio
from collections.abc import Awaitable, Sequence

import apsw
import msgspec

from callboard.domain.codec import encode
from callboard.domain.run import RunStatus
from callboard.store.letter import CANCEL
from callboard.store.sessions import Added, Meanwhile, NewTurn, Session, Turn, TurnStatus
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.requeue import requeue
from callboard.store.sqlite.sql import every, one, statements
from callboard.store.sqlite.starts import deliver
from callboard.store.sqlite.writer import Writer
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
_RUNS = statements("runs")


class SqliteSessions:
    """Conversations. See callboard.store.sessions.Sessions for what each method promises."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    def create(self, session: Session) -> asyncio.Future[Session]:
        """Begins one, or finds it."""

        def work(db: apsw.Connection) -> Session:
            db.execute(_SQL["create"], session_row(session))
            found = _get(db, session.tenant, session.id)
            if found.flow != session.flow:
                raise another_flow(found, session.flow)
            return found

        return self._writer.call(work)

    async def get(self, tenant: str, session_id: str) -> Session:
        """One conversation."""
        return await self._reader.call(lambda db: _get(db, tenant, session_id))

    async def find(
        self,
        tenant: str,
        *,
        flow: str | None = None,
        labels: dict[str, str] | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Session]:
        """A page of conversations."""
        wanted = {
            "tenant": tenant,
            "flow": flow,
            "labels": msgspec.json.encode(labels).decode() if labels else None,
            "before": before,
            "limit": limit,
        }
        return [session_from(row) for row in await self._reader.call(lambda db: every(db, _SQL["find"], wanted))]

    def add(self, tenant: str, session_id: str, turn: NewTurn, meanwhile: Meanwhile) -> Awaitable[Added]:
        """Adds a turn."""

        def work(db: apsw.Connection) -> Added:
            session = _get(db, tenant, session_id)
            rows = db.execute(_SQL["going"], (tenant, session_id))
            going = [Going(n, i, after, TurnStatus(status), bool(begun)) for n, i, after, status, begun in rows]
            if (row := one(db, _SQL["turn"], (tenant, turn.id))) is not None:
                there = turn_from(row)
                if there.session != session_id:
                    raise elsewhere(there)
                return Added(there, created=False)
            if turn.after is not None:
                found = one(db, _SQL["status"], (tenant, session_id, turn.after))
                check_after(session, turn.after, None if found is None else TurnStatus(found[0]))
            follows = dict(every(db, _SQL["follows"], (tenant, session_id, going[0].number))) if going else {}
            return _write(db, session, turn, place(session, turn, meanwhile, going, follows))

        return self._writer.call(work)

    async def started(self, tenant: str, turn_id: str, silent: Sequence[str]) -> bool:
        """Notes that a turn's run was started."""
        values = (tenant, turn_id, silent_text(silent))
        return bool(await self._writer.call(lambda db: every(db, _SQL["started"], values)))

    async def turn(self, tenant: str, turn_id: str) -> Turn | None:
        """One turn."""
        row = await self._reader.call(lambda db: one(db, _SQL["turn"], (tenant, turn_id)))
        return None if row is None else turn_from(row)

    async def turns(self, tenant: str, session_id: str, *, after: int = 0, limit: int = 100) -> list[Turn]:
        """A page of turns."""
        values = (tenant, session_id, after, limit)
        return [turn_from(row) for row in await self._reader.call(lambda db: every(db, _SQL["turns"], values))]

    async def path(self, tenant: str, turn_id: str) -> list[Turn]:
        """The turns that lead to one."""
        rows = await self._reader.call(lambda db: every(db, _SQL["path"], (tenant, turn_id)))
        if not rows:
            raise no_turn(turn_id)
        return [turn_from(row) for row in rows]

    async def due(self, limit: int) -> list[Turn]:
        """Turns whose runs are to be started."""
        return [turn_from(row) for row in await self._reader.call(lambda db: every(db, _SQL["due"], (limit,)))]


def _get(db: apsw.Connection, tenant: str, session_id: str) -> Session:
    row = one(db, _SQL["get"], (tenant, session_id))
    if row is None:
        raise no_session(session_id)
    return session_from(row)


def _write(db: apsw.Connection, session: Session, new: NewTurn, where: Place) -> Added:
    turn = added(session, new, where.after)
    for status, turns in ((TurnStatus.DROPPED, where.dropped), (TurnStatus.SKIPPED, where.skipped)):
        if turns:
            db.execute(_SQL["mark"], (session.tenant, msgspec.json.encode(turns).decode(), status))
    db.execute(_SQL["insert"], turn_row(turn))
    db.execute(_SQL["grow"], (session.tenant, session.id, turn.id, turn.number, turn.at))
    return Added(turn, tuple(_cancel(db, session.tenant, where.cancel, turn.at)))


def _cancel(db: apsw.Connection, tenant: str, run_ids: Sequence[str], at: float) -> list[str]:
    """As Commands.cancel does; here, since whoever adds a turn may be gone a moment later."""
    numbers = [row[0] for run_id in run_ids if (row := one(db, _RUNS["number"], (tenant, run_id))) is not None]
    told = deliver(db, [(number, CANCEL, encode(OVERTAKEN)) for number in numbers], at)
    for _, run_id, status in told:
        if status is RunStatus.BLOCKED:
            requeue(db, tenant, run_id, "to be cancelled", at)
    return [run_id for _, run_id, _ in told]


def purge_sessions(db: apsw.Connection, tenant: str, before: float, limit: int) -> int:
    """Removes conversations that have no run any more; returns how many."""
    gone = [session_id for (session_id,) in every(db, _SQL["purge"], (tenant, before, limit))]
    if gone:
        db.execute(_SQL["purge_turns"], (tenant, msgspec.json.encode(gone).decode()))
    return len(gone)
