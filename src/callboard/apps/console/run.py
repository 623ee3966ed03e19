"""The page of one run: what it does or did, why it failed, what belongs to it."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import to_builtins

from callboard.apps.console.detail import detail, message
from callboard.apps.console.rendering import HOME, link, page, part_wanted
from callboard.apps.console.starters import starters
from callboard.apps.console.waterfall import Waterfall, waterfall
from callboard.apps.reading.cause import cause
from callboard.apps.reading.effect import Effect
from callboard.apps.reading.effects import effects
from callboard.domain.errors import NotFound
from callboard.domain.event import Event, EventKind
from callboard.domain.run import REQUEUEABLE, Run, RunStatus
from callboard.runtime import Action, Desk, Runtime

if TYPE_CHECKING:
    from fastapi import APIRouter

WINDOW = 400  # events that one page shows as effects
_BEFORE = 200  # events before an effect that may tell what it was asked for
_EVENTS = 100  # events on a page of the raw journal
_READ = 5_000  # events that are read at a time on the way to one
_BODY, _WHOLE = 5_000, 1_000_000  # characters of an event's body among others, and alone
_ROOM = 8 * 1024 * 1024  # bytes of journal that are read at a time
_FAR = 100_000  # events that are looked through for one of them
_CHILDREN = 50
_LAST = 2**31 - 1  # no journal is longer


def routes(rt: Runtime) -> "APIRouter":
    """A run's page, its effects and its events."""
    from fastapi import APIRouter, Path, Query, Request, Response
    from fastapi.responses import RedirectResponse

    from callboard.apps.entrance import At

    After = Annotated[int, Query(ge=-1, le=_LAST)]
    Seq = Annotated[int, Path(ge=0, le=_LAST)]
    made = APIRouter(prefix=f"{HOME}/runs/{{run_id}}")

    @made.get("")
    async def one(
        request: Request,
        desk: At,
        run_id: str,
        after: After = -1,
        effect: Annotated[int | None, Query(ge=0, le=_LAST)] = None,
        end: bool = False,
    ) -> Response:
        run = await desk.runs.get(run_id)
        if end:
            after = await _end(desk, run_id)
        now = None if _still(run) else rt.services.clock.now()
        if effect is not None and effect - WINDOW > after:
            after = effect - WINDOW // 2  # a link to an effect far down opens the window that it stands in
        around = [_around(desk, run)] if part_wanted(request) is None else []
        shown, *others = await asyncio.gather(_shown(desk, run, after, now), *around)
        for each in others:
            shown |= each
        chosen = None if effect is None else _effect(shown["picture"].effects, effect)
        about = None if chosen is None else detail(chosen)
        return page(request, desk, "run.html", chosen=chosen, about=about, **shown)

    @made.get("/effects")
    async def where(request: Request, desk: At, run_id: str, path: str) -> Response:
        """Leads to the effect of that path, wherever in the journal it stands."""
        after = -1
        while after < _FAR and (events := await desk.runs.events(run_id, after=after, limit=_READ, room=_ROOM)):
            for event in events:
                if event.path == path:
                    return RedirectResponse(link(f"{HOME}/runs/{run_id}", effect=str(event.seq)), 303)
            after = events[-1].seq
        raise NotFound(f"no effect {path[:200]!r} in run {run_id}", remedy="look through its events")

    @made.get("/effects/{seq}")
    async def effect(request: Request, desk: At, run_id: str, seq: Seq) -> Response:
        run = await desk.runs.get(run_id)
        chosen = await _one(desk, run_id, seq)
        return page(request, desk, "effect.html", run=run, effect=chosen, about=detail(chosen))

    @made.get("/effects/{seq}/seen")
    async def seen(request: Request, desk: At, run_id: str, seq: Seq) -> Response:
        asked = await _one(desk, run_id, seq)
        saw = await desk.runs.seen(run_id, until=seq)
        call = next((each for each in reversed(saw.calls) if each.path == asked.path), None)
        parts = [] if call is None else [(message(to_builtins(each.message)), each.why) for each in call.parts]
        return page(request, desk, "seen.html", call=call, parts=parts, why=saw.why)

    @made.get("/events")
    async def events(request: Request, desk: At, run_id: str, after: After = -1) -> Response:
        run = await desk.runs.get(run_id)
        found, more = await _window(desk, run_id, after, _EVENTS)
        at = f"{HOME}/runs/{run_id}/events"
        shown: dict[str, Any] = {
            "run": run,
            "events": found,
            "older": link(at, after=str(found[-1].seq)) if more else "",
            "newer": at if after >= 0 else "",
            "limit": _BODY,
            "whole": "",
        }
        return page(request, desk, "events.html", **shown)

    @made.get("/events/{seq}")
    async def event(request: Request, desk: At, run_id: str, seq: Seq) -> Response:
        run = await desk.runs.get(run_id)
        found = await desk.runs.events(run_id, after=seq - 1, limit=1)
        shown: dict[str, Any] = {"run": run, "events": found, "older": "", "newer": "", "limit": _WHOLE}
        shown["whole"] = f"/v1/runs/{run_id}/events?limit=1&after="  # beyond what a page should hold
        return page(request, desk, "events.html", **shown)

    return made


async def _shown(desk: Desk, run: Run, after: int, now: float | None) -> dict[str, Any]:
    """What the part that changes needs: the run, the picture of a window of its journal, and why it failed."""
    (events, more), last, names = await asyncio.gather(
        _window(desk, run.id, after, WINDOW),
        desk.runs.last(run.id),
        starters(desk) if run.by else _nobody(),
    )
    at = f"{HOME}/runs/{run.id}"
    picture = waterfall(events, now if not more else None)
    return {
        "run": run,
        "names": names,
        "now": now,
        "picture": picture,
        "still": _still(run),
        "cause": cause(run, picture.effects),
        "later": link(at, after=str(events[-1].seq)) if more else "",
        "earlier": "" if after < 0 else link(at, after=str(after - WINDOW) if after >= WINDOW else None),
        "first": at if after >= WINDOW else "",
        "window": (events[0].seq, events[-1].seq) if events else (0, 0),
        "last": last,
        "open": [each for each in picture.effects if each.approval is not None and each.ended is None],
        "signals": _signals(picture),
        "may_control": not run.status.ended and desk.may(Action.RUNS_CONTROL, run.flow),
        "may_requeue": run.status in REQUEUEABLE and desk.may(Action.RUNS_REPAIR, run.flow),
        "may_fork": desk.may(Action.RUNS_REPAIR, run.flow),
        "answer": _answer(events),
    }


async def _window(desk: Desk, run_id: str, after: int, most: int) -> tuple[list[Event], bool]:
    """So many events of a journal, fewer where they are large; and whether there are more behind them."""
    events = await desk.runs.events(run_id, after=after, limit=most + 1, room=_ROOM)
    if len(events) > most:
        return events[:most], True
    full = sum(len(event.body) for event in events) >= _ROOM
    return events, full and bool(await desk.runs.events(run_id, after=events[-1].seq, limit=1))


async def _end(desk: Desk, run_id: str) -> int:
    """After which event the last window of a journal begins."""
    return max(await desk.runs.last(run_id) - WINDOW, -1)


async def _nobody() -> dict[str, str]:
    return {}


async def _around(desk: Desk, run: Run) -> dict[str, Any]:
    """What does not change while one looks: input, and the runs above and below; the latter are asked for anew when
    the page is."""
    first, children = await asyncio.gather(
        desk.runs.events(run.id, limit=1), desk.runs.children(run.id, limit=_CHILDREN + 1)
    )
    above: list[Run] = []
    parent = run.parent
    while parent is not None and len(above) < 16:
        try:
            above.append(await desk.runs.get(parent))
        except NotFound:
            break  # purged, or not theirs to see
        parent = above[-1].parent
    return {
        "input": first[0].value() if first else None,
        "children": children[:_CHILDREN],
        "more_children": len(children) > _CHILDREN,
        "above": above[::-1],
    }


async def _one(desk: Desk, run_id: str, seq: int) -> Effect:
    """One effect, with what came before it as far as it matters to it. Raises NotFound."""
    events = await desk.runs.events(run_id, after=seq - 1, limit=WINDOW, room=_ROOM)
    for back in (_BEFORE, _BEFORE // 10):  # where these are too large to be read at once, the nearest must do
        before = await desk.runs.events(run_id, after=max(seq - back, 0) - 1, limit=min(back, seq), room=_ROOM)
        if not before or before[-1].seq == seq - 1:
            events = before + events
            break
    return _effect(effects(events), seq)


def _effect(found: "tuple[Effect, ...] | list[Effect]", seq: int) -> Effect:
    chosen = next((each for each in found if each.seq <= seq <= each.last and each.seq == seq), None)
    chosen = chosen or next((each for each in found if each.seq <= seq <= each.last), None)
    if chosen is None:
        raise NotFound(f"no effect has event {seq}", remedy="look through the run's events")
    return chosen


def _signals(picture: Waterfall) -> list[str]:
    """The signals that the run waits for now, to be offered when somebody sends one."""
    waits = [each for each in picture.effects if each.ended is None and each.name.startswith("wait ")]
    return [each.name.removeprefix("wait ") for each in waits if each.child is None]


def _answer(events: list[Event]) -> Any:
    """The output, where the window has the run's end."""
    last = events[-1] if events else None
    return last.value() if last is not None and last.kind is EventKind.RUN_SUCCEEDED else None


def _still(run: Run) -> bool:
    """Whether nothing will happen to it by itself."""
    return run.status.ended or run.status is RunStatus.BLOCKED
