"""Questions to people, and their answers."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from callboard.apps.entrance import At, StrictRoute
from callboard.apps.gateway.answering import RUN, WITH_BODY, Limit, answer, gives, refuses
from callboard.apps.gateway.starting import Body, Reason
from callboard.runtime import Approval, ApprovalStatus

router = APIRouter(prefix="/v1/approvals", tags=["approvals"], route_class=StrictRoute)


class ApprovalView(msgspec.Struct, frozen=True, kw_only=True):
    """A question. `kind` is `ask` (a flow asks) or `settle` (the outcome of a call is unknown). Times are seconds since
    the Unix epoch."""

    id: str
    run_id: str
    path: str
    kind: str
    status: str
    proposal: Any
    opened_at: float
    deadline: float | None
    decided_at: float | None
    decided_by: str | None
    decision: Any


class ApprovalList(msgspec.Struct, frozen=True, kw_only=True):
    """Questions, those with the nearest deadline first."""

    items: list[ApprovalView]


class DecidedView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a question, and how its run stands."""

    id: str
    status: str
    run_status: str


class Decision(Body):
    """An answer. `value` is the new proposal, for `edited`."""

    status: Literal["approved", "rejected", "edited"] = Field(examples=["approved"])
    value: Any = Field(default=None, examples=[None])
    note: Reason = Field(default="", examples=["as discussed with the customer"])


ApprovalId = Annotated[
    str, Path(min_length=1, max_length=200, pattern=r"^[!-~]+$", description="A question's id.", examples=[RUN])
]
_Status = Annotated[ApprovalStatus | None, Query(description="Where it stands.", examples=["open"])]
_Run = Annotated[str | None, Query(pattern="^[0-9a-hjkmnp-tv-z]{26}$", description="Of this run.", examples=[RUN])]


@router.get("", responses=gives(ApprovalList, "The questions."), summary="List questions to people")
async def find(desk: At, status: _Status = None, run_id: _Run = None, limit: Limit = 100) -> Response:
    """Questions that who asks may see."""
    found = await desk.approvals.find(status=status, run_id=run_id, limit=limit)
    return answer(ApprovalList(items=[_view(each) for each in found]))


@router.get("/{approval_id}", responses=gives(ApprovalView, "It.") | refuses(404), summary="Look at a question")
async def get(desk: At, approval_id: ApprovalId) -> Response:
    """One question."""
    return answer(_view(await desk.approvals.get(approval_id)))


@router.post(
    "/{approval_id}/decide",
    responses=gives(DecidedView, "It is decided, and its run goes on.") | refuses(404, 409) | WITH_BODY,
    summary="Decide a question",
)
async def decide(desk: At, approval_id: ApprovalId, body: Decision) -> Response:
    """Approves, rejects, or approves with another proposal. Who decided stands in the journal."""
    status = await desk.approvals.decide(approval_id, body.status, value=body.value, note=body.note)
    return answer(DecidedView(id=approval_id, status=body.status, run_status=status))


def _view(approval: Approval) -> ApprovalView:
    return ApprovalView(**{name: getattr(approval, name) for name in ApprovalView.__struct_fields__})


VIEWS = (ApprovalList, ApprovalView, DecidedView)
