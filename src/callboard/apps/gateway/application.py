"""The whole HTTP application: every router, and what stands around them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.middleware.cors import CORSMiddleware

from callboard.apps.entrance import At, Entrance
from callboard.apps.entrance.crowd import Crowd
from callboard.apps.entrance.errors import answer_errors
from callboard.apps.entrance.frame import Frame
from callboard.apps.entrance.intake import Intake
from callboard.apps.gateway import (
    account,
    approvals,
    catalog,
    costs,
    credentials,
    fleet,
    health,
    results,
    runs,
    schedules,
    sessions,
    streams,
    views,
    webhooks,
)
from callboard.apps.gateway.answering import EVERYWHERE, answer
from callboard.apps.gateway.describing import describe
from callboard.apps.gateway.door import Door
from callboard.apps.gateway.openai.refusals import REFUSED
from callboard.apps.gateway.openai.routers import ROUTERS as OPENAI
from callboard.domain.error import CallboardError
from callboard.runtime import Runtime

_ROUTERS: tuple[APIRouter, ...] = (
    runs.starts,  # what comes first is found first
    runs.router,
    results.router,
    streams.router,
    sessions.router,
    approvals.router,
    catalog.router,
    costs.router,
    fleet.router,
    schedules.router,
    credentials.router,
    account.router,
    webhooks.router,
)
_VIEWS = (
    views,
    sessions,
    approvals,
    catalog,
    costs,
    fleet,
    schedules,
    credentials,
    account,
    webhooks,
)  # each has the structs it answers with
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADERS = ("Authorization", "Content-Type", "Callboard-Tenant", "Idempotency-Key", "Last-Event-ID", "traceparent")
_EXPOSED = ("Location", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "X-Request-Id")


def application(rt: Runtime, *, console: bool = True) -> FastAPI:
    """The HTTP doors of an open runtime as an ASGI application.

    Its state has `door` (set `door.leaving` to send streams away) and `entrance`.

    Args:
        rt: the runtime; whoever opened it closes it.
        console: whether the pages are served as well.

    Raises InputInvalid for settings that cannot be.
    """
    settings = rt.settings.gateway
    entrance, door = Entrance(rt), Door(rt)
    app = FastAPI(
        title="Callboard",
        version=version("callboard"),
        description="Durable multi-agent LLM runs: every call on the record. docs/gateway.md tells the story.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lasting(door),
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ours tells of requests: see Frame
    )
    app.state.entrance = entrance
    app.state.door = door
    for router in _ROUTERS:
        app.include_router(router, responses=EVERYWHERE)
    for router in OPENAI:
        app.include_router(router, responses=REFUSED)
    app.include_router(health.router)
    page: Callable[[Request, CallboardError], Response] | None = None
    if console:
        from callboard.apps.console.failures import failure
        from callboard.apps.console.pages import router as pages

        app.include_router(pages(rt))
        page = failure

        @app.get("/", include_in_schema=False)
        async def to_console() -> Response:
            return Response(status_code=303, headers={"Location": "/console"})

    answer_errors(app, page)
    description = describe(app, [struct for module in _VIEWS for struct in module.VIEWS])

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(desk: At) -> Response:
        return answer(description())

    # From the inside to the outside.
    app.add_middleware(Intake, limit=settings.body, patience=settings.header_time)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=_METHODS,
            allow_headers=_HEADERS,
            expose_headers=_EXPOSED,
            max_age=600,
        )
    app.add_middleware(Crowd, most=settings.requests)
    app.add_middleware(Frame, new_id=rt.services.ids.new, observe=rt.services.metrics.request, secure=entrance.secure)
    return app


def _lasting(door: Door) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lasting(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            door.draining = True
            door.leaving.set()

    return lasting
