"""Questions to people as lists show them: what is asked, of whose run, and how long there is."""

from typing import Any, Literal

import msgspec

from callboard.apps.console.formats import brief
from callboard.runtime import Approval, ApprovalStatus

_SOON = 3_600.0  # seconds before a deadline from which on it is urgent


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A question as a list shows it.

    Attributes:
        approval: the question.
        flow: whose run asks.
        left: seconds to its deadline; None without one, below 0 when it is past.
        tone: how urgent that is.
        may: whether who looks may decide it.
    """

    approval: Approval
    flow: str
    left: float | None
    tone: Literal["", "warn", "bad"]
    may: bool


def waiting(approval: Approval, flow: str, now: float, may: bool) -> Waiting:
    """A question as a list shows it at `now` (epoch seconds)."""
    left = None if approval.deadline is None else approval.deadline - now
    tone: Literal["", "warn", "bad"] = ""
    if left is not None and approval.status is ApprovalStatus.OPEN:
        tone = "bad" if left < _SOON / 4 else "warn" if left < _SOON else ""
    return Waiting(approval=approval, flow=flow, left=left, tone=tone, may=may)


def by_deadline(found: list[Approval]) -> list[Approval]:
    """What must be decided first, first; what has no deadline by its age; what is decided, the latest first."""

    def key(each: Approval) -> tuple[float, ...]:
        if each.status is ApprovalStatus.OPEN:
            return (0.0, float("inf") if each.deadline is None else each.deadline, each.opened_at)
        return (1.0, -(each.decided_at or each.opened_at), 0.0)

    return sorted(found, key=key)


def summary(proposal: Any, most: int = 5) -> str:
    """A proposal on one line, its first members named: `order_id #W1 · amount 254.3 · 2 item_ids`."""
    if not isinstance(proposal, dict):
        return brief(proposal, 200)
    said = []
    for name, value in list(proposal.items())[:most]:
        match value:
            case dict() | list():
                said.append(f"{len(value)} {name}")
            case _:
                said.append(f"{name} {brief(value, 60)}")
    return " · ".join(said)


def note_of(approval: Approval) -> str:
    """What whoever decided said about it."""
    decision = approval.decision
    return str(decision.get("note") or "") if isinstance(decision, dict) else ""
