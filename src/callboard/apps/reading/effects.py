"""The effects of a run, each put together from its events."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from callboard.apps.reading.called import called
from callboard.apps.reading.effect import Attempt, Effect, Sort, State
from callboard.domain.event import OUTCOMES, Event, EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.domain.usage import NOTHING, Usage


def effects(events: Iterable[Event]) -> list[Effect]:
    """The effects that these events tell of, in the order in which each was first heard of.

    Of effects that began before the first event or ended after the last one, only what is there.
    """
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.path:
            found.setdefault(event.path, []).append(event)
    return called([_effect(path, own) for path, own in found.items()])


def sort_of(name: str, bodies: Sequence[dict[str, Any]] = ()) -> Sort:
    """What an effect of that name does; `bodies` of its events tell a tool from a step."""
    first = name.split(" ", 1)[0]
    if name in ("model", "compact"):
        return Sort.MODEL
    if name in ("timeout", "race", "gather"):
        return Sort.SCOPE
    if name == "sleep" or (first == "wait" and " " in name and not any("key" in each for each in bodies)):
        return Sort.WAIT
    if name == "ask":
        return Sort.ASK
    if first == "spawn" and " " in name:
        return Sort.CHILD
    return Sort.TOOL if any("asked" in each or "key" in each for each in bodies) else Sort.STEP


def _effect(path: str, events: Sequence[Event]) -> Effect:
    name = path.partition(":")[2]
    bodies = [value if isinstance(value := event.value(), dict) else {} for event in events]
    asked = [body for event, body in zip(events, bodies, strict=True) if event.kind is EventKind.INTENT]
    outcome = next((event for event in reversed(events) if event.kind in OUTCOMES), None)
    if outcome is not None and events[-1].kind in (EventKind.INTENT, EventKind.RETRY):
        outcome = None  # it was taken up again: a requeued run does what failed once more
    sort = sort_of(name, bodies)
    attempts = _attempts(events, bodies)
    result = outcome.value() if outcome is not None and outcome.kind is EventKind.DONE else None
    intent = _merged(asked)
    stored = result.get("result") if isinstance(result, dict) else None
    if sort is Sort.CHILD and isinstance(stored, dict) and len(stored) == 1 and "run_id" in stored:
        intent.setdefault("run_id", stored["run_id"])
    note = intent.get("note")
    began, ended = _span(events, outcome)
    return Effect(
        path=path,
        name=name,
        sort=sort,
        state=_state(events, outcome),
        seq=events[0].seq,
        last=events[-1].seq,
        began=began,
        ended=ended,
        attempts=attempts,
        error=_error(outcome),
        note=note if isinstance(note, dict) else {},
        asked=intent.get("asked", result.get("asked") if isinstance(result, dict) else None),
        result=stored,
        usage=_usage(sort, stored) + _lost(attempts),
        reserved=_as_usage(intent.get("reserved")),
        key=intent.get("key"),
        child=intent.get("run_id"),
        approval=intent.get("approval") or intent.get("settle"),
        due=intent.get("due"),
    )


def _merged(bodies: Iterable[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for body in bodies:
        found |= body
    return found


def _state(events: Sequence[Event], outcome: Event | None) -> State:
    if outcome is None:
        if events[-1].kind is EventKind.PATCHED:
            return State.DONE
        return State.RETRYING if events[-1].kind is EventKind.RETRY else State.OPEN
    return {
        EventKind.DONE: State.DONE,
        EventKind.FAILED: State.FAILED,
        EventKind.CANCELLED: State.CANCELLED,
        EventKind.ABANDONED: State.ABANDONED,
    }[outcome.kind]


def _span(events: Sequence[Event], outcome: Event | None) -> tuple[float, float | None]:
    first = events[0]
    began = (first.at - first.took) / 1e6
    if outcome is not None:
        return began, outcome.at / 1e6
    return began, first.at / 1e6 if first.kind is EventKind.PATCHED else None


def _attempts(events: Sequence[Event], bodies: Sequence[dict[str, Any]]) -> tuple[Attempt, ...]:
    found: list[Attempt] = []
    began: float | None = None
    model: str | None = None
    for event, body in zip(events, bodies, strict=True):
        at = event.at / 1e6
        if event.kind is EventKind.INTENT:
            if began is not None:  # the process that made it is gone; nobody heard what came of it
                found.append(Attempt(began=began, ended=at, model=model))
            began = at
            model = (body.get("note") or {}).get("model") if isinstance(body.get("note"), dict) else None
        elif event.kind is EventKind.RETRY:
            error = _record(body.get("error"))
            due = body.get("due")
            found.append(
                Attempt(
                    began=at if began is None else began,
                    ended=at,
                    error=error,
                    model=model or _asked_of(error),
                    due=due,
                    spent=_as_usage(body.get("spent")) or NOTHING,
                    **_breaker(error),
                )
            )
            began, model = None, None
        elif event.kind in OUTCOMES:
            since = began if began is not None else max(at - event.took / 1e6, found[-1].due or 0.0 if found else 0.0)
            error = _record(body) if event.kind in (EventKind.FAILED, EventKind.ABANDONED) else None
            told = _stood(body.get("about")) if event.kind is EventKind.DONE else _breaker(error)
            asked = model or _asked_of(error)
            found.append(Attempt(began=min(since, at), ended=at, error=error, model=asked, **told))
            began, model = None, None
    if began is not None:
        found.append(Attempt(began=began, model=model))
    return tuple(found)


def _breaker(error: ErrorRecord | None) -> dict[str, Any]:
    """How the breaker stood before an attempt that failed: one that it refused says so by `by`."""
    told = (error.detail or {}) if error is not None else {}
    if told.get("by") == "breaker" and told.get("made") is False:
        return _stood({"breaker": "open", "upstream": told.get("upstream")})
    return _stood(told)


def _stood(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        return {}
    return {name: str(told[name]) for name in ("breaker", "upstream") if told.get("breaker") and told.get(name)}


def _error(outcome: Event | None) -> ErrorRecord | None:
    if outcome is None or outcome.kind is EventKind.DONE:
        return None
    value = outcome.value()
    if outcome.kind is EventKind.CANCELLED:
        return ErrorRecord("cancelled", "cancelled", str(value) if value else "cancelled")
    return _record(value)


def _record(value: Any) -> ErrorRecord | None:
    try:
        return msgspec.convert(value, ErrorRecord)
    except msgspec.ValidationError:
        return None


def _asked_of(error: ErrorRecord | None) -> str | None:
    found = (error.detail or {}).get("model") if error is not None else None
    return found if isinstance(found, str) else None


def _usage(sort: Sort, result: Any) -> Usage:
    if sort is not Sort.MODEL or not isinstance(result, dict):
        return NOTHING
    return _as_usage(result.get("usage")) or NOTHING


def _lost(attempts: Iterable[Attempt]) -> Usage:
    total = NOTHING
    for each in attempts:
        total += each.spent
    return total


def _as_usage(value: Any) -> Usage | None:
    try:
        return None if value is None else msgspec.convert(value, Usage)
    except msgspec.ValidationError:
        return None
