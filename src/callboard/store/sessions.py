"""Conversations. A message is kept once, with its turn; an answer is the output of the turn's run."""

from collections.abc import Awaitable, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec


class Meanwhile(StrEnum):
    """What happens to a message that comes while the turn before has not ended."""

    QUEUE = "queue"  # its turn begins when all before have ended
    REJECT = "reject"  # it is refused
    INTERRUPT = "interrupt"  # the turn before is cancelled, and stays part of the conversation
    REPLACE = "replace"  # the turn before is cancelled, and the conversation goes on as if it had not been


class TurnStatus(StrEnum):
    """Where a turn stands. How its run stands, the run says."""

    PENDING = "pending"  # waits for the turns before it
    STARTED = "started"  # its run was started
    SKIPPED = "skipped"  # it was interrupted before its run was started; what it says stays in the conversation
    DROPPED = "dropped"  # another message came in its place; no conversation leads through it


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation with a flow or an agent. Times are epoch seconds.

    `head` is the id of its last turn, from which `after` leads back to its first; None before there is one. `webhook`
    is an address that is told when the run of a turn has ended.
    """

    id: str
    tenant: str
    flow: str
    created_at: float
    updated_at: float
    labels: dict[str, str] = {}
    head: str | None = None
    turns: int = 0
    webhook: str | None = None


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One message and the run that answers it.

    Attributes:
        id: that of its run, too.
        session: the conversation.
        number: counts from 1, in the order in which messages came.
        after: the turn that comes before it in the conversation; a turn may be answered more than once.
        message: what was said: callboard.domain.message.Message, as JSON.
        options: with what its run is to be started (priority, labels, by, trace, webhook), JSON-like.
        silent: turns on the way to it whose runs had no output when this one was started, and so have no answer in
            what it sees: a requeue of theirs must not change what this one saw.
    """

    id: str
    tenant: str
    session: str
    number: int
    after: str | None
    message: Any
    status: TurnStatus
    at: float
    options: dict[str, Any] = {}
    silent: tuple[str, ...] = ()


class NewTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn to add. `after` names the turn it answers; None for the conversation's last."""

    id: str
    message: Any
    at: float
    after: str | None = None
    options: dict[str, Any] = {}


class Added(msgspec.Struct, frozen=True):
    """A turn that was added, and what was in its way.

    Attributes:
        turn: as it was added, PENDING.
        cancelled: runs that were asked to end for it, in the same transaction.
        created: False when a turn with this id was there already, and nothing was done.
    """

    turn: Turn
    cancelled: tuple[str, ...] = ()
    created: bool = True


class Sessions(Protocol):
    """Rows of conversations. Which of a session's runs have ended is read in the same transaction.

    A turn and its message stay when its run is purged: it has no answer any more. Runs.purge removes a conversation as
    a whole once none of its runs is left.
    """

    def create(self, session: Session) -> Awaitable[Session]:
        """A new conversation; the one that is there when it was created before. Raises Conflict for another flow's."""
        ...

    async def get(self, tenant: str, session_id: str) -> Session:
        """One conversation. Raises NotFound."""
        ...

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
        ...

    def add(self, tenant: str, session_id: str, turn: NewTurn, meanwhile: Meanwhile) -> Awaitable[Added]:
        """Adds a turn, in one transaction with the look at what is still going on and what is done to that.

        Not ended: turns that are pending, and those whose runs go on. QUEUE: it comes after the conversation's last.
        INTERRUPT: so it does, hence after the turn that is cancelled; pending ones are SKIPPED. REPLACE: it comes
        where that turn came, which is DROPPED, as are all that are pending, except for what the conversation has gone
        on from already (a run that was requeued since), which is only cancelled. A given `after` holds before all
        this, unless it is dropped now. A run is cancelled by a letter, as Inbox.send leaves it; one that is blocked
        is requeued to read it.

        Raises NotFound; Conflict for REJECT while a turn has not ended, when `after` is no turn of this session or
        was dropped before, and when a turn with this id belongs to another session.
        """
        ...

    def started(self, tenant: str, turn_id: str, silent: Sequence[str]) -> Awaitable[bool]:
        """Its run was started. A turn that is not PENDING is left as it is, and the answer is False: who started the
        run of a turn that was skipped or dropped in this moment has to cancel it."""
        ...

    async def turn(self, tenant: str, turn_id: str) -> Turn | None:
        """One turn, by the id of its run."""
        ...

    async def turns(self, tenant: str, session_id: str, *, after: int = 0, limit: int = 100) -> list[Turn]:
        """Turns in the order in which they came."""
        ...

    async def path(self, tenant: str, turn_id: str) -> list[Turn]:
        """The turns from the conversation's first to this one, by `after`. Raises NotFound."""
        ...

    async def due(self, limit: int) -> list[Turn]:
        """Pending turns of all tenants whose session has no run that goes on, the first of each, oldest first; for
        workers. A run that goes on is that of any turn, also of one that was dropped."""
        ...
