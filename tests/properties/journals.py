"""Made-up journals: effects of every shape at places in nested scopes, their events mixed as branches mix them."""

from dataclasses import dataclass, replace

import msgspec
from hypothesis import strategies as st

from callboard.domain.event import Event, EventKind
from callboard.engine.replay import Mismatch, Move, New, Open, Recorded

_OUTCOMES = (EventKind.DONE, EventKind.FAILED, EventKind.CANCELLED, EventKind.ABANDONED)
_INTENT, _RETRY = EventKind.INTENT, EventKind.RETRY

# What the journal may have of one effect, in order. A reservation is an intent for each attempt.
_TRACES: list[tuple[EventKind, ...]] = [
    *((outcome,) for outcome in _OUTCOMES),
    *((_INTENT, outcome) for outcome in _OUTCOMES),
    (_INTENT,),
    (_INTENT, _INTENT),
    (_INTENT, _INTENT, EventKind.DONE),
    (_RETRY, EventKind.DONE),
    (_RETRY, _RETRY),
    (_INTENT, _RETRY),
    (_INTENT, _RETRY, _INTENT),
    (_INTENT, _RETRY, _INTENT, EventKind.FAILED),
]


@dataclass(frozen=True)
class Effect:
    """One effect that a flow asks for, and what the journal may have of it."""

    place: str
    name: str
    digest: bytes
    trace: tuple[EventKind, ...]

    @property
    def path(self) -> str:
        """Its path in the journal."""
        return f"{self.place}:{self.name}"


@dataclass(frozen=True)
class Story:
    """All effects of a run, by place, and its journal."""

    effects: dict[str, Effect]
    events: list[Event]

    def cut(self, length: int) -> "Story":
        """As it stood after so many events."""
        return replace(self, events=self.events[:length])

    def of(self, effect: Effect) -> list[Event]:
        """The effect's events."""
        return [event for event in self.events if event.path == effect.path]


def right_answer(story: Story, effect: Effect) -> Move:
    """What a replay must say to the effect, worked out from its own events alone."""
    events = story.of(effect)
    retries = tuple(event for event in events if event.kind is _RETRY)
    intents: list[Event] = []
    for event in events:
        if event.kind is _INTENT:
            intents.append(event)
        elif event.kind is _RETRY:
            intents.clear()
        else:
            return Recorded(event, tuple(intents[:-1]), retries, bool(intents))
    return Open(tuple(intents), retries) if intents else New(retries)


def is_mismatch(move: Move | None) -> bool:
    """Whether the journal refuses."""
    return isinstance(move, Mismatch)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Effects at places, scopes within scopes, and events in any order that keeps each effect's own."""
    places = draw(_places("", 2))
    effects = {place: draw(_effect(place)) for place in places}
    turns = [effect for effect in effects.values() for _ in effect.trace]
    steps: dict[str, int] = {}
    events = [Event(0, EventKind.STARTED, "", b"", 0, 0, b"null")]
    for effect in draw(st.permutations(turns)):
        step = steps.get(effect.place, 0)
        steps[effect.place] = step + 1
        seq = len(events)
        body = msgspec.json.encode({"seq": seq})
        events.append(Event(seq, effect.trace[step], effect.path, effect.digest, seq, 0, body))
    return Story(effects, events)


@st.composite
def _places(draw: st.DrawFn, prefix: str, depth: int) -> list[str]:
    """Places as scopes number them: an effect, a scope `3/`, or parallel branches `3.0/`, `3.1/`."""
    found: list[str] = []
    for ordinal in range(draw(st.integers(1, 3))):
        place = f"{prefix}{ordinal}"
        match draw(st.sampled_from(["effect", "effect", "scope", "branches"])) if depth else "effect":
            case "effect":
                found.append(place)
            case "scope":
                found += draw(_places(f"{place}/", depth - 1))
            case _:
                for branch in range(draw(st.integers(1, 2))):
                    found += draw(_places(f"{place}.{branch}/", depth - 1))
    return found


def _effect(place: str) -> st.SearchStrategy[Effect]:
    names = st.sampled_from(["a", "wait go", "x:y"])
    return st.builds(Effect, st.just(place), names, st.sampled_from([b"", b"12345678"]), st.sampled_from(_TRACES))
