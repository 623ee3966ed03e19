"""Conversations: a message is kept first, and its run started when nothing of the session is in its way.

Between the two anybody may die: what is kept and not yet started is found by the sweeps of workers, and what a message
cancels is asked to end in the transaction that keeps the message. A turn's run has the turn's id and a key made of it,
so that however many start it, it is started once.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import msgspec

from callboard.dispatch.bell import Hint, News
from callboard.domain.chat import Chat, Reference
from callboard.domain.codec import digest, encode
from callboard.domain.errors import (
    CallboardError,
    Conflict,
    InputInvalid,
    KeyConflict,
    NotFound,
    StoreError,
    Unencodable,
)
from callboard.domain.message import Message, Role, user
from callboard.domain.webhook import check_webhook
from callboard.engine.admission import Admission
from callboard.engine.commands import TURN, Commands, check_start
from callboard.engine.flow import Flow
from callboard.engine.intake import EARLIER, INSTRUCTIONS, silent_turns
from callboard.engine.services import Services
from callboard.store.sessions import Meanwhile, NewTurn, Session, Turn, TurnStatus
from callboard.store.turns import OVERTAKEN

WEBHOOK = "webhook"  # an option of a turn
LABEL = "session"  # of a turn's run: the session's id; budgets of sessions go by it
_BACK = 200  # turns that are looked back at; what waits behind more is left to the sweeps of workers
_AT_ONCE = 500  # turns that one sweep starts
_HEARD = 10_000  # runs to whose end this process listens
_ID_LENGTH = 128

_log = logging.getLogger("callboard.sessions")


class Conversations:
    """Keeps sessions and starts the runs of their turns, one at a time in each session."""

    def __init__(self, services: Services, commands: Commands, admission: Admission) -> None:
        self._services = services
        self._commands = commands
        self._admission = admission
        self._behind: OrderedDict[str, tuple[str, str]] = OrderedDict()  # by a run in the way: (tenant, session)
        self._freed: set[tuple[str, str]] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begins to listen for the ends of runs that are in somebody's way."""
        self._services.bell.listen(self._hear)
        self._task = asyncio.get_running_loop().create_task(self._advance_forever())

    async def close(self) -> None:
        """Ends it; what waits is started by others."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def create(
        self,
        tenant: str,
        flow: Flow,
        *,
        session_id: str | None = None,
        labels: dict[str, str] | None = None,
        webhook: str | None = None,
    ) -> Session:
        """A new conversation with a flow or an agent; that of this id, as it is, when it is there already. A `webhook`
        is an address that is told when one of its turns has been answered, or its run has ended otherwise.

        Raises InputInvalid; Conflict when the id belongs to a conversation with another flow.
        """
        check_start(tenant, session_id, 0, labels)
        if session_id is not None and len(session_id) > _ID_LENGTH:
            raise InputInvalid(f"session id {session_id[:20]!r}... is too long", remedy=f"use {_ID_LENGTH} characters")
        if webhook is not None:
            check_webhook(webhook)
        now = self._services.clock.now()
        made = Session(
            id=self._services.ids.new() if session_id is None else session_id,
            tenant=tenant,
            flow=flow.name,
            created_at=now,
            updated_at=now,
            labels=labels or {},
            webhook=webhook,
        )
        return await self._services.store.sessions.create(made)

    async def get(self, tenant: str, session_id: str) -> Session:
        """One conversation. Raises NotFound."""
        return await self._services.store.sessions.get(tenant, session_id)

    async def find(
        self,
        tenant: str,
        *,
        flow: str | None = None,
        labels: dict[str, str] | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Session]:
        """Conversations, newest first; `before` is the last id of the page before."""
        return await self._services.store.sessions.find(tenant, flow=flow, labels=labels, before=before, limit=limit)

    async def turn(self, tenant: str, turn_id: str) -> Turn | None:
        """One turn, by the id of its run."""
        return await self._services.store.sessions.turn(tenant, turn_id)

    async def turns(self, tenant: str, session_id: str, *, after: int = 0, limit: int = 100) -> list[Turn]:
        """Turns in the order in which they came, after the one of that number."""
        return await self._services.store.sessions.turns(tenant, session_id, after=after, limit=limit)

    async def send(
        self,
        tenant: str,
        session_id: str,
        message: Message | str,
        *,
        meanwhile: Meanwhile = Meanwhile.QUEUE,
        after: str | None = None,
        turn_id: str | None = None,
        earlier: Sequence[Message] = (),
        instructions: str = "",
        priority: int = 0,
        labels: dict[str, str] | None = None,
        by: str | None = None,
        trace: str | None = None,
        webhook: str | None = None,
    ) -> Turn:
        """Adds a message; it is durable when this returns, and its run is started as soon as nothing is in its way.

        Args:
            tenant: whose session it is.
            session_id: the conversation.
            message: the user's, or its text.
            meanwhile: what happens while a turn before has not ended.
            after: the turn that it answers; the last one by default. Another makes a branch.
            turn_id: the turn's and its run's id, of the form of ids; the same one again adds nothing.
            earlier: messages that come with it and before it, and stay part of the conversation.
            instructions: a system message for this turn only.
            priority: of its run: higher runs earlier.
            labels: of its run.
            by: who sends it.
            trace: the `traceparent` of what sends it.
            webhook: an address that is told when its run has ended; the session's by default.

        Raises:
            InputInvalid: the flow cannot take the message.
            NotFound: no such session, or its flow is not installed here.
            KeyConflict: the turn is there, with another message.
            Conflict: REJECT while a turn has not ended; `after` is no turn of the session;
                `turn_id` is that of a run which no session began.
            Overloaded: too much is waiting already.
            StoreError: the message may not have been kept; send it again with its `turn_id`.
        """
        services = self._services
        session = await services.store.sessions.get(tenant, session_id)
        said = user(message) if isinstance(message, str) else message
        self._check(self._flow(session.flow), (*earlier, said))
        check_start(tenant, None, priority, labels)
        if webhook is not None:
            check_webhook(webhook)
        await self._admission.check(tenant)
        options: dict[str, Any] = {"meanwhile": str(meanwhile)}
        given = {"priority": priority, "labels": labels, "by": by, "trace": trace, INSTRUCTIONS: instructions}
        given[WEBHOOK] = webhook or session.webhook
        options |= {name: value for name, value in given.items() if value}
        if earlier:
            options[EARLIER] = msgspec.to_builtins(list(earlier))
        new = NewTurn(
            id=services.ids.new() if turn_id is None else turn_id,
            message=msgspec.to_builtins(said),
            at=services.clock.now(),
            after=after,
            options=options,
        )
        if turn_id is not None:
            await self._check_id(tenant, turn_id)
        added = await services.store.sessions.add(tenant, session_id, new, meanwhile)
        if not added.created and _said(added.turn) != _said(new):
            raise KeyConflict(
                f"turn {new.id} is there and says something else", remedy="send it again as it was, or as another turn"
            )
        for run_id in added.cancelled:
            self._commands.told(run_id)
        try:
            await self.advance(tenant, session_id)
            return await services.store.sessions.turn(tenant, new.id) or added.turn
        except CallboardError as error:  # the message is kept: a worker starts its run
            _log.warning("turn %s of session %s waits for a worker's sweep: %s", new.id, session_id, error)
            return added.turn

    async def advance(self, tenant: str, session_id: str) -> None:
        """Starts the session's first pending turn, if nothing is in its way. Raises what a start raises."""
        sessions = self._services.store.sessions
        session = await sessions.get(tenant, session_id)
        from_ = max(0, session.turns - _BACK)
        turns = await sessions.turns(tenant, session_id, after=from_, limit=_BACK + _BACK)
        pending = [turn for turn in turns if turn.status is TurnStatus.PENDING]
        if not pending:
            return
        if from_ and pending[0].number == from_ + 1:
            return  # there may be more before it
        begun = [turn.id for turn in turns if turn.status is not TurnStatus.PENDING]
        if going := await self._going(tenant, begun):
            for run_id in going:
                self._listen(run_id, tenant, session_id)
            if await self._going(tenant, going):  # one that ended before we listened has rung for nobody
                return
        await self._begin(session, pending[0])
        if len(pending) > 1:
            self._listen(pending[0].id, tenant, session_id)

    async def sweep(self) -> None:
        """Starts, of all sessions, what can be started; for workers. Raises StoreError."""
        sessions = self._services.store.sessions
        for turn in await sessions.due(_AT_ONCE):
            try:
                session = await sessions.get(turn.tenant, turn.session)
                if self._services.find(session.flow) is not None:  # else of a flow that others have
                    await self._begin(session, turn)
            except StoreError:
                raise
            except CallboardError as error:
                _log.warning("turn %s of session %s is not started yet: %s", turn.id, turn.session, error)

    async def _begin(self, session: Session, turn: Turn) -> None:
        store, options = self._services.store, turn.options
        silent = await silent_turns(store, await store.sessions.path(turn.tenant, turn.id))
        await self._commands.start(
            self._flow(session.flow),
            Reference(session.id, turn.id).stored(),
            tenant=turn.tenant,
            run_id=turn.id,
            key=f"{TURN}{turn.id}",
            priority=options.get("priority", 0),
            labels={**options.get("labels", {}), LABEL: session.id},
            by=options.get("by"),
            trace=options.get("trace"),
            webhook=options.get(WEBHOOK),
        )
        if not await store.sessions.started(turn.tenant, turn.id, silent):
            now = await store.sessions.turn(turn.tenant, turn.id)
            if now is not None and now.status is not TurnStatus.STARTED:  # another message overtook it meanwhile
                await self._cancel(turn.tenant, turn.id)

    async def _going(self, tenant: str, run_ids: Sequence[str]) -> list[str]:
        rows = await self._services.store.runs.rows(tenant, run_ids) if run_ids else {}
        return [run_id for run_id, run in rows.items() if not run.status.ended]

    async def _cancel(self, tenant: str, run_id: str) -> None:
        try:
            await self._commands.cancel(tenant, run_id, OVERTAKEN)
        except (NotFound, Conflict):
            return  # it was not begun, or it has ended: nothing is in the way

    def _flow(self, name: str) -> Flow:
        found = self._services.find(name)
        if found is None:
            raise NotFound(f"flow {name!r} is not installed here", remedy="send it where it is")
        return found

    def _check(self, flow: Flow, messages: tuple[Message, ...]) -> None:
        if messages[-1].role is not Role.USER:
            raise InputInvalid(f"the message is the {messages[-1].role}'s", remedy="send what the user says")
        size, limit = len(encode(messages, "the message")), self._services.settings.payload
        if size > limit:
            raise Unencodable(
                f"the message has {size:,} bytes, the limit is {limit:,}", remedy="pass a reference to where it is kept"
            )
        flow.take(Chat(messages))

    async def _check_id(self, tenant: str, turn_id: str) -> None:
        """A turn must not pass for the one whose run another is: it could be cancelled, and its output read, by it."""
        there = await self._services.store.runs.rows(tenant, [turn_id])
        if there and await self._services.store.sessions.turn(tenant, turn_id) is None:
            raise Conflict(f"{turn_id} is a run of its own", remedy="use another id")

    def _listen(self, run_id: str, tenant: str, session_id: str) -> None:
        self._behind[run_id] = (tenant, session_id)
        if len(self._behind) > _HEARD:
            self._behind.popitem(last=False)

    def _hear(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            if hint.news is News.ENDED and (freed := self._behind.pop(hint.run_id, None)) is not None:
                self._freed.add(freed)
                self._news.set()

    async def _advance_forever(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            freed, self._freed = self._freed, set()
            for tenant, session_id in freed:
                try:
                    await self.advance(tenant, session_id)
                except CallboardError as error:
                    _log.warning("session %s waits for a worker's sweep: %s", session_id, error)


def _said(turn: Turn | NewTurn) -> bytes:
    """What was said with a turn, to compare it."""
    return digest([turn.message, turn.options.get(EARLIER), turn.options.get(INSTRUCTIONS)])
