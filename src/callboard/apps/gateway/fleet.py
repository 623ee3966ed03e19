"""Workers, the queue, what the app depends on, and what operators do about them."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Response
from pydantic import Field

from callboard.apps.entrance import At, StrictRoute
from callboard.apps.gateway.answering import WITH_BODY, answer, gives, refuses
from callboard.apps.gateway.starting import Body, Flag, Whole
from callboard.runtime import Control, Dependency, Scope

router = APIRouter(prefix="/v1/fleet", tags=["fleet"], route_class=StrictRoute)


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """A worker. `beat_age` is in seconds."""

    id: str
    pid: int
    host: str
    started_at: float
    alive: bool
    beat_age: float
    running: int


class WorkerList(msgspec.Struct, frozen=True, kw_only=True):
    """Workers that live, and those that died and were not yet taken over from."""

    items: list[WorkerView]


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is to execute. `oldest`: since when the ready run that waits longest has been ready."""

    ready: int
    running: int
    waiting: int
    oldest: float | None
    tenants: dict[str, int]


class ControlList(msgspec.Struct, frozen=True, kw_only=True):
    """What is paused or limited."""

    items: list[Control]


class UpstreamList(msgspec.Struct, frozen=True, kw_only=True):
    """What the app depends on, and how it stands."""

    items: list[Dependency]


class ResetView(msgspec.Struct, frozen=True, kw_only=True):
    """How an upstream stood before its breaker was closed by hand."""

    before: dict[str, Any]


class SetControl(Body):
    """What is held back. A field that is left out stays as it is."""

    paused: Flag | None = Field(default=None, examples=[True], description="Nothing more of it is begun.")
    running: Whole | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        examples=[10],
        description="At most so many of its runs at a time; 0 lifts it.",
    )


_Which = Annotated[str, Path(min_length=1, max_length=200, description="Its name.", examples=["triage"])]


@router.get("/workers", responses=gives(WorkerList, "The workers."), summary="List workers")
async def workers(desk: At) -> Response:
    """Who executes runs."""
    found = await desk.fleet.workers()
    return answer(WorkerList(items=[WorkerView(**msgspec.structs.asdict(each)) for each in found]))


@router.get("/queue", responses=gives(QueueView, "The queue."), summary="See what waits")
async def queue(desk: At) -> Response:
    """How many runs wait, and for how long."""
    return answer(QueueView(**msgspec.structs.asdict(await desk.fleet.backlog())))


@router.get("/controls", responses=gives(ControlList, "The controls."), summary="List pauses and limits")
async def controls(desk: At) -> Response:
    """What is paused or limited."""
    return answer(ControlList(items=await desk.fleet.controls()))


@router.put(
    "/controls/{scope}/{name}",
    responses=gives(Control, "As it is now.") | WITH_BODY,
    summary="Pause, resume or limit",
)
async def set_control(desk: At, scope: Scope, name: _Which, body: SetControl) -> Response:
    """Holds back a tenant, a flow or a tool, for all workers at once; nothing that runs is interrupted."""
    made: Control | None = None
    if body.running is not None:
        made = await desk.fleet.limit(scope, name, body.running or None)
    if body.paused is not None or made is None:
        made = await (desk.fleet.resume if body.paused is False else desk.fleet.pause)(scope, name)
    return answer(made)


@router.get("/upstreams", responses=gives(UpstreamList, "The upstreams."), summary="List upstreams")
async def upstreams(desk: At) -> Response:
    """Models, tools and whatever else the app calls: policy, breaker, users, and what nobody has decided."""
    return answer(UpstreamList(items=await desk.fleet.upstreams()))


@router.post(
    "/upstreams/{name}/reset",
    responses=gives(ResetView, "It is closed.") | refuses(404),
    summary="Close a breaker",
)
async def reset(desk: At, name: _Which) -> Response:
    """Lets calls to an upstream through again, before its breaker would by itself."""
    return answer(ResetView(before=await desk.fleet.reset(name)))


VIEWS = (WorkerList, QueueView, ControlList, UpstreamList, ResetView, Control)
