"""/v1/conversations: a conversation is a session."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from callboard.apps.entrance import At
from callboard.apps.gateway.answering import WITH_BODY, answer
from callboard.apps.gateway.openai.bodies import NewConversation
from callboard.apps.gateway.openai.completions import no_model
from callboard.apps.gateway.openai.opening import gives_json, id_of
from callboard.apps.gateway.openai.refusals import OpenAIRoute, Refusal
from callboard.apps.gateway.openai.views import CONVERSATION, conversation
from callboard.domain.errors import NotFound
from callboard.runtime import Action

router = APIRouter(prefix="/v1/conversations", tags=["openai"], route_class=OpenAIRoute)

_GIVEN = gives_json("The conversation.")


@router.post("", responses=_GIVEN | WITH_BODY, summary="Begin a conversation", response_class=Response)
async def create(request: Request, desk: At, body: NewConversation | None = None) -> Response:
    """A new conversation. With which flow or agent, the metadata `model` says, or else its first response: until then
    it is only an id."""
    labels = dict((body.metadata if body is not None else None) or {})
    model = labels.pop("model", None)
    if model is None:
        if labels:
            raise Refusal(400, "invalid_value", "metadata: name the model as well, so that they can be kept")
        desk.check(Action.RUNS_START)
        services = request.app.state.entrance.rt.services
        said = {"id": CONVERSATION + services.ids.new(), "object": "conversation", "metadata": {}}
        return answer(said | {"created_at": int(services.clock.now())})
    try:
        return answer(conversation(await desk.sessions.create(model, labels=labels)))
    except NotFound:
        raise no_model(model) from None


@router.get("/{conversation_id}", responses=_GIVEN, summary="Look at a conversation", response_class=Response)
async def get(desk: At, conversation_id: Annotated[str, Path(max_length=250)]) -> Response:
    """A conversation that has begun."""
    try:
        return answer(conversation(await desk.sessions.get(id_of(conversation_id, CONVERSATION, "conversation"))))
    except NotFound:
        said = f"there is no conversation {conversation_id[:100]!r}"
        raise Refusal(404, "conversation_not_found", said) from None
