"""Questions to people: the inbox, and one question with all that led to it."""

from typing import TYPE_CHECKING, Any

from callboard.apps.console import forms
from callboard.apps.console.difference import difference
from callboard.apps.console.inbox import by_deadline, note_of, summary, waiting
from callboard.apps.console.rendering import HOME, page, part_wanted, redirect
from callboard.apps.console.story import story
from callboard.domain.errors import Conflict, InputInvalid, NotFound
from callboard.domain.event import Event
from callboard.runtime import ALLOWED, Action, Approval, ApprovalStatus, Desk, Runtime

if TYPE_CHECKING:
    from fastapi import APIRouter

PLACE = f"{HOME}/approvals"
_MOST = 200  # questions on a page
_PAGE, _EVENTS = 1_000, 10_000  # events of a run's journal that are read at a time, and at most
_TOLD = 100  # steps that are shown, the last ones
_DECISIONS = {"approve": ApprovalStatus.APPROVED, "reject": ApprovalStatus.REJECTED, "edit": ApprovalStatus.EDITED}
_DONE = {"approve": "Approved", "reject": "Rejected", "edit": "Changed and approved"}
_SHOWN: tuple[tuple[str, str], ...] = (
    ("open", "open"),
    ("approved", "approved"),
    ("edited", "changed"),
    ("rejected", "rejected"),
    ("expired", "expired"),
    ("withdrawn", "withdrawn"),
    ("all", "all"),
)

# What the three answers mean for a call of which nobody knows whether it happened.
_SETTLE = {
    "approve": ("It did not happen", "The call is made now, with the same arguments."),
    "edit": ("It happened", "Nothing is called. What you write as its result is what the run goes on with."),
    "reject": ("Give it up", "Nothing is called. The run gets the error unknown_outcome and handles it, or fails."),
}
_ASK = {
    "approve": ("Approve", "The run goes on with the proposal as it is."),
    "edit": ("Change it", "The run goes on with what you make of the proposal."),
    "reject": ("Reject", "The run is told no, with your note."),
}


def routes(rt: Runtime) -> "APIRouter":
    """`/console/approvals` and what is below."""
    from fastapi import APIRouter, Request, Response

    from callboard.apps.entrance import At, form

    made = APIRouter()

    @made.get(PLACE)
    async def inbox(request: Request, desk: At, status: str = "open") -> Response:
        wanted = _status(status)
        found = by_deadline(await desk.approvals.find(status=wanted, limit=_MOST))
        flows = await desk.approvals.flows(found)
        now = rt.services.clock.now()
        rows = [
            waiting(each, flow, now, desk.may(Action.APPROVALS_DECIDE, flow))
            for each in found
            if (flow := flows.get(each.run_id)) is not None
        ]
        return page(
            request,
            desk,
            "approvals.html",
            rows=rows,
            shown=_SHOWN,
            chosen=status,
            note_of=note_of,
            summary=summary,
            full=len(found) == _MOST,
        )

    @made.get(f"{PLACE}/{{approval_id}}")
    async def one(request: Request, desk: At, approval_id: str) -> Response:
        return page(
            request, desk, "approval.html", **await _one(rt, desk, approval_id, whole=part_wanted(request) is None)
        )

    @made.post(f"{PLACE}/{{approval_id}}/difference")
    async def compare(request: Request, desk: At, approval_id: str) -> Response:
        approval = await desk.approvals.get(approval_id)
        fields = await form(request)
        value, wrong = _edited(fields)
        result = _is_settle(approval)
        changes = [] if wrong or result else difference(approval.proposal, value)
        return page(request, desk, "difference.html", changes=changes, wrong=wrong, result=result, value=value)

    @made.post(f"{PLACE}/{{approval_id}}/decide")
    async def decide(request: Request, desk: At, approval_id: str) -> Response:
        fields = await form(request)
        what = forms.text(fields, "decision", most=20)
        if what not in _DECISIONS:
            raise InputInvalid(f"decision={what!r} is no decision", remedy=f"use {', '.join(_DECISIONS)}")
        note = forms.text(fields, "note", needed=False, most=4_000)
        value = None
        if what == "edit":
            value, wrong = _edited(fields)
            if wrong:
                shown = await _one(rt, desk, approval_id)
                given = fields.get("value", "")
                return page(
                    request, desk, "approval.html", 422, **shown | {"wrong": wrong, "given": given, "note": note}
                )
        try:
            await desk.approvals.decide(approval_id, _DECISIONS[what], value=value, note=note)
        except Conflict as conflict:
            return redirect(request, f"{PLACE}/{approval_id}", await _first(desk, approval_id, conflict), bad=True)
        return redirect(request, PLACE, f"{_DONE[what]}. The run goes on.")

    return made


def _status(text: str) -> ApprovalStatus | None:
    if text == "all":
        return None
    try:
        return ApprovalStatus(text)
    except ValueError:
        known = ", ".join(name for name, _ in _SHOWN)
        raise InputInvalid(f"status={text[:40]!r} is unknown", remedy=f"use one of {known}") from None


async def _one(rt: Runtime, desk: Desk, approval_id: str, *, whole: bool = True) -> dict[str, Any]:
    """All that the page of one question shows; without `whole`, not what led to it."""
    approval = await desk.approvals.get(approval_id)
    run = told = None
    if desk.may(Action.RUNS_READ):
        try:
            run = await desk.runs.get(approval.run_id)
        except NotFound:  # the question may be seen, its run may not
            run = None
    if run is not None:
        told = story(await _until(desk, approval), until=approval.path) if whole else []
    flow = (await desk.approvals.flows([approval])).get(approval.run_id, "")
    settle = _is_settle(approval)
    row = waiting(approval, flow, rt.services.clock.now(), desk.may(Action.APPROVALS_DECIDE, flow))
    decision = approval.decision if isinstance(approval.decision, dict) else None
    edited = decision is not None and approval.status is ApprovalStatus.EDITED and not settle
    return {
        "row": row,
        "approval": approval,
        "run": run,
        "told": told if told is None else [*told[:1], *told[1:][-_TOLD:]],
        "left_out": max(0, len(told or ()) - 1 - _TOLD),
        "settle": settle,
        "answers": _SETTLE if settle else _ASK,
        "roles": [role for role, actions in ALLOWED.items() if Action.APPROVALS_DECIDE in actions],
        "changes": difference(approval.proposal, (decision or {}).get("value")) if edited else [],
        "decided": decision,
        "note_said": note_of(approval),
        "result": False,
        "wrong": "",
        "given": None,
        "note": "",
    }


async def _until(desk: Desk, approval: Approval) -> list[Event]:
    """The run's journal from its beginning to the question, at most ten thousand events."""
    found: list[Event] = []
    while len(found) < _EVENTS:
        page = await desk.runs.events(approval.run_id, after=found[-1].seq if found else -1, limit=_PAGE)
        found += page
        if len(page) < _PAGE or any(event.path == approval.path for event in page):
            break
    return found


def _is_settle(approval: Approval) -> bool:
    return approval.kind == "settle"


def _edited(fields: dict[str, str]) -> tuple[Any, str]:
    """What was made of the proposal, or what is wrong with it."""
    if not fields.get("value", "").strip():
        return None, "it is empty: write null if that is what you mean"
    try:
        return forms.json_value(fields, "value"), ""
    except InputInvalid as error:
        return None, f"{error.what}: {error.why}" if error.why else str(error)


async def _first(desk: Desk, approval_id: str, conflict: Conflict) -> str:
    """Who was first, for the one who was second."""
    approval = await desk.approvals.get(approval_id)
    if approval.decided_by:
        return f"Too late: {approval.decided_by} has {approval.status} it already. Nothing was changed."
    return f"Nothing was changed: {conflict}"
