"""What the journals say came of the calls that were struck."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.engine.request import decode_done
from callboard.resilience.faults import Fault, FaultKind
from callboard.testing.expectations import Deed

_NO_ANSWER = frozenset(FaultKind) - {FaultKind.SLOW, FaultKind.EMPTY, FaultKind.SCHEMA, FaultKind.DUPLICATE}
_HANDLINGS = ("retry", "use", "escalate", "compensate", "fail")
_NEAR = 4  # events after a failure among which what is done about it is looked for


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one struck call.

    Attributes:
        run_id: its run.
        path: its effect.
        deed: what happened.
        attempt: which attempt it was, from 1.
        error: the failure that the attempt was taken for.
        handling: what was declared to be done about a failure for good, and was begun; "" for none.
        died: the worker died before anything came of the call.
    """

    run_id: str
    path: str
    deed: Deed
    attempt: int = 1
    error: ErrorRecord | None = None
    handling: str = ""
    died: bool = False

    @property
    def name(self) -> str:
        """What the journal calls the effect."""
        return name_of(self.path)


@dataclass(frozen=True, slots=True)
class _Mark:
    """One outcome of one attempt at an effect."""

    path: str
    at: int
    seq: int
    deed: Deed
    error: ErrorRecord | None = None


def name_of(path: str) -> str:
    """The name in an effect's path."""
    return path.partition(":")[2]


def call_key(run_id: str, path: str) -> str:
    """The idempotency key that the engine gives to the effect at a path, where no intent says another."""
    place = path.partition(":")[0]
    return f"{run_id}-{hashlib.blake2b(place.encode(), digest_size=8).hexdigest()}"


def made(error: ErrorRecord | None) -> bool:
    """Whether an attempt with that failure was made at all: limits, breakers and budgets refuse some."""
    return _detail(error).get("made") is not False


def error_of(event: Event) -> ErrorRecord | None:
    """The failure that an event records, if it records one."""
    if event.kind is EventKind.FAILED:
        return msgspec.convert(event.value(), ErrorRecord)
    if event.kind is EventKind.RETRY:
        return msgspec.convert(event.value()["error"], ErrorRecord)
    return None


def trace(
    run_id: str,
    events: Sequence[Event],
    faults: Iterable[Fault],
    once: Callable[[str], bool],
    ends: Mapping[int, int | None],
) -> dict[int, Found]:
    """What became of each struck call of a run, by the fault's number.

    Args:
        run_id: the run.
        events: its journal.
        faults: what struck its calls. Those whose key no event belongs to are left out.
        once: knows the tools that are so.
        ends: the number of the last event that the worker wrote which made the call, by the fault's number; None for
            workers that did not die.
    """
    marks = _marks(run_id, events)
    struck: dict[str, list[Fault]] = {}
    for fault in sorted(faults, key=lambda each: each.number):
        if fault.key in marks:
            struck.setdefault(fault.key, []).append(fault)
    later = _later(events)
    found: dict[int, Found] = {}
    for key, faults_there in struck.items():
        found.update(_match(run_id, marks[key], faults_there, later, once, ends))
    return found


def _match(
    run_id: str,
    marks: list[_Mark],
    struck: list[Fault],
    later: Mapping[int, list[str]],
    once: Callable[[str], bool],
    ends: Mapping[int, int | None],
) -> dict[int, Found]:
    """Each struck attempt takes the next mark; attempts that nobody struck have marks too, and theirs are earlier."""
    found = {}
    path, failures = marks[0].path if marks else "", 0

    def take() -> _Mark:
        nonlocal path, failures
        mark = marks.pop(0)
        if mark.path != path:  # the same call once more, as a policy said: its attempts are counted anew
            path, failures = mark.path, 0
        failures += not refused(mark) or tool_refused(mark)
        return mark

    def tool_refused(mark: _Mark) -> bool:
        """Whether an open breaker refused a tool's call, which counts as an attempt; a model's, which names the model,
        does not."""
        detail = _detail(mark.error)
        return detail.get("by") == "breaker" and "model" not in detail

    def refused(mark: _Mark) -> bool:
        """Whether the attempt was not let through; of a `once` call it may also have been found out later that it
        did not happen, and then nothing is said to have refused it."""
        return not made(mark.error) and not (once(name_of(mark.path)) and "by" not in _detail(mark.error))

    for fault in struck:
        at, end = int(fault.at * 1e6), ends.get(fault.number)
        own = [mark for mark in marks if mark.at >= at and not refused(mark) and (end is None or mark.seq <= end)]
        died = fault.kind is FaultKind.KILL or (end is not None and not own)
        if died and not once(name_of(path)):
            # What comes later belongs to the call that the next worker makes, be it that something refuses it.
            again = any(end is None or mark.seq > end for mark in marks)
            deed = Deed.AGAIN if again else Deed.NOTHING
            found[fault.number] = Found(run_id, path, deed, failures + 1, died=True)
            continue
        while marks and (marks[0].at < at or refused(marks[0])):
            take()
        if marks:
            mark = take()
            found[fault.number] = _found(run_id, mark, fault, failures, later.get(mark.seq, []), once, died)
        else:
            found[fault.number] = Found(run_id, path, Deed.NOTHING, failures + 1, died=died)
    return found


def _found(
    run_id: str, mark: _Mark, fault: Fault, attempt: int, later: list[str], once: Callable[[str], bool], died: bool
) -> Found:
    deed, handling, tool = mark.deed, "", name_of(mark.path)
    if deed is Deed.FAILED:
        if f"{tool}.fallback" in later:
            deed = Deed.FELL_BACK
        handling = next((each for each in _HANDLINGS if f"{tool}.{each}" in later), "")
    if deed is Deed.ANSWERED and once(tool) and (died or fault.kind in _NO_ANSWER):
        deed = Deed.FOUND_OUT  # the call itself gave no result
    if deed is Deed.RETRIED and once(tool) and not made(mark.error):
        deed = Deed.MADE
    return Found(run_id, mark.path, deed, attempt, mark.error, handling, died)


def _marks(run_id: str, events: Sequence[Event]) -> dict[str, list[_Mark]]:
    """The outcomes of the attempts at each call, by its key, in order.

    A call that a policy makes again is another effect with the key of the first one.
    """
    found: dict[str, list[_Mark]] = {}
    keys: dict[str, list[str]] = {}
    again: dict[str, list[str]] = {}
    begun: set[str] = set()
    for event in events:
        path, name = event.path, name_of(event.path)
        if not path:
            continue
        if path not in keys:
            keys[path] = [call_key(run_id, path), *again.pop(name, ())]
        if event.kind is EventKind.INTENT and (key := event.value().get("key")) is not None and key not in keys[path]:
            keys[path].append(key)
        for key in keys[path]:
            found.setdefault(key, [])
        if (failed := _repeated(event, name)) is not None:
            again.setdefault(name.rpartition(".")[0], []).extend(keys.get(failed, ()))
        if (mark := _mark(event, begun)) is not None:
            for key in keys[path]:
                found[key].append(mark)
    return found


def _repeated(event: Event, name: str) -> str | None:
    """The path of the call that is to be made again, where an event decides that."""
    if event.kind is not EventKind.DONE or not name.endswith((".retry", ".escalate")):
        return None
    note = decode_done(event.body).result
    return note.get("path") if isinstance(note, dict) else None


def _mark(event: Event, begun: set[str]) -> _Mark | None:
    """What an event says about an attempt; `begun` are the effects of which one is open."""
    path = event.path
    match event.kind:
        case EventKind.INTENT:
            body = event.value()
            if "settle" in body:
                begun.discard(path)
                return _Mark(path, event.at, event.seq, Deed.PERSON)
            if path in begun and "key" in body and "reserved" not in body:
                return _Mark(path, event.at, event.seq, Deed.MADE)
            begun.add(path)
            return None
        case EventKind.RETRY | EventKind.FAILED:
            begun.discard(path)
            deed = Deed.RETRIED if event.kind is EventKind.RETRY else Deed.FAILED
            return _Mark(path, event.at, event.seq, deed, error_of(event))
        case EventKind.DONE:
            return _Mark(path, event.at, event.seq, Deed.ANSWERED)
        case EventKind.CANCELLED | EventKind.ABANDONED:
            return _Mark(path, event.at, event.seq, Deed.CANCELLED)
        case _:
            return None


def _detail(error: ErrorRecord | None) -> Mapping[str, object]:
    return {} if error is None else error.detail or {}


def _later(events: Sequence[Event]) -> dict[int, list[str]]:
    """For each failure the names of the effects that came right after it."""
    return {
        event.seq: [name_of(each.path) for each in events[index + 1 : index + 1 + _NEAR]]
        for index, event in enumerate(events)
        if event.kind is EventKind.FAILED
    }
