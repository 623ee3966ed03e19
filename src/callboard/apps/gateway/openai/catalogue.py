"""GET /v1/models: every flow and agent that one may start is a model."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from callboard.apps.entrance import At
from callboard.apps.gateway.answering import answer
from callboard.apps.gateway.openai.completions import no_model
from callboard.apps.gateway.openai.opening import gives_json
from callboard.apps.gateway.openai.refusals import OpenAIRoute
from callboard.runtime import Action, Desk

router = APIRouter(prefix="/v1/models", tags=["openai"], route_class=OpenAIRoute)


@router.get("", summary="List models", response_class=Response, responses=gives_json("The models."))
async def models(request: Request, desk: At) -> Response:
    """The flows and agents that one may start."""
    desk.check(Action.RUNS_START)
    names = sorted({flow.name for flow in request.app.state.entrance.rt.services.flows.values()})
    data = [_model(request, desk, name) for name in names if desk.may(Action.RUNS_START, name)]
    return answer({"object": "list", "data": data})


@router.get("/{model}", summary="Look at a model", response_class=Response, responses=gives_json("It."))
async def model(
    request: Request, desk: At, model: Annotated[str, Path(max_length=200, examples=["triage"])]
) -> Response:
    """One of them."""
    desk.check(Action.RUNS_START)
    if request.app.state.entrance.rt.services.find(model) is None or not desk.may(Action.RUNS_START, model):
        raise no_model(model)
    return answer(_model(request, desk, model))


def _model(request: Request, desk: Desk, name: str) -> dict[str, Any]:
    # A flow has no time of its own: it is there since this process is.
    created = int(request.app.state.door.since)
    return {"id": name, "object": "model", "created": created, "owned_by": desk.tenant}
