"""POST /v1/responses and what belongs to it: a response is a turn of a session, and its run is durable."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from callboard.apps.entrance import At
from callboard.apps.gateway.answering import WITH_BODY, answer
from callboard.apps.gateway.openai.bodies import Ask
from callboard.apps.gateway.openai.completions import no_model, speaks, start
from callboard.apps.gateway.openai.course import Answered, Called, Course, follow
from callboard.apps.gateway.openai.events import Telling, framed
from callboard.apps.gateway.openai.opening import (
    IdempotencyKey,
    gives_json,
    id_of,
    may_start,
    stream,
    wait,
)
from callboard.apps.gateway.openai.refusals import OpenAIRoute, Refusal, of_run
from callboard.apps.gateway.openai.said import items_of
from callboard.apps.gateway.openai.views import (
    CONVERSATION,
    RESPONSE,
    Facts,
    Finish,
    call_item,
    done,
    item_status,
    message_item,
)
from callboard.apps.gateway.outlet import Outlet
from callboard.domain.chat import Chat
from callboard.domain.errors import Conflict, KeyConflict, NotFound
from callboard.domain.ids import derived, is_id
from callboard.domain.message import Message, system
from callboard.domain.run import Outcome, RunStatus
from callboard.runtime import Desk, RunHandle, Session, Turn

router = APIRouter(prefix="/v1/responses", tags=["openai"], route_class=OpenAIRoute)

_PAGE = 1_000  # events of a journal read at a time
_STREAM = gives_json("The response, or its events as server-sent events.", streamed=True)
_SHOWN = gives_json("The response.")


@router.post("", responses=_STREAM | WITH_BODY, summary="Make a response", response_class=Response)
async def create(request: Request, desk: At, body: Ask, key: IdempotencyKey = None) -> Response:
    """Sends a message to a session, a new one where none is named, and answers with the output of its run."""
    body.check()
    messages = items_of(body.input)
    await may_start(request, desk, body.model)
    if body.store is False:
        facts, handle = await _unkept(request, desk, body, messages, key)
    else:
        session = await _session(desk, body, key)
        turn = await _send(request, desk, body, session, messages, key)
        facts = Facts.of(turn, session, body.background)
        handle = _handle(request, desk, turn.id)
    if body.stream:
        return _stream(request, desk, handle, facts, -1)
    if body.background:
        return answer(facts.view("queued", []))
    outcome = await wait(request, handle)
    finish = None if outcome is None else Finish.of(outcome)
    if body.store is False and finish is not None and finish.error is not None and finish.reason is None:
        raise of_run(handle.id, finish.error)  # nobody can look at it later
    return answer(await _look(desk, facts, outcome))


@router.get("/{response_id}", responses=_STREAM, summary="Look at a response", response_class=Response)
async def get(
    request: Request,
    desk: At,
    response_id: str,
    stream: Annotated[bool, Query(description="As events.")] = False,
    starting_after: Annotated[
        int, Query(ge=-1, lt=1 << 62, description="The `sequence_number` of the last event that was seen.")
    ] = -1,
    include: Annotated[list[str] | None, Query(description="Taken and not used.")] = None,
    include_obfuscation: Annotated[bool, Query(description="Taken and not used.")] = False,
) -> Response:
    """A response as it stands; or its events after the one that was seen last, each once, until it ends."""
    turn, session = await _turn(desk, response_id)
    facts = Facts.of(turn, session)
    if stream:
        return _stream(request, desk, _handle(request, desk, turn.id), facts, starting_after)
    return answer(await _look(desk, facts, await _outcome(desk, turn.id)))


@router.post("/{response_id}/cancel", responses=_SHOWN, summary="Cancel a response", response_class=Response)
async def cancel(desk: At, response_id: str) -> Response:
    """Asks the response's run to end."""
    turn, session = await _turn(desk, response_id)
    try:
        await desk.runs.cancel(turn.id, "cancelled by the client")
    except Conflict:
        pass  # it has ended: it is shown as it is
    except NotFound:
        said = "the response waits for the one before it, and cannot be cancelled yet"
        raise Refusal(409, "conflict", said) from None
    return answer(await _look(desk, Facts.of(turn, session), await _outcome(desk, turn.id)))


async def _session(desk: Desk, body: Ask, key: str | None) -> Session:
    """The session that a request goes on with, or a new one. Raises Refusal."""
    if body.previous_response_id is not None:
        _, session = await _turn(desk, body.previous_response_id)
    elif body.conversation is not None:
        wanted = body.conversation.get("id") if isinstance(body.conversation, dict) else body.conversation
        session_id = id_of(wanted, CONVERSATION, "conversation")
        try:
            session = await desk.sessions.get(session_id)
        except NotFound:
            if not is_id(session_id):
                raise Refusal(404, "conversation_not_found", f"there is no conversation {wanted!r}") from None
            session = await _begun(desk, body.model, session_id)  # made without a model: it begins with this one
    else:
        fresh = None if key is None else derived(0, "session", desk.tenant, body.model, key)
        return await _begun(desk, body.model, fresh)
    if session.flow != body.model:
        said = f"this conversation is with {session.flow}; another model needs one of its own"
        raise Refusal(400, "invalid_value", said, param="model")
    return session


async def _begun(desk: Desk, model: str, session_id: str | None) -> Session:
    try:
        return await desk.sessions.create(model, session_id=session_id)
    except NotFound:
        raise no_model(model) from None


async def _send(
    request: Request, desk: Desk, body: Ask, session: Session, messages: tuple[Message, ...], key: str | None
) -> Turn:
    after = None
    if body.previous_response_id is not None:
        after = id_of(body.previous_response_id, RESPONSE, "response")
    try:
        return await desk.sessions.send(
            session.id,
            messages[-1],
            after=after,
            key=key,
            earlier=messages[:-1],
            instructions=body.instructions or "",
            labels=body.labels() or None,
            trace=request.app.state.entrance.trace(request),
        )
    except KeyConflict:
        said = f"the key {key!r} belongs to a response which had another input"
        raise Refusal(409, "key_conflict", said, final=True) from None


async def _unkept(
    request: Request, desk: Desk, body: Ask, messages: tuple[Message, ...], key: str | None
) -> tuple[Facts, RunHandle]:
    told = (system(body.instructions), *messages) if body.instructions else messages
    handle = await start(request, desk, body.model, Chat(told), key, body.labels())
    run = await desk.runs.get(handle.id)
    facts = Facts(
        run_id=run.id,
        model=body.model,
        created_at=run.created_at,
        instructions=body.instructions,
        metadata=body.metadata or {},
        store=False,
    )
    return facts, handle


async def _turn(desk: Desk, response_id: str) -> tuple[Turn, Session]:
    try:
        turn = await desk.sessions.turn(id_of(response_id, RESPONSE, "response"))
        return turn, await desk.sessions.get(turn.session)
    except NotFound:
        raise Refusal(404, "response_not_found", f"there is no response {response_id[:100]!r}") from None


def _handle(request: Request, desk: Desk, run_id: str) -> RunHandle:
    """On the run of a turn that the desk has shown; it may not have been started yet."""
    handle: RunHandle = request.app.state.entrance.rt.handle(run_id, tenant=desk.tenant)
    return handle


async def _outcome(desk: Desk, run_id: str) -> Outcome | None:
    try:
        return await desk.runs.outcome(run_id)
    except NotFound:
        return None  # it waits for the turn before it


async def _look(desk: Desk, facts: Facts, outcome: Outcome | None) -> dict[str, Any]:
    """The response as it stands."""
    try:
        run = await desk.runs.get(facts.run_id)
    except NotFound:
        return facts.view("queued", [])
    output = await _items(desk, run.id)
    if outcome is None or not run.status.ended:
        return facts.view("queued" if run.status is RunStatus.READY and not run.epoch else "in_progress", output)
    finish = Finish.of(outcome)
    if finish.status == "completed" or finish.text:
        output.append(message_item(f"msg_{run.id}", item_status(finish.status), finish.text))
    return facts.view(finish.status, output, finish=finish, usage=run.usage, ended_at=run.finished_at)


async def _items(desk: Desk, run_id: str) -> list[dict[str, Any]]:
    course, found, after = Course(), {}, -1
    while events := await desk.runs.events(run_id, after=after, limit=_PAGE):
        after = events[-1].seq
        for event in events:
            for step in course.read(event):
                if isinstance(step, Called):
                    found.update({call.id: call_item(call, "in_progress") for call in step.calls})
                elif isinstance(step, Answered):
                    found.update({call.id: done(call) for call in step.calls})
        if len(events) < _PAGE:
            break
    return list(found.values())


def _stream(request: Request, desk: Desk, handle: RunHandle, facts: Facts, after: int) -> Response:
    live = speaks(request, facts.model)
    telling = Telling(facts, speaks=live, after=after)

    async def produce(outlet: Outlet) -> None:
        for event in telling.begin("queued"):
            outlet.add(framed(event))
        async for step in follow(handle, live=live):
            for event in telling.tell(step):
                await outlet.room()
                outlet.add(framed(event))

    return stream(request, desk, handle.id, produce)
