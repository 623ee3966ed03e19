"""Runs that are started again and again."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Response
from pydantic import Field

from callboard.apps.entrance import At, StrictRoute
from callboard.apps.gateway.answering import WITH_BODY, answer, gives, refuses
from callboard.apps.gateway.starting import Body
from callboard.apps.gateway.starting import Name as FlowName
from callboard.runtime import CatchUp, Overlap, Schedule

router = APIRouter(prefix="/v1/schedules", tags=["schedules"], route_class=StrictRoute)


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule. Times are seconds since the Unix epoch."""

    name: str
    flow: str
    cron: str
    zone: str
    input: Any
    overlap: str
    catch_up: str
    paused: bool
    next_at: float
    last_at: float | None
    last_run: str | None


class ScheduleList(msgspec.Struct, frozen=True, kw_only=True):
    """Schedules, by name."""

    items: list[ScheduleView]


class RemovedView(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed."""

    name: str
    removed: bool


class PutSchedule(Body):
    """What is started when."""

    flow: FlowName = Field(examples=["digest"])
    cron: str = Field(min_length=1, max_length=200, examples=["0 7 * * 1-5"], description="Five or six fields.")
    zone: str = Field(default="UTC", min_length=1, max_length=100, examples=["Europe/Rome"])
    input: Any = Field(default=None, examples=[{"team": "red"}])
    overlap: Overlap = Field(default=Overlap.SKIP, description="When the run before has not ended.")
    catch_up: CatchUp = Field(default=CatchUp.LAST, description="Which missed starts are made up for.")


_Which = Annotated[
    str,
    Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", description="Its name.", examples=["digest"]),
]


@router.get("", responses=gives(ScheduleList, "The schedules."), summary="List schedules")
async def find(desk: At) -> Response:
    """Schedules whose flows who asks may see."""
    return answer(ScheduleList(items=[_view(each) for each in await desk.schedules.list()]))


@router.get("/{name}", responses=gives(ScheduleView, "It.") | refuses(404), summary="Look at a schedule")
async def get(desk: At, name: _Which) -> Response:
    """One schedule."""
    return answer(_view(await desk.schedules.get(name)))


@router.put(
    "/{name}", responses=gives(ScheduleView, "As it is now.") | refuses(404) | WITH_BODY, summary="Put a schedule"
)
async def put(desk: At, name: _Which, body: PutSchedule) -> Response:
    """Creates a schedule, or changes the one of that name."""
    made = await desk.schedules.put(
        name,
        body.flow,
        body.cron,
        zone=body.zone,
        input=body.input,
        overlap=body.overlap,
        catch_up=body.catch_up,
    )
    return answer(_view(made))


@router.delete("/{name}", responses=gives(RemovedView, "It is gone.") | refuses(404), summary="Remove a schedule")
async def remove(desk: At, name: _Which) -> Response:
    """Removes a schedule; the runs that it started go on."""
    await desk.schedules.remove(name)
    return answer(RemovedView(name=name, removed=True))


@router.post("/{name}/pause", responses=gives(ScheduleView, "It is paused.") | refuses(404), summary="Pause a schedule")
async def pause(desk: At, name: _Which) -> Response:
    """Starts nothing until it is resumed."""
    await desk.schedules.pause(name)
    return answer(_view(await desk.schedules.get(name)))


@router.post("/{name}/resume", responses=gives(ScheduleView, "It goes on.") | refuses(404), summary="Resume a schedule")
async def resume(desk: At, name: _Which) -> Response:
    """Goes on; `catch_up` says what becomes of the starts that were missed."""
    await desk.schedules.resume(name)
    return answer(_view(await desk.schedules.get(name)))


@router.post(
    "/{name}/trigger",
    responses=gives(ScheduleView, "It is due now.") | refuses(404, 409),
    summary="Trigger a schedule",
)
async def trigger(desk: At, name: _Which) -> Response:
    """Makes it due now, beside its times."""
    return answer(_view(await desk.schedules.trigger(name)))


def _view(schedule: Schedule) -> ScheduleView:
    found = {name: getattr(schedule, name) for name in ScheduleView.__struct_fields__ if name != "input"}
    return ScheduleView(input=msgspec.Raw(schedule.input), **found)


VIEWS = (ScheduleList, ScheduleView, RemovedView)
