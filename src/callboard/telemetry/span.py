"""One span, as data: made from a journal after the fact, never while something runs."""

from enum import IntEnum

import msgspec

from callboard.telemetry.trace import TraceContext

Value = str | bool | int | float | tuple[str, ...]


class SpanKind(IntEnum):
    """Who is on the other side, numbered as OTLP numbers it."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


class Shared(msgspec.Struct):
    """Attributes that many spans have. `written` is for who writes spans: these attributes as they were written."""

    facts: dict[str, Value]
    written: bytes = b""


class SpanEvent(msgspec.Struct, frozen=True, gc=False):
    """Something that happened within a span, `at` nanoseconds since the Unix epoch."""

    name: str
    at: int
    attributes: dict[str, Value] = {}


class Link(msgspec.Struct, frozen=True):
    """Another span that has to do with this one."""

    context: TraceContext
    attributes: dict[str, Value] = {}


class Span(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One operation.

    Attributes:
        context: its trace and its id.
        parent: the id of the span around it, in the same trace; None for the root of one.
        name: what is done, without anything that differs from call to call.
        kind: who is on the other side.
        start, end: nanoseconds since the Unix epoch.
        attributes: facts, by the names of `genai` and our own.
        shared: further ones, that it has in common with other spans.
        error: what went wrong, in words; None if nothing did. The attribute `error.type` has its kind.
    """

    context: TraceContext
    parent: str | None
    name: str
    kind: SpanKind = SpanKind.INTERNAL
    start: int
    end: int
    attributes: dict[str, Value]
    shared: tuple[Shared, ...] = ()
    events: tuple[SpanEvent, ...] = ()
    links: tuple[Link, ...] = ()
    error: str | None = None
