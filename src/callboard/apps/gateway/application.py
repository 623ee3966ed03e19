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
from callboard.apps.entrance.hosts import Hosts, served
from callboard.apps.entrance.intake import Intake
from callboard.apps.entrance.quick import Shortcut
from callboard.apps.entrance.refusing import Refusing
from callboard.apps.entrance.turns import Turns
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


def application(rt: Runtime, *, console: bool = True, bound: str = "") -> FastAPI:
    """The HTTP doors of an open runtime as an ASGI application.

    Its state has `door` (set `door.leaving` to send streams away), `entrance`, and `warm` where there are pages: called
    once on some thread, it keeps the first of them from taking longer.

    Args:
        rt: the runtime; whoever opened it closes it.
        console: whether the pages are served as well.
        bound: the host to which the server is bound; one of those for which it answers.

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
        from callboard.apps.console.rendering import warm

        app.include_router(pages(rt))
        app.state.warm = warm
        page = failure

        @app.get("/", include_in_schema=False)
        async def to_console() -> Response:
            return Response(status_code=303, headers={"Location": "/console"})

    answered = answer_errors(app, page)
    description = describe(app, [struct for module in _VIEWS for struct in module.VIEWS])

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(desk: At) -> Response:
        return answer(description())

    # From the inside to the outside.
    app.add_middleware(Shortcut, routes=runs.starts.routes, answered=answered)
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
    new_id, observe = rt.services.ids.new, rt.services.metrics.request
    turns = Turns(settings.requests)
    app.state.refusing = Refusing(turns, new_id, observe, entrance.secure)
    app.add_middleware(Crowd, turns=turns)
    app.add_middleware(Hosts, names=served(settings.public_url, settings.hosts, bound))
    app.add_middleware(Frame, new_id=new_id, observe=observe, secure=entrance.secure)
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
