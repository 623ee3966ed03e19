"""Which models a run asked, and why not others: read from its journal."""

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

from callboard.apps.reading.effect import Effect, Sort
from callboard.apps.reading.effects import effects
from callboard.domain.event import Event

if TYPE_CHECKING:
    from callboard.runtime import Runtime

_MOST = 10_000  # events that are looked at
_PAGE = 500


async def decisions(rt: "Runtime", run_id: str) -> list[dict[str, Any]]:
    """The model calls of a run's first ten thousand events, in order; see `decided`."""
    return decided([event async for event in _events(rt, run_id)])


def decided(events: Iterable[Event]) -> list[dict[str, Any]]:
    """For each model call: its path, the agent, whom it asked last (`model`), why (`reason`), and who failed before."""
    return [_decision(effect) for effect in effects(events) if effect.sort is Sort.MODEL]


def in_words(calls: Iterable[dict[str, Any]]) -> str:
    """How often each model was asked, and each call that did not go to the first at once."""
    lines, times = [], dict[str, int]()
    for call in calls:
        model = call["model"] or "nobody"
        times[model] = times.get(model, 0) + 1
        if call["failed"]:
            failed = ", ".join(f"{each['model'] or 'nobody'} failed ({each['kind']})" for each in call["failed"])
            lines.append(f"{call['path']}: {failed}; asked last: {model}")
    return "\n".join([", ".join(f"{model} x {n}" for model, n in times.items()), *lines])


def _decision(effect: Effect) -> dict[str, Any]:
    found: dict[str, Any] = {"path": effect.path, "failed": [], "model": effect.note.get("model")}
    if effect.note:
        considered = effect.note.get("considered")
        found |= {"agent": effect.note.get("agent"), "reason": considered[-1][1] if considered else None}
    for attempt in effect.attempts:
        if (error := attempt.error) is not None:
            model = (error.detail or {}).get("model")
            found["failed"].append({"model": model, "kind": error.kind, "message": error.message})
    return found


async def _events(rt: "Runtime", run_id: str) -> AsyncIterator[Event]:
    after, seen = -1, 0
    while seen < _MOST and (page := await rt.store.journal.read(rt.settings.tenant, run_id, after=after, limit=_PAGE)):
        for event in page:
            yield event
        after, seen = page[-1].seq, seen + len(page)
