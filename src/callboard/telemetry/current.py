"""Where in a run the code at hand is executed: log lines say it, and tools hand it on to what they call.

It is a context variable: tasks and threads begun by a tool inherit it. They share the place of the task that began
them: what goes on after its effect is over is told where that task is by then.
"""

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from callboard.domain.run import Run
from callboard.telemetry.trace import TraceContext, effect_span, run_span

_API = "opentelemetry.trace"


class Place:
    """A run, or one attempt at one of its effects. Each task of a run has one, which moves from effect to effect.

    Args:
        run: the run.
        path: the effect, as the journal names it; empty for the run itself.
        attempt: the number of the attempt at it, from 1.
        since: the number of the event with which this part of the run began, see `trace.effect_span`.
        sampled: whether a trace is told, by its id; it decides what others are told to do.

    `joined`: this process has a tracer provider of OpenTelemetry, whose current span effects become.
    """

    __slots__ = ("attempt", "joined", "path", "run", "sampled", "since")

    def __init__(
        self,
        run: Run,
        path: str = "",
        attempt: int = 1,
        since: int = 0,
        sampled: Callable[[str], bool] | None = None,
    ) -> None:
        self.run = run
        self.path = path
        self.attempt = attempt
        self.since = since
        self.sampled = sampled
        self.joined = _provided()  # takes microseconds: not asked for each effect

    @property
    def context(self) -> TraceContext:
        """Its span."""
        run = self.run
        if self.path:
            found = effect_span(run.id, run.trace, self.path, self.attempt, self.since)
        else:
            found = run_span(run.id, run.trace, self.since)
        if self.sampled is not None and found.sampled and not self.sampled(found.trace_id):
            return TraceContext(found.trace_id, found.span_id, False)
        return found


_place: ContextVar[Place | None] = ContextVar("callboard_place", default=None)


def place() -> Place | None:
    """Where the code at hand is executed; None outside of runs."""
    return _place.get()


def traceparent() -> str | None:
    """The W3C `traceparent` of the tool, step or model call that is being executed; None outside of runs.

    Send it as a header to what the tool calls over HTTP, or as `_meta.traceparent` over MCP: what happens there
    belongs to the run's trace then. Clients that OpenTelemetry instruments do so by themselves.
    """
    found = _place.get()
    return None if found is None else found.context.header


def stand(here: Place) -> None:
    """From now on, this task and those that it begins execute the code of this run."""
    _place.set(here)


def step_aside() -> None:
    """This task is one of several of its run that go on side by side: it has a place of its own."""
    here = _place.get()
    if here is not None:
        _place.set(Place(here.run, here.path, here.attempt, here.since, here.sampled))


def enter(path: str, attempt: int) -> Any:
    """This task executes an attempt at an effect from now on; hand what this returns to `leave`.

    The place is moved in place of being set anew: a variable that is set for each effect costs a tenth of one.
    """
    here = _place.get()
    if here is None:
        return None
    here.path, here.attempt = path, attempt
    return _attach(here) if here.joined else None


def leave(attached: Any) -> None:
    """The effect is over."""
    here = _place.get()
    if here is not None:
        here.path, here.attempt = "", 1
    if attached is not None:
        from opentelemetry.context import detach

        detach(attached)


def _provided() -> bool:
    """Whether this process has a tracer provider of OpenTelemetry."""
    api = sys.modules.get(_API)
    return api is not None and type(api.get_tracer_provider()) is not api.ProxyTracerProvider


def _attach(here: Place) -> Any:
    """Makes the effect the current span of OpenTelemetry, whose tracer provider this process has."""
    from opentelemetry import context, trace

    at = here.context
    span = trace.NonRecordingSpan(
        trace.SpanContext(
            int(at.trace_id, 16), int(at.span_id, 16), is_remote=False, trace_flags=trace.TraceFlags(int(at.sampled))
        )
    )
    return context.attach(trace.set_span_in_context(span))
