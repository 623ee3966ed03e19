"""Questions to people, and their answers."""

from collections.abc import Awaitable
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from callboard.domain.run import RunStatus
from callboard.store.claims import Claim


class ApprovalStatus(StrEnum):
    """Where a question stands. Only an open one can change, once."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    EDITED = "edited"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class NewApproval(msgspec.Struct, frozen=True):
    """A question to open. `kind` is `ask` (a flow asks) or `settle` (the outcome of a `once` call is unknown).

    `proposal` is JSON; `deadline` is in seconds since the epoch.
    """

    id: str
    path: str
    kind: str
    proposal: bytes
    at: float
    deadline: float | None = None


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A question as its row says."""

    id: str
    run_id: str
    path: str
    kind: str
    status: ApprovalStatus
    proposal: Any
    opened_at: float
    deadline: float | None = None
    decided_at: float | None = None
    decided_by: str | None = None
    decision: Any = None


class Approvals(Protocol):
    """Lists questions and takes decisions, for doors."""

    async def find(
        self, tenant: str, *, status: ApprovalStatus | None = None, run_id: str | None = None, limit: int = 100
    ) -> list[Approval]:
        """Questions, those with the nearest deadline first."""
        ...

    async def get(self, tenant: str, approval_id: str) -> Approval:
        """One question. Raises NotFound."""
        ...

    def decide(
        self, tenant: str, approval_id: str, status: ApprovalStatus, decision: bytes, by: str, at: float
    ) -> Awaitable[tuple[str, RunStatus]]:
        """Decides an open question and wakes its run, in one transaction.

        Returns the run's id and status after it. Raises NotFound; Conflict when it is no longer open.
        """
        ...

    def close(self, claim: Claim, approval_id: str, status: ApprovalStatus) -> Awaitable[ApprovalStatus]:
        """The run's owner closes a question that is still open (expired, withdrawn); returns where it stands now.

        If that is another status than asked for, a person was faster and the decision is in the inbox.
        Raises LeaseLost; NotFound when the run has no such question.
        """
        ...
