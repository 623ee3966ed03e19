"""Letters on PostgreSQL."""

from collections.abc import Awaitable

from callboard.connections.postgres import Database
from callboard.domain.run import RunStatus
from callboard.store.claims import Claim
from callboard.store.letter import Letter
from callboard.store.postgres.appends import lost
from callboard.store.postgres.sql import statements
from callboard.store.postgres.starts import Send
from callboard.store.postgres.writer import Writer

_SQL = statements("inbox")


class PostgresInbox:
    """Letters. See callboard.store.inbox.Inbox for what each method promises."""

    def __init__(self, writer: Writer, database: Database) -> None:
        self._writer = writer
        self._database = database

    def send(self, tenant: str, run_id: str, name: str, body: bytes, at: float) -> Awaitable[RunStatus]:
        return self._writer.submit(Send(tenant, run_id, name, body, at))

    async def read(self, claim: Claim, after: int) -> tuple[int, list[Letter]]:
        async with self._database.reading(claim.tenant) as db:
            rows = await db.fetch(_SQL["letters"], claim.number, claim.epoch, after)
        if not rows:
            raise lost(claim)
        return rows[0][0], [Letter(seq, name, body) for _, seq, name, body in rows if seq is not None]
