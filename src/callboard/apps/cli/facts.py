"""Runs and what belongs to them as JSON objects: the form that programs outside read. Times are epoch seconds."""

from typing import Any

from callboard.domain.event import Event
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import Run
from callboard.domain.usage import NOTHING, Usage


def run_object(run: Run) -> dict[str, Any]:
    """A run's row."""
    return {
        "id": run.id,
        "tenant": run.tenant,
        "flow": run.flow,
        "version": run.version,
        "status": run.status,
        "key": run.key,
        "labels": run.labels,
        "priority": run.priority,
        "parent": run.parent,
        "fork_of": run.fork_of,
        "created_at": run.created_at,
        "updated_at": run.updated_at,
        "finished_at": run.finished_at,
        "wake_at": run.wake_at,
        "deaths": run.deaths,
        "usage": usage_object(run.usage),
        "error": error_object(run.error),
    }


def event_object(event: Event) -> dict[str, Any]:
    """A row of a run's journal."""
    return {
        "seq": event.seq,
        "kind": event.kind.label,
        "path": event.path,
        "at": event.at / 1e6,
        "took": event.took / 1e6,
        "body": event.value(),
    }


def error_object(error: ErrorRecord | None) -> dict[str, Any] | None:
    """Why something did not succeed, or None."""
    return None if error is None else {"code": error.code, "kind": error.kind, "message": error.message}


def usage_object(usage: Usage = NOTHING) -> dict[str, Any]:
    """What something cost, money as a number of dollars."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost / 1_000_000,
    }
