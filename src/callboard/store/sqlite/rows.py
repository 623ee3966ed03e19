"""Rows of the database as the structs of `domain` and `store`."""

from typing import Any

import msgspec

from callboard.domain.errors import ErrorRecord
from callboard.domain.event import Event, EventKind
from callboard.domain.run import Run, RunStatus
from callboard.domain.usage import Usage

_KINDS: dict[int, EventKind] = {int(k): k for k in EventKind}
_STATUSES: dict[str, RunStatus] = {str(s): s for s in RunStatus}
_NO_LABELS: dict[str, str] = {}
_error = msgspec.json.Decoder(ErrorRecord)
_labels = msgspec.json.Decoder(dict[str, str])


def run_from(row: tuple[Any, ...]) -> Run:
    """A run from the columns that `get`, `find` and `claim` select."""
    (run_id, tenant, flow, version, status, priority, key, epoch, depth, parent, fork_of, created, updated, finished,
     wake, deaths, tokens_in, tokens_out, cost, cached, reasoning, labels, error, start, needs) = row  # fmt: skip
    return Run(
        id=run_id,
        tenant=tenant,
        flow=flow,
        version=version,
        status=_STATUSES[status],
        priority=priority,
        key=key,
        epoch=epoch,
        depth=depth,
        parent=parent,
        fork_of=fork_of,
        created_at=created,
        updated_at=updated,
        finished_at=finished,
        wake_at=wake,
        deaths=deaths,
        usage=Usage(tokens_in, tokens_out, cost, cached, reasoning),
        labels=_labels.decode(labels) if labels else _NO_LABELS,
        error=_error.decode(error) if error else None,
        start_at=start,
        needs=needs,
    )


def event_from(seq: int, kind: int, path: str, digest: bytes, at: int, took: int, body: bytes | None) -> Event:
    """An event from its columns."""
    return Event(seq, _KINDS.get(kind) or EventKind(kind), path, digest, at, took, body or b"")
