"""What the API shows of things: structs, so that answers and their description cannot differ."""

from typing import Any

import msgspec

from callboard.domain.event import Event
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import Outcome, Run
from callboard.domain.usage import Usage, dollars


class UsageView(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, and dollars as text. `input_tokens` includes cached and written ones."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    written_tokens: int
    usd: str


class ErrorView(msgspec.Struct, frozen=True, kw_only=True):
    """Why something failed. `path` is the effect that failed."""

    code: str
    kind: str
    message: str
    path: str | None = None
    detail: dict[str, Any] | None = None


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run. Times are seconds since the Unix epoch."""

    id: str
    tenant: str
    flow: str
    version: str
    status: str
    priority: int
    key: str | None
    labels: dict[str, str]
    parent: str | None
    fork_of: str | None
    depth: int
    created_at: float
    updated_at: float
    finished_at: float | None
    start_at: float | None
    wake_at: float | None
    deaths: int
    usage: UsageView
    error: ErrorView | None
    by: str | None
    trace: str | None


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, newest first; `next` goes into `before` for the next page, null at the end."""

    items: list[RunView]
    next: str | None


class StartedView(msgspec.Struct, frozen=True, kw_only=True):
    """A start. `created` is false when the idempotency key had made the run before."""

    id: str
    flow: str
    tenant: str
    created: bool


class ResultView(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands: its output once it has succeeded, its error when it has not."""

    id: str
    status: str
    output: Any = None
    error: ErrorView | None = None


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a journal. `at` is in seconds since the Unix epoch, `took` in seconds."""

    seq: int
    kind: str
    path: str
    at: float
    took: float
    value: Any = None


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events in order; `next` goes into `after` for the next page, null at the end."""

    items: list[EventView]
    next: int | None


class StatusView(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands after what was asked for."""

    id: str
    status: str


class TotalsView(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs of a search come to together."""

    statuses: dict[str, int]
    kinds: dict[str, int]
    usage: UsageView


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """A message to a webhook. `due` says when it is tried next, `said` what the receiver last answered, `ending` which
    end of the run it tells: the first, or one after a requeue."""

    id: str
    url: str
    status: str
    tries: int
    created_at: float
    due: float
    said: str
    ending: int


class DeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """Messages to webhooks, newest first."""

    items: list[DeliveryView]


class BatchItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of one start of a batch: the run, or why there is none."""

    status: int
    id: str | None = None
    created: bool | None = None
    code: str | None = None
    detail: str | None = None
    remedy: str | None = None


class BatchView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of each start, in the order in which they were asked for."""

    items: list[BatchItem]
    started: int
    refused: int


def usage_view(usage: Usage) -> UsageView:
    """Usage, with money as text."""
    return UsageView(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        written_tokens=usage.written_tokens,
        usd=dollars(usage.cost),
    )


def error_view(error: ErrorRecord | None) -> ErrorView | None:
    """An error as it is shown."""
    if error is None:
        return None
    return ErrorView(code=error.code, kind=error.kind, message=error.message, path=error.path, detail=error.detail)


def run_view(run: Run) -> RunView:
    """A run as it is shown."""
    return RunView(
        id=run.id,
        tenant=run.tenant,
        flow=run.flow,
        version=run.version,
        status=run.status,
        priority=run.priority,
        key=run.key,
        labels=run.labels,
        parent=run.parent,
        fork_of=run.fork_of,
        depth=run.depth,
        created_at=run.created_at,
        updated_at=run.updated_at,
        finished_at=run.finished_at,
        start_at=run.start_at,
        wake_at=run.wake_at,
        deaths=run.deaths,
        usage=usage_view(run.usage),
        error=error_view(run.error),
        by=run.by,
        trace=run.trace,
    )


def result_view(run_id: str, outcome: Outcome) -> ResultView:
    """An outcome as it is shown."""
    return ResultView(id=run_id, status=outcome.status, output=outcome.output, error=error_view(outcome.error))


def event_view(event: Event) -> EventView:
    """A journal row as it is shown."""
    return EventView(
        seq=event.seq,
        kind=event.kind.name.lower(),
        path=event.path,
        at=event.at / 1e6,
        took=event.took / 1e6,
        value=event.value(),
    )


VIEWS = (
    RunPage,
    RunView,
    StartedView,
    ResultView,
    EventPage,
    StatusView,
    TotalsView,
    DeliveryList,
    BatchView,
)
