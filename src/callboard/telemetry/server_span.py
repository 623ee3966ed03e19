"""The span of a request at a door: what it starts hangs below it."""

import time
from typing import Any, Protocol

from callboard.telemetry import genai
from callboard.telemetry.span import Span, SpanKind, Value
from callboard.telemetry.trace import TraceContext, new_trace, read_parent, span_of

_FAULT = 500  # and above: the door's own failures


class Takes(Protocol):
    """Takes spans to be sent."""

    def offer(self, size: int, work: Any) -> bool:
        """Queues work that gives spans."""
        ...


class ServerSpan:
    """A request from its arrival to its answer. Without somebody to tell, it passes on what the request came with.

    Args:
        traceparent: the request's header; None or malformed for none.
        unique: a text that no other request has.
        takes: who is told; None for nobody.
        wanted: whether a trace is told, by its id.
    """

    __slots__ = ("_above", "_begun", "_context", "_takes")

    def __init__(self, traceparent: str | None, unique: str, takes: Takes | None, wanted: Any) -> None:
        self._above = read_parent(traceparent)
        self._takes = takes
        self._begun = time.time_ns()
        self._context: TraceContext | None = None
        if takes is not None:
            found = new_trace(unique) if self._above is None else span_of(self._above, f"request {unique}")
            self._context = TraceContext(found.trace_id, found.span_id, found.sampled and wanted(found.trace_id))

    @property
    def header(self) -> str | None:
        """The `traceparent` of what the request starts; None where it belongs to no trace yet."""
        found = self._above if self._context is None else self._context
        return None if found is None else found.header

    def end(self, *, method: str, route: str, status: int, scheme: str = "http") -> None:
        """The request was answered. `route` is a template; paths have ids in them."""
        context = self._context
        if context is None or self._takes is None or not (context.sampled or status >= _FAULT):
            return
        facts: dict[str, Value] = {
            genai.HTTP_METHOD: method,
            genai.HTTP_ROUTE: route,
            genai.HTTP_STATUS: status,
            genai.URL_SCHEME: scheme,
        }
        if status >= _FAULT:
            facts[genai.ERROR_TYPE] = str(status)
        span = Span(
            context=context,
            parent=None if self._above is None else self._above.span_id,
            name=f"{method} {route}",
            kind=SpanKind.SERVER,
            start=self._begun,
            end=time.time_ns(),
            attributes=facts,
            error=f"answered {status}" if status >= _FAULT else None,
        )
        self._takes.offer(500, lambda: (span,))
