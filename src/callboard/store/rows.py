"""Rows of a database as the structs of `domain` and `store`: both databases select the same columns."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from callboard.domain.bill import Bill
from callboard.domain.budget import Amount, Balance, Bound, Charge
from callboard.domain.errors import NotFound
from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import Outcome, Run, RunStatus
from callboard.domain.usage import Usage
from callboard.store.approvals import Approval, ApprovalStatus
from callboard.store.budgets import Limit
from callboard.store.costs import Billed, Cost
from callboard.store.deliveries import Delivery, DeliveryStatus, Due
from callboard.store.schedules import CatchUp, Overlap, Schedule

_KINDS: dict[int, EventKind] = {int(k): k for k in EventKind}
_STATUSES: dict[str, RunStatus] = {str(s): s for s in RunStatus}
_NO_LABELS: dict[str, str] = {}
_EPOCH = date(1970, 1, 1).toordinal()
_place = msgspec.json.Decoder(tuple[str, str, str, str])
_error = msgspec.json.Decoder(ErrorRecord)
_labels = msgspec.json.Decoder(dict[str, str])
_charges = msgspec.json.Decoder(tuple[Charge, ...])


def run_from(row: Sequence[Any]) -> Run:
    """A run from the columns that `get`, `find` and `claim` select."""
    (run_id, tenant, flow, version, status, priority, key, epoch, depth, parent, fork_of, created, updated, finished,
     wake, deaths, tokens_in, tokens_out, cost, cached, reasoning, written, labels, error, start,
     needs, charges, by, trace) = row  # fmt: skip
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
        usage=Usage(tokens_in, tokens_out, cost, cached, reasoning, written),
        labels=_labels.decode(labels) if labels else _NO_LABELS,
        error=_error.decode(error) if error else None,
        start_at=start,
        needs=needs,
        charges=_charges.decode(charges) if charges else (),
        by=by,
        trace=trace,
    )


def charges_text(charges: tuple[Charge, ...]) -> str | None:
    """Charges as a run's row keeps them."""
    return msgspec.json.encode(charges).decode() if charges else None


def cost_from(row: Sequence[Any]) -> Cost:
    """What runs cost, from the columns that `costs.runs` selects."""
    day, flow, version, child, status, runs, *usage = row
    return Cost(_calendar(day), flow, version, bool(child), _STATUSES[status], runs, Usage(*map(int, usage)))


def billed_from(row: Sequence[Any]) -> Billed:
    """What an agent's calls of a model cost, from the columns that `costs.bills` selects."""
    day, place, of_agent, of_model, calls, tokens_in, tokens_out, cost, cached, by_provider, by_answers = row
    flow, status, agent, model = _place.decode(place)
    usage = Usage(int(tokens_in), int(tokens_out), int(cost), int(cached))
    bill = Bill(usage, agent, model, int(calls), int(by_provider), int(by_answers))
    return Billed(_calendar(day), flow, _STATUSES[status], bill, int(of_agent), int(of_model))


def day_of(at: float) -> int:
    """The day of a time (epoch seconds), as sums have it: counted from the epoch."""
    return int(at // 86_400)


def _calendar(day: int) -> str:
    return date.fromordinal(_EPOCH + int(day)).isoformat()


def event_from(seq: int, kind: int, path: str, digest: bytes, at: int, took: int, body: bytes | None) -> Event:
    """An event from its columns."""
    return Event(seq, _KINDS.get(kind) or EventKind(kind), path, digest, at, took, body or b"")


def outcome_from(status: str, error: bytes | None, body: bytes | None) -> Outcome:
    """How a run ended, from its status, its error and the body of its last event."""
    return Outcome(
        _STATUSES[status], msgspec.json.decode(body) if body else None, _error.decode(error) if error else None
    )


def approval_from(row: Sequence[Any]) -> Approval:
    """A question from its columns."""
    (approval_id, run_id, path, kind, status, proposal, opened, deadline, decided, by, decision) = row
    return Approval(
        id=approval_id,
        run_id=run_id,
        path=path,
        kind=kind,
        status=ApprovalStatus(status),
        proposal=msgspec.json.decode(proposal),
        opened_at=opened,
        deadline=deadline,
        decided_at=decided,
        decided_by=by,
        decision=msgspec.json.decode(decision) if decision else None,
    )


def no_approval(approval_id: str) -> NotFound:
    """The error for an id that this tenant does not have."""
    return NotFound(f"no approval {approval_id!r}", remedy="callboard approvals list shows the ids")


def schedule_from(row: Sequence[Any]) -> Schedule:
    """A schedule from its columns."""
    (tenant, name, flow, cron, zone, given, overlap, catch_up, paused, next_at, last_at, last_run) = row
    return Schedule(
        tenant=tenant,
        name=name,
        flow=flow,
        cron=cron,
        zone=zone,
        input=given,
        overlap=Overlap(overlap),
        catch_up=CatchUp(catch_up),
        paused=bool(paused),
        next_at=next_at,
        last_at=last_at,
        last_run=last_run,
    )


def balance_from(row: Sequence[Any]) -> Balance:
    """A balance from its columns: four of what is used, four of what is held."""
    return Balance(Amount(*row[:4]), Amount(*row[4:]))


def limit_from(row: Sequence[Any]) -> Limit:
    """An operator's limit from its columns."""
    tenant, scope, name, period, cost, tokens, calls, millis, warn, by, at = row
    return Limit(
        tenant=tenant,
        scope=scope,
        name=name,
        period=period,
        bound=Bound(cost, tokens, calls, millis),
        warn=msgspec.json.decode(warn, type=tuple[float, ...]),
        by=by,
        at=at,
    )


def limit_row(limit: Limit) -> tuple[Any, ...]:
    """The columns of an operator's limit."""
    bound = msgspec.structs.astuple(limit.bound)
    warn = msgspec.json.encode(limit.warn).decode()
    return limit.tenant, limit.scope, limit.name, limit.period, *bound, warn, limit.by, limit.at


def delivery_from(row: Sequence[Any]) -> Delivery:
    """A delivery from its columns."""
    tenant, delivery_id, run_id, url, created, due, status, tries, said, ending = row
    return Delivery(
        id=delivery_id,
        tenant=tenant,
        run_id=run_id,
        url=url,
        created_at=created,
        due=due,
        status=DeliveryStatus(status),
        tries=tries,
        said=said,
        ending=ending,
    )


def delivery_row(delivery: Delivery) -> tuple[Any, ...]:
    """The columns of a delivery."""
    d = delivery
    return d.tenant, d.id, d.run_id, d.url, d.created_at, d.due, d.status, d.tries, d.said, d.ending


def due_from(row: Sequence[Any]) -> Due:
    """A delivery to make, from its columns, its run's flow and its run's status."""
    *delivery, flow, status = row
    return Due(delivery_from(delivery), flow, _STATUSES[status])
