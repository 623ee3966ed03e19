"""Runs over HTTP: started, looked for, looked at, acted on."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field

from callboard.apps.entrance import At, Entrance, QuickRoute, StrictRoute
from callboard.apps.gateway.answering import RUN, WITH_BODY, Before, Limit, RunId, answer, gives, refuses
from callboard.apps.gateway.starting import Batch, Body, Key, Name, Reason, Start, Whole
from callboard.apps.gateway.starts import start_all
from callboard.apps.gateway.views import (
    BatchView,
    DeliveryList,
    DeliveryView,
    EventPage,
    RunPage,
    RunView,
    StartedView,
    StatusView,
    TotalsView,
    event_view,
    run_view,
    usage_view,
)
from callboard.domain.errors import InputInvalid
from callboard.domain.run import RunStatus
from callboard.runtime import Search

router = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=StrictRoute)
starts = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=QuickRoute)

_ROOM = 4 * 1024 * 1024  # bytes of a page of events
_STARTED = {"id": RUN, "flow": "triage", "tenant": "default", "created": True}


class Cancel(Body):
    """Why a run is to end."""

    reason: Reason = Field(default="", examples=["the customer has called"])


class Signal(Body):
    """A signal: what the flow waits for, and what it is told."""

    name: Name = Field(examples=["payment"])
    value: Any = Field(default=None, examples=[{"paid": True}])


class Requeue(Body):
    """Why a run goes on."""

    reason: Reason = Field(default="", examples=["the upstream is back"])


class Fork(Body):
    """Where the new run's own history begins."""

    at_seq: Whole = Field(ge=0, le=2_147_483_647, description="The last event that both have in common.", examples=[12])


@starts.post(
    "",
    status_code=201,
    responses=gives(StartedView, "It is durable.", status=201, example=_STARTED)
    | gives(StartedView, "The idempotency key had made it before.", example=_STARTED | {"created": False})
    | refuses(404, 409)
    | WITH_BODY,
    summary="Start a run",
)
async def start(
    request: Request,
    desk: At,
    body: Start,
    key: Annotated[
        Key | None, Header(alias="Idempotency-Key", description="The same key with the same input is the same run.")
    ] = None,
) -> Response:
    """Starts a run of a flow or an agent; it is durable when this answers."""
    entrance: Entrance = request.app.state.entrance
    options = body.options(key)
    await entrance.starts(request, desk, 1)
    handle = await desk.runs.start(body.flow, body.input, trace=entrance.trace(request), **options)
    view = StartedView(id=handle.id, flow=body.flow, tenant=desk.tenant, created=handle.created)
    return answer(view, 201 if handle.created else 200, {"Location": f"/v1/runs/{handle.id}"})


@router.post(
    "/batch",
    responses=gives(BatchView, "What came of each.") | WITH_BODY,
    summary="Start many runs",
)
async def start_batch(request: Request, desk: At, body: Batch) -> Response:
    """Starts up to 1,000 runs. Each is answered for itself, with the status that it would have had alone; send an
    idempotency key with each, and the whole batch may be repeated."""
    entrance: Entrance = request.app.state.entrance
    await entrance.starts(request, desk, len(body.runs))
    return answer(await start_all(desk, body.runs, entrance.trace(request)))


def _search(
    statuses: list[RunStatus],
    flows: list[str],
    labels: list[str],
    kind: str | None,
    by: str | None,
    since: float | None,
    until: float | None,
    text: str,
    roots: bool,
) -> Search:
    pairs: dict[str, str] = {}
    for each in labels:
        name, found, value = each.partition("=")
        if not name or not found:
            raise InputInvalid(f"label={each[:100]!r} is not a name and a value", remedy="write label=team=red")
        pairs[name] = value
    return Search(
        statuses=tuple(statuses),
        flows=tuple(flows) or None,
        labels=pairs,
        kind=kind,
        by=by,
        since=since,
        until=until,
        text=text,
        roots=roots,
    )


_Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
_Texts = Annotated[list[_Text], Query(max_length=20)]
_Statuses = Annotated[
    list[RunStatus], Query(alias="status", max_length=8, description="One of these.", examples=[["failed"]])
]
_Flows = Annotated[
    list[_Text],
    Query(alias="flow", max_length=20, description="Names; `*` for any characters.", examples=[["tri*"]]),
]
_Labels = Annotated[
    list[_Text], Query(alias="label", max_length=20, description="All of these.", examples=[["team=red"]])
]
_Kind = Annotated[_Text | None, Query(description="Of the error that ended it.", examples=["timeout"])]
_By = Annotated[_Text | None, Query(description="Who started it.", examples=["key:9f3a"])]
_Since = Annotated[float | None, Query(ge=0, le=253_402_300_799, description="Created then or later, epoch seconds.")]
_Until = Annotated[float | None, Query(ge=0, le=253_402_300_799, description="Created before, epoch seconds.")]
_Words = Annotated[
    _Text, Query(description="Words that are all in its id, flow, key, labels, starter or error.", examples=["parcel"])
]
_Roots = Annotated[bool, Query(description="Only those that no other run started.")]


@router.get("", responses=gives(RunPage, "A page of runs."), summary="Find runs")
async def search(
    desk: At,
    status: _Statuses = [],  # noqa: B006 - the framework copies it
    flow: _Flows = [],  # noqa: B006
    label: _Labels = [],  # noqa: B006
    kind: _Kind = None,
    by: _By = None,
    since: _Since = None,
    until: _Until = None,
    text: _Words = "",
    roots: _Roots = False,
    before: Before = None,
    limit: Limit = 50,
) -> Response:
    """Runs to which all of it applies, newest first."""
    wanted = _search(status, flow, label, kind, by, since, until, text, roots)
    found = await desk.runs.search(wanted, before=before, limit=limit)
    more = found[-1].id if len(found) == limit else None
    return answer(RunPage(items=[run_view(run) for run in found], next=more))


@router.get("/totals", responses=gives(TotalsView, "The sums."), summary="Sum up runs")
async def totals(
    desk: At,
    status: _Statuses = [],  # noqa: B006
    flow: _Flows = [],  # noqa: B006
    label: _Labels = [],  # noqa: B006
    kind: _Kind = None,
    by: _By = None,
    since: _Since = None,
    until: _Until = None,
    text: _Words = "",
    roots: _Roots = False,
) -> Response:
    """How many runs a search has in each status and of each kind of error, and what they cost together."""
    found = await desk.runs.totals(_search(status, flow, label, kind, by, since, until, text, roots))
    statuses = {str(status): count for status, count in found.statuses.items()}
    return answer(TotalsView(statuses=statuses, kinds=found.kinds, usage=usage_view(found.usage)))


@router.get("/{run_id}", responses=gives(RunView, "The run.") | refuses(404), summary="Look at a run")
async def get(desk: At, run_id: RunId) -> Response:
    """A run as its row says."""
    return answer(run_view(await desk.runs.get(run_id)))


@router.get(
    "/{run_id}/events", responses=gives(EventPage, "A page of events.") | refuses(404), summary="Read a journal"
)
async def events(
    desk: At,
    run_id: RunId,
    after: Annotated[int, Query(ge=-1, le=2_147_483_647, description="The `next` of the page before.")] = -1,
    limit: Limit = 100,
) -> Response:
    """A page of a run's journal, in order. It ends after 4 MiB, with fewer events than `limit`; `next` leads on."""
    found = await desk.runs.events(run_id, after=after, limit=limit, room=_ROOM)
    more = found[-1].seq if len(found) == limit or sum(len(event.body) for event in found) >= _ROOM else None
    return answer(EventPage(items=[event_view(event) for event in found], next=more))


@router.get("/{run_id}/children", responses=gives(RunPage, "Its children.") | refuses(404), summary="List child runs")
async def children(desk: At, run_id: RunId, before: Before = None, limit: Limit = 50) -> Response:
    """Runs that this one started, newest first."""
    found = await desk.runs.children(run_id, before=before, limit=limit)
    more = found[-1].id if len(found) == limit else None
    return answer(RunPage(items=[run_view(run) for run in found], next=more))


@router.get(
    "/{run_id}/deliveries",
    responses=gives(DeliveryList, "Its messages.") | refuses(404),
    summary="See what came of a run's webhooks",
)
async def deliveries(desk: At, run_id: RunId) -> Response:
    """Messages to webhooks that this run has ended, and where they stand."""
    found = [
        DeliveryView(
            id=each.id,
            url=each.url,
            status=each.status,
            tries=each.tries,
            created_at=each.created_at,
            due=each.due,
            said=each.said,
            ending=each.ending,
        )
        for each in await desk.runs.deliveries(run_id)
    ]
    return answer(DeliveryList(items=found))


@router.post(
    "/{run_id}/cancel",
    responses=gives(StatusView, "It is asked to end.") | refuses(404, 409) | WITH_BODY,
    summary="Cancel a run",
)
async def cancel(desk: At, run_id: RunId, body: Cancel | None = None) -> Response:
    """Asks a run to end; a `once` call in flight settles first."""
    status = await desk.runs.cancel(run_id, body.reason if body else "")
    return answer(StatusView(id=run_id, status=status))


@router.post(
    "/{run_id}/signal",
    responses=gives(StatusView, "It is in the run's inbox.") | refuses(404, 409) | WITH_BODY,
    summary="Send a signal",
)
async def signal(desk: At, run_id: RunId, body: Signal) -> Response:
    """Sends a message to a run."""
    return answer(StatusView(id=run_id, status=await desk.runs.signal(run_id, body.name, body.value)))


@router.post(
    "/{run_id}/requeue",
    responses=gives(RunView, "It is ready again.") | refuses(404, 409) | WITH_BODY,
    summary="Requeue a run",
)
async def requeue(desk: At, run_id: RunId, body: Requeue | None = None) -> Response:
    """Makes a blocked, failed or dead run go on; of a failed one the effect that failed is done again."""
    return answer(run_view(await desk.runs.requeue(run_id, body.reason if body else "")))


@router.post(
    "/{run_id}/fork",
    status_code=201,
    responses=gives(RunView, "The new run.", status=201) | refuses(404, 409) | WITH_BODY,
    summary="Fork a run",
)
async def fork(desk: At, run_id: RunId, body: Fork) -> Response:
    """A new run that shares the history up to an event and goes on by itself."""
    forked = await desk.runs.fork(run_id, body.at_seq)
    return answer(run_view(forked), 201, {"Location": f"/v1/runs/{forked.id}"})
