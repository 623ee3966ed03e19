"""Which models a run asked, and why not others: read from its journal."""

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

from callboard.domain.event import Event, EventKind

if TYPE_CHECKING:
    from callboard.runtime import Runtime

_MOST = 10_000  # events that are looked at
_PAGE = 500
_CALLS = (":model", ":compact")


async def decisions(rt: "Runtime", run_id: str) -> list[dict[str, Any]]:
    """The model calls of a run's first ten thousand events, in order; see `decided`."""
    return decided([event async for event in _events(rt, run_id)])


def decided(events: Iterable[Event]) -> list[dict[str, Any]]:
    """For each model call: its path, the agent, whom it asked last (`model`), why (`reason`), and who failed before."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        if not event.path.endswith(_CALLS):
            continue
        value = event.value()
        if event.kind is EventKind.INTENT and isinstance(note := value.get("note"), dict):
            call = found.setdefault(event.path, {"path": event.path, "failed": []})
            call |= {"agent": note.get("agent"), "model": note.get("model"), "reason": _reason(note)}
        elif event.kind in (EventKind.RETRY, EventKind.FAILED):
            error = value["error"] if event.kind is EventKind.RETRY else value
            detail = error.get("detail") or {}
            call = found.setdefault(event.path, {"path": event.path, "failed": [], "model": None})
            call["failed"].append({"model": detail.get("model"), "kind": error["kind"], "message": error["message"]})
    return list(found.values())


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


def _reason(note: dict[str, Any]) -> str | None:
    """Why the one that is asked was chosen: it stands last."""
    considered = note.get("considered")
    return considered[-1][1] if considered else None


async def _events(rt: "Runtime", run_id: str) -> AsyncIterator[Event]:
    after, seen = -1, 0
    while seen < _MOST and (page := await rt.store.journal.read(rt.settings.tenant, run_id, after=after, limit=_PAGE)):
        for event in page:
            yield event
        after, seen = page[-1].seq, seen + len(page)
