"""Questions to people on PostgreSQL."""

from collections.abc import Awaitable
from typing import Any

from callboard.connections.postgres import Database
from callboard.domain.errors import Conflict
from callboard.domain.run import RunStatus
from callboard.store.approvals import Approval, ApprovalStatus
from callboard.store.claims import Claim
from callboard.store.letter import DECISION
from callboard.store.postgres.appends import lost
from callboard.store.postgres.sql import statements
from callboard.store.postgres.starts import deliver
from callboard.store.postgres.writer import Writer
from callboard.store.rows import approval_from, no_approval

_SQL = statements("approvals")
_ANY = [str(status) for status in ApprovalStatus]


class PostgresApprovals:
    """Questions to people. See callboard.store.approvals.Approvals for what each method promises."""

    def __init__(self, writer: Writer, database: Database) -> None:
        self._writer = writer
        self._database = database

    async def find(
        self, tenant: str, *, status: ApprovalStatus | None = None, run_id: str | None = None, limit: int = 100
    ) -> list[Approval]:
        statuses = _ANY if status is None else [str(status)]
        async with self._database.reading(tenant) as db:
            if run_id is None:
                rows = await db.fetch(_SQL["find"], tenant, statuses, limit)
            else:
                rows = await db.fetch(_SQL["find_of_run"], tenant, statuses, limit, run_id)
        return [approval_from(row) for row in rows]

    async def get(self, tenant: str, approval_id: str) -> Approval:
        async with self._database.reading(tenant) as db:
            row = await db.fetchrow(_SQL["get"], tenant, approval_id)
        if row is None:
            raise no_approval(approval_id)
        return approval_from(row)

    async def decide(
        self, tenant: str, approval_id: str, status: ApprovalStatus, decision: bytes, by: str, at: float
    ) -> tuple[str, RunStatus]:
        async with self._database.transaction(tenant) as db:
            run = await db.fetchrow(_SQL["lock_run"], tenant, approval_id)
            if run is None:
                raise no_approval(approval_id)
            if await db.fetchval(_SQL["decide"], tenant, approval_id, status, decision, by, at) is None:
                stands = await db.fetchval(_SQL["status"], tenant, approval_id)
                raise Conflict(f"approval {approval_id} is {stands} already", why="only an open one can be decided")
            number, path = run
            told = await deliver(db, [(number, f"{DECISION}{path}", decision)], at)
            if not told:
                raise Conflict(f"the run of approval {approval_id} has ended")
            return told[0][1], told[0][2]

    def close(self, claim: Claim, approval_id: str, status: ApprovalStatus) -> Awaitable[ApprovalStatus]:
        async def work(db: Any) -> ApprovalStatus:
            if await db.fetchval(_SQL["held"], claim.number, claim.epoch) is None:
                raise lost(claim)
            await db.execute(_SQL["close"], approval_id, claim.number, status)
            stands = await db.fetchval(_SQL["stands"], approval_id, claim.number)
            if stands is None:
                raise no_approval(approval_id)
            return ApprovalStatus(stands)

        # Behind what is queued: the append that opened the question may be on its way.
        return self._writer.call(work, claim.tenant)
