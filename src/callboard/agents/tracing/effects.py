"""A journal as a list of effects, each with its attempts: when they began and ended, and how."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec

from callboard.domain.event import OUTCOMES, Event, EventKind
from callboard.domain.kinds import ErrorKind, ErrorRecord
from callboard.domain.message import Message
from callboard.domain.usage import NOTHING, Usage
from callboard.models import FinishReason

_BEGINS = frozenset({EventKind.STARTED, EventKind.CONTINUED, EventKind.REQUEUED, EventKind.FORKED})
_ANEW = frozenset({EventKind.CONTINUED, EventKind.REQUEUED})
_MODEL = b'{"result":{"type":"response"'
_ASKING = frozenset({"model", "compact"})  # what agents call their questions to models


class Intent(msgspec.Struct):
    """What an intent says, as far as spans want to know it."""

    attempt: int = 1
    note: Any = None
    reserved: list[int] | None = None
    run_id: str | None = None
    asked: msgspec.Raw = msgspec.Raw()
    approval: str | None = None
    settle: str | None = None


class _Retry(msgspec.Struct):
    error: ErrorRecord
    attempt: int = 1
    due: float = 0.0


class Answer(msgspec.Struct, tag="response"):
    """What spans tell of a model's answer: a ModelResponse has more."""

    message: Message
    usage: Usage = NOTHING
    finish: str = FinishReason.STOP
    model: str = ""
    id: str | None = None
    provider: str = ""
    cached: bool = False


class _Answered(msgspec.Struct):
    result: Answer


class Done(msgspec.Struct):
    """What a DONE event holds, undecoded."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    asked: msgspec.Raw = msgspec.Raw()


_intent = msgspec.json.Decoder(Intent).decode
_retry = msgspec.json.Decoder(_Retry).decode
_answered = msgspec.json.Decoder(_Answered).decode
_error = msgspec.json.Decoder(ErrorRecord).decode
decode_done = msgspec.json.Decoder(Done).decode

_CUT_OFF = ErrorRecord("unknown_outcome", ErrorKind.UNKNOWN_OUTCOME, "the process that was executing it is gone")


class Attempt(msgspec.Struct, gc=False):
    """One attempt at an effect. Times are microseconds since the Unix epoch.

    Attributes:
        number: from 1.
        since: the number of the event with which the run's part began in which it ended.
        start, end: when.
        intent: what was journaled before it, if anything was.
        error: how it failed.
        again: when the next attempt was due, in epoch seconds; 0 if there was none.
        outcome: the event that ended the effect with it; None for attempts before the last.
        lost: nothing was ever heard of it, and another was begun.
    """

    number: int
    since: int
    start: int
    end: int
    intent: Intent | None = None
    error: ErrorRecord | None = None
    again: float = 0.0
    outcome: Event | None = None
    lost: bool = False


class Effect(msgspec.Struct, gc=False):
    """An effect and its attempts that ended in the part that is looked at, in order: where it stands, what the journal
    calls it; `first` is the number of the first event that speaks of it, `before` that of its last attempt that failed.
    `asks_model` says whether it is a question to a model."""

    path: str
    place: str
    name: str
    first: int
    begun: int
    attempts: list[Attempt] = []
    open: Attempt | None = None
    before: int = 0
    asks_model: bool = False
    _answer: Answer | None = None

    @property
    def last(self) -> Attempt:
        """How it ended."""
        return self.attempts[-1]

    @property
    def answer(self) -> Answer | None:
        """What a model answered, if it did."""
        if self._answer is None:
            event = self.attempts[-1].outcome
            if event is not None and event.kind is EventKind.DONE and event.body.startswith(_MODEL):
                try:
                    self._answer = _answered(event.body).result
                except msgspec.ValidationError:
                    return None  # not what a model of ours answers
        return self._answer

    @property
    def order(self) -> tuple[int, ...]:
        """Where it stands, as something to sort by."""
        return tuple(map(int, self.place.replace("/", ".").split(".")))


class Part(msgspec.Struct):
    """A part of a run: from its start, a requeue or a beginning anew until it ended.

    Attributes:
        since: the number of the event with which it began; 0 for the first.
        begin: that event.
        end: the last event, which ended it.
        effects: what ended in it, in the order of their first events, and what was still open at its end.
    """

    since: int
    begin: Event
    end: Event
    effects: list[Effect]


def last_part(events: Sequence[Event]) -> Part:
    """The last part that a journal tells of. `events` begin where the journal does, or where it began anew."""
    begin = events[0]
    since = 0
    known: dict[str, Effect] = {}
    told: list[Effect] = []
    for event in events:
        kind = event.kind
        if kind in OUTCOMES:
            effect = known.pop(event.path, None) or _new(event)
            made = _ended(effect, event, since)
            made.outcome = event
            if kind is not EventKind.DONE:
                made.error = _why(event)
            effect.attempts.append(made)
            told.append(effect)
        elif kind is EventKind.INTENT:
            effect = _effect(known, event)
            intent = _intent(event.body)
            if effect.open is not None and intent.settle is None:
                lost = effect.open
                lost.lost, lost.error, lost.end = True, _CUT_OFF, event.at
                effect.attempts.append(lost)
            if effect.open is None or intent.settle is None:
                number = max(intent.attempt, effect.before + 1)
                effect.open = Attempt(number, since, event.at, event.at, intent)
        elif kind is EventKind.RETRY:
            effect = _effect(known, event)
            said = _retry(event.body)
            made = _ended(effect, event, since)
            made.error, made.again = said.error, said.due
            effect.attempts.append(made)
            effect.before = made.number
        elif kind in _BEGINS:  # what ended before has been told
            begin = event
            told.clear()
            if kind in _ANEW:
                since = event.seq
            if kind is EventKind.CONTINUED:  # places are used again
                known.clear()
            for effect in known.values():
                effect.attempts.clear()
    for effect in known.values():
        if effect.open is not None:
            effect.open.end = events[-1].at
            effect.open.error = _CUT_OFF
            effect.attempts.append(effect.open)
        if effect.attempts:
            told.append(effect)
    told.sort(key=_first)
    for effect in told:
        effect.asks_model = _asks_model(effect)
    return Part(since, begin, events[-1], told)


_first = attrgetter("first")


def _asks_model(effect: Effect) -> bool:
    for each in effect.attempts:
        if each.intent is not None and each.intent.note is not None:
            return True
    event = effect.attempts[-1].outcome
    if event is not None and event.kind is EventKind.DONE:
        return event.body.startswith(_MODEL)
    return effect.name in _ASKING and effect.attempts[-1].error is not None


def _effect(known: dict[str, Effect], event: Event) -> Effect:
    found = known.get(event.path)
    if found is None:
        found = known[event.path] = _new(event)
    return found


def _new(event: Event) -> Effect:
    place, _, name = event.path.partition(":")
    return Effect(event.path, place, name, event.seq, event.at)


def _ended(effect: Effect, event: Event, since: int) -> Attempt:
    """The attempt that an event ends."""
    attempt, effect.open = effect.open, None
    if attempt is None:
        return Attempt(effect.before + 1, since, event.at - event.took, event.at)
    attempt.end = event.at
    if not effect.name.startswith("spawn "):  # a child's trace refers to the intent
        attempt.since = since
    if event.took:
        attempt.start = event.at - event.took
    return attempt


def _why(event: Event) -> ErrorRecord:
    match event.kind:
        case EventKind.FAILED:
            return _error(event.body)
        case EventKind.CANCELLED:
            return ErrorRecord("cancelled", ErrorKind.CANCELLED, str(event.value() or ""))
        case _:
            return ErrorRecord("abandoned", ErrorKind.BUG, "it was cancelled from outside")
