"""Questions to people at a desk, and who answered them."""

from collections.abc import Sequence
from typing import Any

from callboard.access.guard import Guard
from callboard.access.house import House
from callboard.access.runs import gist
from callboard.domain.errors import NotFound
from callboard.domain.run import RunStatus
from callboard.policy.access import Action
from callboard.store.approvals import Approval, ApprovalStatus

_SAID = 1_000  # characters of a note that are recorded
_READ = 1_000  # questions that are looked through for those of some flows only


class DeskApprovals:
    """What one principal may do with the questions of one tenant. A question belongs to the flow of its run."""

    def __init__(self, house: House, guard: Guard) -> None:
        self._house = house
        self._guard = guard
        self._store = house.services.store

    async def find(
        self, *, status: ApprovalStatus | None = None, run_id: str | None = None, limit: int = 100
    ) -> list[Approval]:
        """Questions, those with the nearest deadline first, as far as the principal may see them. Raises Denied.

        For a principal of some flows only, the first thousand of the tenant's are looked through.
        """
        whole = self._guard.flows(Action.APPROVALS_READ) is None
        found = await self._store.approvals.find(
            self._guard.tenant, status=status, run_id=run_id, limit=limit if whole else max(limit, _READ)
        )
        if whole:
            return found
        rows = await self._store.runs.rows(self._guard.tenant, [each.run_id for each in found])
        seen = [
            each
            for each in found
            if each.run_id in rows and self._guard.may(Action.APPROVALS_READ, rows[each.run_id].flow)
        ]
        return seen[:limit]

    async def flows(self, found: Sequence[Approval]) -> dict[str, str]:
        """The flows of these questions' runs, by the run's id; of those that the principal may see. Raises Denied."""
        self._guard.check(Action.APPROVALS_READ)
        rows = await self._store.runs.rows(self._guard.tenant, [each.run_id for each in found])
        may = self._guard.may
        return {run_id: run.flow for run_id, run in rows.items() if may(Action.APPROVALS_READ, run.flow)}

    async def get(self, approval_id: str) -> Approval:
        """One question. Raises Denied; NotFound, also for what is not the principal's to see."""
        return (await self._with_flow(approval_id))[0]

    async def decide(
        self, approval_id: str, status: ApprovalStatus | str, *, value: Any = None, note: str = ""
    ) -> RunStatus:
        """Answers a question: `approved`, `rejected`, or `edited` with the new proposal as `value`.

        The principal's name is journaled with the decision. Raises Denied, InputInvalid, NotFound; Conflict when it is
        no longer open.
        """
        approval, flow = await self._with_flow(approval_id)
        after: dict[str, Any] = {"status": str(status), "note": note[:_SAID]}
        if status == ApprovalStatus.EDITED:
            after["value"] = gist(value)
        before = {"run": approval.run_id, "status": str(approval.status), "proposal": gist(approval.proposal)}
        async with self._guard.deed(
            "approvals:decide",
            f"approval:{approval.id}",
            needs=Action.APPROVALS_DECIDE,
            flow=flow,
            before=before,
            after=after,
        ):
            return await self._house.commands.decide(
                self._guard.tenant, approval.id, status, value=value, by=self._guard.principal.name, note=note
            )

    async def _with_flow(self, approval_id: str) -> tuple[Approval, str]:
        self._guard.check(Action.APPROVALS_READ)
        if approval_id.isprintable():
            approval = await self._store.approvals.get(self._guard.tenant, approval_id)
            run = await self._store.runs.get(self._guard.tenant, approval.run_id)
            if self._guard.may(Action.APPROVALS_READ, run.flow):
                return approval, run.flow
        raise NotFound(f"no approval {approval_id[:100]!r}", remedy="callboard approvals list shows the ids")
