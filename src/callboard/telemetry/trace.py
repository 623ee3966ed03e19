"""Which trace a run belongs to, and which span each of its effects is. Pure: every process comes to the same answer.

Ids are derived from what the journal knows, so that nobody has to hand them on, and a run that moves between workers
stays one trace. The text form is that of W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context/).
"""

import re
from hashlib import blake2b

import msgspec

_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_NONE = ("0" * 32, "0" * 16)


class TraceContext(msgspec.Struct, frozen=True, gc=False):
    """A place in a trace: 32 and 16 hexadecimal digits. `sampled`: who began it wants it recorded."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @property
    def header(self) -> str:
        """As `traceparent` carries it."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def read_parent(header: str | None) -> TraceContext | None:
    """What a `traceparent` header says; None when it is missing or malformed, and then a trace begins here."""
    found = _PARENT.fullmatch(header.strip().lower()) if header else None
    if found is None or found[1] == _NONE[0] or found[2] == _NONE[1]:
        return None
    return TraceContext(found[1], found[2], bool(int(found[3], 16) & 1))


def run_span(run_id: str, parent: str | None, since: int = 0) -> TraceContext:
    """The span of a run, below `parent` (a `traceparent`, as its row keeps it) or at the root of a trace of its own.

    `since` is the number of the event with which a later part of it began: where it began anew or was requeued.
    """
    above = read_parent(parent)
    trace_id = _hex(f"trace {run_id}", 16) if above is None else above.trace_id
    part = f"run {run_id} {since}" if since else f"run {run_id}"
    return TraceContext(trace_id, _hex(part, 8), above is None or above.sampled)


def effect_span(run_id: str, parent: str | None, path: str, attempt: int = 1, since: int = 0) -> TraceContext:
    """The span of one attempt at an effect, by its path in the journal; `since` as for `run_span`."""
    return effect_of(run_span(run_id, parent), run_id, path, attempt, since)


def effect_of(run: TraceContext, run_id: str, path: str, attempt: int, since: int) -> TraceContext:
    """The same, by any span of the run."""
    part = f"{since}!{path}" if since else path
    return TraceContext(run.trace_id, _hex(f"effect {run_id} {part} {attempt}", 8), run.sampled)


def span_of(context: TraceContext, what: str) -> TraceContext:
    """A span of the same trace that only telemetry knows of, by a name that is unique in the trace."""
    return TraceContext(context.trace_id, _hex(f"span {context.trace_id} {what}", 8), context.sampled)


def new_trace(chance: str) -> TraceContext:
    """The root of a trace of its own, derived from a unique text."""
    return TraceContext(_hex(f"trace {chance}", 16), _hex(f"root {chance}", 8))


def _hex(text: str, size: int) -> str:
    return blake2b(text.encode(), digest_size=size).hexdigest()
