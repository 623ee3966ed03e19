"""What doors ask of runs: start, signal, cancel, decide, requeue, fork."""

from typing import Any

from callboard.dispatch.bell import Hint, News
from callboard.domain.chat import refuse_reference
from callboard.domain.codec import digest, encode
from callboard.domain.errors import InputInvalid, Unencodable
from callboard.domain.run import Run, RunStatus
from callboard.domain.webhook import check_webhook
from callboard.engine.admission import Admission
from callboard.engine.flow import Flow
from callboard.engine.services import Services
from callboard.store.approvals import ApprovalStatus
from callboard.store.letter import CANCEL, SIGNAL
from callboard.store.runs import NewRun, Started
from callboard.telemetry.trace import read_parent

TURN = "$turn:"  # before a turn's id, the key of its run: nobody else may take it
_KEY_LENGTH = 512
_DECISIONS = (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED, ApprovalStatus.EDITED)


class Commands:
    """Each writes one transaction and rings. With an admission, starts are refused while too much is waiting."""

    def __init__(self, services: Services, admission: Admission | None = None) -> None:
        self._services = services
        self._start = services.store.runs.start if admission is None else admission.start

    async def start(
        self,
        flow: Flow,
        value: Any,
        *,
        tenant: str,
        key: str | None = None,
        priority: int = 0,
        labels: dict[str, str] | None = None,
        start_at: float | None = None,
        by: str | None = None,
        trace: str | None = None,
        run_id: str | None = None,
        webhook: str | None = None,
    ) -> Started:
        """Starts a run, or finds the one that the key made.

        `by` says who starts it, `trace` is the `traceparent` of what starts it; one that is malformed is left out.
        A `run_id` is that of a session's turn, whose message was looked at when it came. A `webhook` is an address that
        is told when the run has ended, also that of a run which the key had made.

        Raises InputInvalid, KeyConflict, Overloaded, StoreError.
        """
        services = self._services
        check_start(tenant, key, priority, labels)
        if by is not None:
            _storable("by", by)
        if webhook is not None:
            check_webhook(webhook)
        body = self._payload(value, f"the input of {flow.name}")
        if run_id is None:
            if key is not None and key.startswith(TURN):
                raise InputInvalid(f"keys that begin with {TURN!r} are those of sessions", remedy="choose another key")
            refuse_reference(body, f"the input of {flow.name}")
            flow.take(value)
        now = services.clock.now()
        new = NewRun(
            id=services.ids.new() if run_id is None else run_id,
            tenant=tenant,
            flow=flow.name,
            version=flow.version,
            input=body,
            digest=digest(value),
            at=now,
            key=key,
            priority=priority,
            labels=labels,
            start_at=start_at if start_at is not None and start_at > now else None,
            needs=flow.needs,
            by=by,
            trace=None if (above := read_parent(trace)) is None else above.header,
            webhook=webhook,
        )
        started = await self._start(new)
        if new.start_at is None:
            services.bell.ring((Hint(News.READY, started.run_id),))
        return started

    def told(self, run_id: str) -> None:
        """A run has a letter that came with something else: whoever executes it is to look."""
        self._ring(run_id)

    async def signal(self, tenant: str, run_id: str, name: str, value: Any) -> RunStatus:
        """Sends a signal. Raises NotFound, Conflict when the run has ended."""
        if not name:
            raise InputInvalid(f"signal name {name!r} is empty", remedy="name the signal that the flow waits for")
        body = self._payload(value, f"the signal {name}")
        return await self._send(tenant, run_id, f"{SIGNAL}{name}", body)

    async def cancel(self, tenant: str, run_id: str, reason: str = "") -> RunStatus:
        """Asks a run to end. Raises NotFound, Conflict when it has ended."""
        status = await self._send(tenant, run_id, CANCEL, encode(reason or "cancelled"))
        if status is RunStatus.BLOCKED:
            await self.requeue(tenant, run_id, "to be cancelled")
        return status

    async def decide(
        self, tenant: str, approval_id: str, status: ApprovalStatus | str, *, value: Any = None, by: str, note: str = ""
    ) -> RunStatus:
        """Answers a question: `approved`, `rejected`, or `edited` with the new proposal as `value`.

        `by` says who decides. Raises InputInvalid, NotFound; Conflict when it is no longer open.
        """
        if status not in _DECISIONS:
            raise InputInvalid(f"status={status!r} is no decision", remedy=f"use {', '.join(_DECISIONS)}")
        approval = await self._services.store.approvals.get(tenant, approval_id)
        if status == ApprovalStatus.APPROVED:
            value = approval.proposal
        body = self._payload({"status": status, "value": value, "by": by, "note": note}, "the decision")
        now = self._services.clock.now()
        run_id, after = await self._services.store.approvals.decide(
            tenant, approval_id, ApprovalStatus(status), body, by, now
        )
        self._ring(run_id)
        return after

    async def requeue(self, tenant: str, run_id: str, reason: str = "") -> Run:
        """Makes a blocked, failed or dead run go on. Raises NotFound, Conflict."""
        run = await self._services.store.runs.requeue(tenant, run_id, reason, self._services.clock.now())
        self._ring(run_id)
        return run

    async def fork(self, tenant: str, run_id: str, at_seq: int) -> Run:
        """A new run that shares the history up to that event. Raises NotFound, InputInvalid, Conflict."""
        services = self._services
        run = await services.store.runs.fork(tenant, run_id, at_seq, services.ids.new(), services.clock.now())
        self._ring(run.id)
        return run

    async def _send(self, tenant: str, run_id: str, name: str, body: bytes) -> RunStatus:
        status = await self._services.store.inbox.send(tenant, run_id, name, body, self._services.clock.now())
        self._ring(run_id)
        return status

    def _ring(self, run_id: str) -> None:
        self._services.bell.ring((Hint(News.READY, run_id), Hint(News.INBOX, run_id)))

    def _payload(self, value: Any, what: str) -> bytes:
        body = encode(value, what)
        limit = self._services.settings.payload
        if len(body) > limit:
            raise Unencodable(
                f"{what} has {len(body):,} bytes, the limit is {limit:,}", remedy="pass a reference to where it is kept"
            )
        return body


def check_start(tenant: Any, key: Any, priority: Any, labels: dict[Any, Any] | None) -> None:
    """Checks what goes with a start. Raises InputInvalid."""
    if not tenant or not isinstance(tenant, str):
        raise InputInvalid(f"tenant={tenant!r} is empty", remedy="name the tenant")
    _storable("tenant", tenant)
    if key is not None:
        if not (isinstance(key, str) and 0 < len(key) <= _KEY_LENGTH):
            raise InputInvalid(f"key={key!r} is not a text of 1 to {_KEY_LENGTH} characters", remedy="shorten the key")
        _storable("key", key)
    if not isinstance(priority, int) or not -1_000_000 <= priority <= 1_000_000:
        raise InputInvalid(f"priority={priority!r} is not a whole number", remedy="use 0; higher runs earlier")
    if labels:
        for name, text in labels.items():
            if not isinstance(name, str) or not isinstance(text, str):
                raise InputInvalid(f"label {name!r}={text!r} is not text", remedy="labels map text to text")
            _storable(f"label {name!r}", name + text)


def _storable(what: str, text: str) -> None:
    if "\x00" in text:
        raise InputInvalid(f"{what}={text!r} has a NUL character", remedy="remove it; not every store can hold it")
