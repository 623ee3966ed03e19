"""How this process is doing, for load balancers and scrapers."""

from fastapi import APIRouter, Request, Response

from callboard.apps.entrance import At, StrictRoute
from callboard.apps.gateway.answering import answer
from callboard.apps.gateway.door import Door

router = APIRouter(tags=["health"], route_class=StrictRoute)

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_NEEDED = ("store", "worker")  # without the others it is only slower to hear


@router.get("/livez", summary="Is it alive", include_in_schema=False)
async def livez(request: Request) -> Response:
    """200 as long as a restart would not help. Open to all."""
    door: Door = request.app.state.door
    wrong = door.rt.condition.alive()
    return answer({"status": wrong or "ok"}, 503 if wrong else 200)


@router.get("/readyz", summary="Can it be sent work", include_in_schema=False)
async def readyz(request: Request) -> Response:
    """200 when requests may be sent here, with the state of each thing that it stands on. Open to all."""
    door: Door = request.app.state.door
    if door.draining:
        return answer({"status": "draining"}, 503)
    found = await door.rt.condition.dependencies()
    ready = not any(found.get(name) for name in _NEEDED)
    said = {name: wrong or "ok" for name, wrong in found.items()}
    return answer({"status": "ready" if ready else "not ready", **said}, 200 if ready else 503)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response, include_in_schema=False)
async def metrics(request: Request, desk: At) -> Response:
    """All metrics of this process. They are those of all tenants: it takes a key that may `fleet:read` in each."""
    await desk.fleet.metrics_allowed()
    door: Door = request.app.state.door
    return Response(await door.rt.condition.metrics(), media_type=_TEXT)
