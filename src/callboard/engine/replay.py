"""Replay: what a journal answers to each effect that a flow requests. Pure: no I/O, no clock.

Effects are known by their place: a path of ordinals that does not depend on timing. `3` is the fourth effect
of a run; `3/1` the second effect within the scope that the fourth opened; `3.0/1` the second effect of the
first parallel branch there. An event's path is `place:name`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorKind, ErrorRecord
from callboard.store.runs import Blocked

_record = msgspec.json.Decoder(ErrorRecord)
_OUTCOMES = (EventKind.DONE, EventKind.FAILED, EventKind.CANCELLED, EventKind.ABANDONED)

_CUT_OFF = (EventKind.CANCELLED, EventKind.ABANDONED)


class Recorded(msgspec.Struct, frozen=True):
    """The outcome is known: return it. `lost` are intents before it that never got an outcome, `retries` failed;
    `begun` says that an intent was journaled."""

    event: Event
    lost: tuple[Event, ...] = ()
    retries: tuple[Event, ...] = ()
    begun: bool = False


class New(msgspec.Struct, frozen=True):
    """Nothing is in flight, as far as the journal knows: execute it. `retries` failed, `lost` never came back."""

    retries: tuple[Event, ...] = ()
    lost: tuple[Event, ...] = ()


class Open(msgspec.Struct, frozen=True):
    """An intent without an outcome: `intents` in order, the last one counts. `lost` are earlier ones."""

    intents: tuple[Event, ...]
    retries: tuple[Event, ...] = ()
    lost: tuple[Event, ...] = ()


class Mismatch(msgspec.Struct, frozen=True):
    """The journal has something else here: block the run."""

    blocked: Blocked


Move = Recorded | New | Open | Mismatch
_NEW = New()


class Replay:
    """A run's journal, folded. Outcomes leave it as they are returned, so that what is left over shows."""

    __slots__ = (
        "_beats", "_containers", "_intents", "_lost", "_outcomes", "_patches", "_retries", "_undone", "requeued",
    )  # fmt: skip

    def __init__(self, events: Iterable[Event]) -> None:
        self._outcomes: dict[str, Event] = {}
        self._intents: dict[str, list[Event]] = {}
        self._retries: dict[str, list[Event]] = {}
        self._lost: dict[str, list[Event]] = {}
        self._patches: dict[str, bool] = {}
        self._containers: dict[str, str] = {}
        self._beats: dict[str, Any] = {}
        self._undone: set[str] = set()
        self.requeued = 0  # the number of the last event that says so
        ended: Event | None = None
        for event in events:
            kind = event.kind
            if kind in _OUTCOMES:
                place = event.path.partition(":")[0]
                self._outcomes[place] = event
                if "/" in place:
                    self._contain(place)
            elif kind is EventKind.INTENT:
                place = event.path.partition(":")[0]
                self._intents.setdefault(place, []).append(event)
                self._contain(place)
                if ":undo " in event.path:
                    self._undone.add(_cause(event))
            elif kind is EventKind.RETRY:
                place = event.path.partition(":")[0]
                self._retries.setdefault(place, []).append(event)
                # That attempt is answered, it failed; attempts before it never were.
                self._lost.setdefault(place, []).extend(self._intents.pop(place, [])[:-1])
            elif kind is EventKind.PATCHED:
                self._patches[event.path.partition(":")[2]] = True
            elif kind is EventKind.BEAT:
                self.heard(event.path, event.value())
            elif kind is EventKind.RUN_FAILED:
                ended = event
            elif kind is EventKind.REQUEUED:
                self.requeued = event.seq
                if ended is not None:
                    self._forget(ended)
                    ended = None

    @property
    def replaying(self) -> bool:
        """True while anything recorded has not been asked for yet."""
        return bool(self._outcomes or self._intents or self._retries)

    def answer(self, place: str, name: str, digest: bytes, *, holds_branches: bool = False) -> Move:
        """What the journal says to the effect `name` at `place`, asked to do what `digest` is over.

        `holds_branches`: effects recorded within it are its branches', not another thing's.
        """
        event = self._outcomes.get(place)
        if event is not None:
            if event.digest != digest or event.path != f"{place}:{name}":
                return _mismatch(event, place, name, digest)
            del self._outcomes[place]
            if not (self._intents or self._lost or self._retries):
                return Recorded(event)
            lost = self._lost.pop(place, [])
            intents = self._intents.pop(place, None)
            failed = tuple(self._retries.pop(place, ()))
            if intents and len(intents) > 1:
                lost += intents[:-1]
            return Recorded(event, tuple(lost), failed, intents is not None)
        intents = self._intents.pop(place, None)
        retries = tuple(self._retries.pop(place, ()))
        if intents is not None:
            if intents[-1].digest != digest or intents[-1].path != f"{place}:{name}":
                return _mismatch(intents[-1], place, name, digest)
            return Open(tuple(intents), retries, tuple(self._lost.pop(place, ())))
        if retries and (retries[-1].digest != digest or retries[-1].path != f"{place}:{name}"):
            return _mismatch(retries[-1], place, name, digest)
        if place in self._containers and not holds_branches:
            inner = self._containers[place]
            return Mismatch(Blocked(f"{place}:{name}", f"effects inside a scope ({inner})", f"the effect {name}"))
        return New(retries, tuple(self._lost.pop(place, ()))) if retries else _NEW

    def enter(self, place: str, name: str) -> Mismatch | None:
        """Opens a scope at a place; a mismatch when the journal has an effect there instead."""
        begun = self._intents.get(place) or self._retries.get(place)
        event = begun[0] if begun else self._outcomes.get(place)
        if event is None:
            return None
        return Mismatch(Blocked(f"{place}:{name}", f"the effect {event.path}", f"a scope ({name})"))

    def knows(self, place: str) -> bool:
        """True when the journal has anything at this place that was not yet returned."""
        return place in self._outcomes or place in self._intents or place in self._containers or place in self._retries

    def patched(self, name: str, place: str) -> bool | None:
        """Whether the run has the change `name`: True or False once that is settled, None if it is new here.

        `place` is where the run's next effect would stand: if the journal knows it, the run went on from here
        without the change.
        """
        known = self._patches.get(name)
        if known is None and self.knows(place):
            self._patches[name] = known = False
        return known

    def settle_patch(self, name: str) -> None:
        """The run has the change from here on."""
        self._patches[name] = True

    def beat(self, place: str) -> Any:
        """What an attempt at the effect at this place said last about how far it was."""
        return self._beats.get(place)

    def heard(self, path: str, details: Any) -> None:
        """An attempt says how far it is."""
        self._beats[path.partition(":")[0]] = details

    def skip(self, prefix: str) -> None:
        """Drops what was recorded below a place: branches that lost and are not driven again."""
        for known in (self._outcomes, self._intents, self._retries):
            for place in [p for p in known if p.startswith(prefix)]:
                del known[place]

    def leftover(self) -> Event | None:
        """The first recorded effect that the flow ended without asking for, begun or done."""
        begun = [events[0] for known in (self._intents, self._retries) for events in known.values()]
        return min([*self._outcomes.values(), *begun], key=lambda e: e.seq, default=None)

    def _contain(self, place: str) -> None:
        while (slash := place.rfind("/")) > 0:
            inner = place
            place = place[:slash]
            place = place[: place.rfind(".")] if place.rfind(".") > place.rfind("/") else place
            if place in self._containers:
                return
            self._containers[place] = inner

    def _forget(self, ended: Event) -> None:
        """After a requeue: the effect whose failure ended the run counts as not done, and is done again."""
        path = _record.decode(ended.body).path
        if path is None or path in self._undone:  # a saga has undone what came before it: it must not go on from there
            return
        place = path.partition(":")[0]
        event = self._outcomes.pop(place, None)
        self._retries.pop(place, None)
        # What was cancelled within it because it failed (by a time limit, say) is not done either.
        for inner in [p for p, e in self._outcomes.items() if p.startswith(f"{place}.") and e.kind in _CUT_OFF]:
            del self._outcomes[inner]
            self._intents.pop(inner, None)
        # Of an unknown outcome the intent stands: it must still be settled before anything is done again.
        if event is None or event.kind is not EventKind.FAILED or _kind_of(event) != ErrorKind.UNKNOWN_OUTCOME:
            self._intents.pop(place, None)
        elif place in self._intents:
            # The question that was answered with "give it up" is over: it is asked again.
            begun = [i for i in self._intents.pop(place) if not i.value().get("settle")]
            if begun:
                self._intents[place] = begun


def _kind_of(failed: Event) -> str:
    return _record.decode(failed.body).kind


def _cause(undo: Event) -> str:
    """The path of the failure because of which a saga undoes something."""
    asked = undo.value().get("asked")
    because = asked.get("because") if isinstance(asked, dict) else None
    return str(because.get("path", "")) if isinstance(because, dict) else ""


def _mismatch(event: Event, place: str, name: str, digest: bytes) -> Mismatch:
    recorded, requested = f"the effect {event.path}", f"the effect {place}:{name}"
    if recorded == requested:
        recorded += f" with arguments {event.digest.hex() or 'none'}"
        requested += f" with arguments {digest.hex() or 'none'}"
    return Mismatch(Blocked(f"{place}:{name}", recorded, requested))
