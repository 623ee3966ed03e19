"""Runs and sessions, live: their journals and what models say meanwhile, as server-sent events."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response

from callboard.apps.entrance import At, Entrance, StrictRoute
from callboard.apps.gateway.answering import Responses, RunId, refuses
from callboard.apps.gateway.door import Door
from callboard.apps.gateway.following import Following
from callboard.apps.gateway.outlet import Outlet
from callboard.apps.gateway.place import read_place
from callboard.apps.gateway.sending import EventStream

router = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=StrictRoute)

STREAMED: Responses = {
    200: {
        "description": "Server-sent events. `journal`: a row of the journal. `delta`, `progress`: what is said "
        "meanwhile; `gap`: some of it was lost. `end`: how the run ended. `slow`: this reader was too slow; `bye`: "
        "this process ends; `error`: it cannot go on. After each of the last three, come back with `Last-Event-ID`.",
        "content": {"text/event-stream": {}},
    },
    204: {"description": "The end was told, and nothing came after it: there is nothing to come back for."},
}
LastId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", description="The id of what was seen last: what came after it is told, once."),
]
After = Annotated[
    str | None, Query(max_length=200, description="As Last-Event-ID, where a header cannot be sent.", examples=["12"])
]


@router.get(
    "/{run_id}/stream",
    responses=STREAMED | refuses(404),
    response_class=Response,
    summary="Follow a run",
)
async def stream(request: Request, desk: At, run_id: RunId, last: LastId = None, after: After = None) -> Response:
    """Every event of the run's journal, each once, and between them what models and tools say while they are at it.

    Without an id it begins at the beginning. The journal's events are never lost; live pieces are kept for a while.
    """
    place = read_place(last or after)
    handle = await desk.runs.handle(run_id)
    if place.end and not await desk.runs.events(run_id, after=place.seq, limit=1):
        return Response(status_code=204)  # a browser that is told so does not come back
    place = msgspec.structs.replace(place, end=False)  # it was requeued since
    door: Door = request.app.state.door
    entrance: Entrance = request.app.state.entrance

    async def produce(outlet: Outlet) -> None:
        await Following(handle, outlet, place).tell()

    async def recheck() -> None:
        await (await entrance.again(request, desk)).runs.get(run_id)

    return EventStream(door, produce, recheck)
