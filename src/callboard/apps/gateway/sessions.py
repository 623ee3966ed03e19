"""Conversations over HTTP: begun, read, spoken to, followed."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field

from callboard.apps.entrance import At, Entrance, StrictRoute
from callboard.apps.gateway.answering import WITH_BODY, Limit, SessionId, answer, gives, refuses
from callboard.apps.gateway.conversing import Conversing, read_spot
from callboard.apps.gateway.door import Door
from callboard.apps.gateway.outlet import Outlet
from callboard.apps.gateway.sending import EventStream
from callboard.apps.gateway.starting import Body, Key, Label, Name, Webhook, Whole, one_key
from callboard.apps.gateway.streams import STREAMED, After, LastId
from callboard.domain.message import Message, Role, Text
from callboard.runtime import Meanwhile, Session, Turn

router = APIRouter(prefix="/v1/sessions", tags=["sessions"], route_class=StrictRoute)

_ID = "^[0-9a-hjkmnp-tv-z]{26}$"
_SESSION = r"^[^\x00-\x1f\x7f/]{1,128}$"


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation. `head` is the id of its last turn. Times are seconds since the Unix epoch."""

    id: str
    tenant: str
    flow: str
    labels: dict[str, str]
    created_at: float
    updated_at: float
    head: str | None
    turns: int
    webhook: str | None


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Conversations, newest first; `next` goes into `before` for the next page, null at the end."""

    items: list[SessionView]
    next: str | None


class TurnView(msgspec.Struct, frozen=True, kw_only=True):
    """One message, and the run that answers it, whose id the turn's is. `after`: the turn that it follows."""

    id: str
    session: str
    number: int
    after: str | None
    status: str
    at: float
    message: Any


class TurnPage(msgspec.Struct, frozen=True, kw_only=True):
    """Turns in the order in which they came; `next` goes into `after` for the next page, null at the end."""

    items: list[TurnView]
    next: int | None


class NewSession(Body):
    """A conversation to begin."""

    flow: Name = Field(examples=["clerk"], description="The flow or the agent that it is with.")
    id: str | None = Field(
        default=None, pattern=_SESSION, examples=["chat-4711"], description="Its id; the same one again finds it."
    )
    labels: dict[Name, Label] = Field(default_factory=dict, max_length=64)
    webhook: Webhook | None = Field(
        default=None, description="An address that is told when the run of one of its turns has ended, as with a run."
    )


class Send(Body):
    """A message."""

    text: str = Field(min_length=1, max_length=1_000_000, pattern=r"^[^\x00]*$", examples=["Where is my parcel?"])
    meanwhile: Meanwhile = Field(
        default=Meanwhile.QUEUE, description="What happens while the turn before has not ended."
    )
    after: str | None = Field(default=None, pattern=_ID, description="The turn that it answers; the last by default.")
    key: Key | None = Field(
        default=None, description="Idempotency key, as the header Idempotency-Key: the same one again adds nothing."
    )
    labels: dict[Name, Label] = Field(default_factory=dict, max_length=64, description="Of its run.")
    priority: Whole = Field(default=0, ge=-1_000_000, le=1_000_000)
    webhook: Webhook | None = Field(
        default=None, description="An address that is told when its run has ended; the session's by default."
    )


@router.post(
    "",
    status_code=201,
    responses=gives(SessionView, "It is there.", status=201) | refuses(404, 409) | WITH_BODY,
    summary="Begin a session",
)
async def create(desk: At, body: NewSession) -> Response:
    """A conversation with a flow or an agent."""
    made = await desk.sessions.create(body.flow, session_id=body.id, labels=body.labels or None, webhook=body.webhook)
    return answer(_session(made), 201)


@router.get("", responses=gives(SessionPage, "A page of sessions."), summary="Find sessions")
async def find(
    desk: At,
    flow: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$", description="With this one.")] = None,
    before: Annotated[str | None, Query(pattern=_SESSION, description="The `next` of the page before.")] = None,
    limit: Limit = 50,
) -> Response:
    """Conversations, newest first."""
    found = await desk.sessions.find(flow=flow, before=before, limit=limit)
    more = found[-1].id if len(found) == limit else None
    return answer(SessionPage(items=[_session(each) for each in found], next=more))


@router.get("/{session_id}", responses=gives(SessionView, "It.") | refuses(404), summary="Look at a session")
async def get(desk: At, session_id: SessionId) -> Response:
    """One conversation."""
    return answer(_session(await desk.sessions.get(session_id)))


@router.get("/{session_id}/turns", responses=gives(TurnPage, "A page.") | refuses(404), summary="Read a session")
async def turns(
    desk: At,
    session_id: SessionId,
    after: Annotated[int, Query(ge=0, le=2_147_483_647, description="The `next` of the page before.")] = 0,
    limit: Limit = 100,
) -> Response:
    """What was said; the answer to each turn is the output of the run with its id."""
    found = await desk.sessions.turns(session_id, after=after, limit=limit)
    more = found[-1].number if len(found) == limit else None
    return answer(TurnPage(items=[_turn(each) for each in found], next=more))


@router.post(
    "/{session_id}/messages",
    status_code=201,
    responses=gives(TurnView, "It is kept; its run starts when nothing is in its way.", status=201)
    | refuses(404, 409)
    | WITH_BODY,
    summary="Send a message",
)
async def send(
    request: Request,
    desk: At,
    session_id: SessionId,
    body: Send,
    key: Annotated[
        Key | None, Header(alias="Idempotency-Key", description="The same key with the same message is the same turn.")
    ] = None,
) -> Response:
    """Adds a message to a conversation; it is durable when this answers."""
    entrance: Entrance = request.app.state.entrance
    await entrance.starts(request, desk, 1)
    turn = await desk.sessions.send(
        session_id,
        Message(Role.USER, (Text(body.text),)),
        meanwhile=body.meanwhile,
        after=body.after,
        key=one_key(key, body.key),
        labels=body.labels or None,
        priority=body.priority,
        trace=entrance.trace(request),
        webhook=body.webhook,
    )
    return answer(_turn(turn), 201, {"Location": f"/v1/runs/{turn.id}"})


@router.get(
    "/{session_id}/stream",
    responses=STREAMED | refuses(404),
    response_class=Response,
    summary="Follow a session",
)
async def stream(
    request: Request, desk: At, session_id: SessionId, last: LastId = None, after: After = None
) -> Response:
    """The runs of a conversation, one after the other, as they go; `turn` says whose events follow. It does not end by
    itself: what is said later follows, too."""
    spot = read_spot(last or after)
    await desk.sessions.get(session_id)
    door: Door = request.app.state.door
    entrance: Entrance = request.app.state.entrance

    async def produce(outlet: Outlet) -> None:
        await Conversing(desk, session_id, outlet, spot).tell()

    async def recheck() -> None:
        await (await entrance.again(request, desk)).sessions.get(session_id)

    return EventStream(door, produce, recheck)


def _session(session: Session) -> SessionView:
    return SessionView(**{name: getattr(session, name) for name in SessionView.__struct_fields__})


def _turn(turn: Turn) -> TurnView:
    return TurnView(**{name: getattr(turn, name) for name in TurnView.__struct_fields__})


VIEWS = (SessionView, SessionPage, TurnView, TurnPage)
