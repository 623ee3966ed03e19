"""Waiting for the end of a run over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from callboard.apps.entrance import At, StrictRoute
from callboard.apps.gateway.answering import RunId, answer, gives, refuses
from callboard.apps.gateway.door import Door
from callboard.apps.gateway.views import ResultView, result_view
from callboard.domain.run import Outcome
from callboard.runtime import RunHandle

router = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=StrictRoute)


@router.get(
    "/{run_id}/result",
    responses=gives(ResultView, "It has ended: its output, or why there is none.")
    | gives(ResultView, "It has not ended.", status=202)
    | refuses(404),
    summary="Get or wait for a result",
)
async def result(
    request: Request,
    desk: At,
    run_id: RunId,
    wait: Annotated[float, Query(ge=0, le=300, description="Seconds to wait for its end.", examples=[30])] = 0.0,
) -> Response:
    """How a run ended. The answer is 200 for every end: `status` says which; 202 if it has not ended in that time."""
    run = await desk.runs.get(run_id)
    if not run.status.ended and wait:
        door: Door = request.app.state.door
        outcome = await door.patiently(request, _ended(await desk.runs.handle(run_id), wait))
    else:
        outcome = await desk.runs.outcome(run_id)
    if outcome is None:
        status = (await desk.runs.get(run_id)).status
        return answer(ResultView(id=run_id, status=status), 202, {"Retry-After": "1"})
    return answer(result_view(run_id, outcome))


async def _ended(handle: RunHandle, seconds: float) -> Outcome | None:
    try:
        return await handle.outcome(seconds)
    except TimeoutError:
        return None
