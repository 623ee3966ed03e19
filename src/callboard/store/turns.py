"""Where a new message of a conversation comes, and what that means for those before it; the same on each database."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from callboard.domain.codec import encode
from callboard.domain.errors import Conflict, NotFound
from callboard.store.sessions import Meanwhile, NewTurn, Session, Turn, TurnStatus

OVERTAKEN = "another message came"  # why a run is cancelled for a new turn
_labels = msgspec.json.Decoder(dict[str, str])
_silent = msgspec.json.Decoder(tuple[str, ...])
_options = msgspec.json.Decoder(dict[str, Any])


class Going(msgspec.Struct, frozen=True):
    """A turn that is not over.

    Attributes:
        number, id, after, status: the turn's.
        begun: whether its run goes on; else it has none yet, or one that has ended.
    """

    number: int
    id: str
    after: str | None
    status: TurnStatus
    begun: bool


class Place(msgspec.Struct, frozen=True):
    """Where a turn comes.

    Attributes:
        after: the turn before it.
        cancel: turns whose runs are to be cancelled.
        dropped: turns that no conversation leads through any more.
        skipped: turns that stay in the conversation, but whose runs are not to be started.
    """

    after: str | None
    cancel: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def place(
    session: Session, new: NewTurn, meanwhile: Meanwhile, going: Sequence[Going], follows: Mapping[str, str | None]
) -> Place:
    """Finds a turn's place.

    Args:
        session: as it is before.
        new: the turn, whose `after` is one of the session's if it is given.
        meanwhile: what it does to those that are going on.
        going: those, in their order.
        follows: of all turns since the first of them that were not dropped, which turn each comes after.

    Raises Conflict when the turn is to be rejected.
    """
    after = session.head if new.after is None else new.after
    if not going or meanwhile is Meanwhile.QUEUE:
        return Place(after)
    if meanwhile is Meanwhile.REJECT:
        raise Conflict(
            f"session {session.id} is busy",
            why=f"turn {going[0].id} has not ended",
            remedy="wait for it, or say that this message is to queue, interrupt or replace it",
        )
    cancel = tuple(each.id for each in going if each.begun)
    if meanwhile is Meanwhile.INTERRUPT:
        waiting = (each.id for each in going if each.status is TurnStatus.PENDING and not each.begun)
        return Place(after, cancel, skipped=tuple(waiting))
    dropped = _droppable(going, follows)
    while after is not None and after in dropped:
        after = dropped[after]
    return Place(after, cancel, dropped=tuple(dropped))


def _droppable(going: Sequence[Going], follows: Mapping[str, str | None]) -> dict[str, str | None]:
    """Those that nothing comes after which stays, each with what it comes after itself.

    A run that was requeued goes on again though the conversation has long gone on past it.
    """
    dropped = {each.id: each.after for each in going if each.status is not TurnStatus.DROPPED}
    kept = {after for turn, after in follows.items() if turn not in dropped}
    while stays := [turn for turn in dropped if turn in kept]:
        kept = {dropped.pop(turn) for turn in stays}
    return dropped


def added(session: Session, new: NewTurn, after: str | None) -> Turn:
    """The turn as it is added."""
    return Turn(
        id=new.id,
        tenant=session.tenant,
        session=session.id,
        number=session.turns + 1,
        after=after,
        message=new.message,
        status=TurnStatus.PENDING,
        at=new.at,
        options=new.options,
    )


def session_from(row: Sequence[Any]) -> Session:
    """A conversation from its columns."""
    tenant, session_id, flow, created, updated, labels, head, turns, webhook = row
    return Session(
        id=session_id,
        tenant=tenant,
        flow=flow,
        created_at=created,
        updated_at=updated,
        labels=_labels.decode(labels) if labels else {},
        head=head,
        turns=turns,
        webhook=webhook,
    )


def session_row(session: Session) -> tuple[Any, ...]:
    """What a new conversation's row is made of."""
    labels = msgspec.json.encode(session.labels).decode() if session.labels else None
    return session.tenant, session.id, session.flow, session.created_at, session.updated_at, labels, session.webhook


def turn_from(row: Sequence[Any]) -> Turn:
    """A turn from its columns."""
    tenant, session, number, turn_id, after, message, status, at, options, silent = row
    return Turn(
        id=turn_id,
        tenant=tenant,
        session=session,
        number=number,
        after=after,
        message=msgspec.json.decode(message),
        status=TurnStatus(status),
        at=at,
        options=_options.decode(options) if options else {},
        silent=_silent.decode(silent) if silent else (),
    )


def turn_row(turn: Turn) -> tuple[Any, ...]:
    """What a new turn's row is made of. Raises Unencodable for what cannot be stored."""
    message = encode(turn.message, "the message")
    options = encode(turn.options, "the options") if turn.options else None
    return turn.tenant, turn.session, turn.number, turn.id, turn.after, message, turn.status, turn.at, options


def silent_text(silent: Sequence[str]) -> str | None:
    """Turns without an answer as a turn's row keeps them."""
    return msgspec.json.encode(list(silent)).decode() if silent else None


def no_session(session_id: str) -> NotFound:
    """The error for a conversation that this tenant does not have."""
    return NotFound(f"no session {session_id!r}", remedy="begin one, or list those that there are")


def no_turn(turn_id: str) -> NotFound:
    """The error for a turn that this tenant does not have."""
    return NotFound(f"no turn {turn_id!r}", remedy="list the session's turns")


def another_flow(session: Session, flow: str) -> Conflict:
    """The error for an id that is another flow's conversation."""
    return Conflict(
        f"session {session.id} is a conversation with {session.flow}",
        why=f"it cannot be one with {flow} as well",
        remedy="use another id",
    )


def check_after(session: Session, after: str, status: TurnStatus | None) -> None:
    """Refuses to answer a turn that is not the session's (None), or that no conversation leads through."""
    if status is None:
        raise Conflict(f"turn {after!r} is not one of session {session.id}", remedy="list the session's turns")
    if status is TurnStatus.DROPPED:
        raise Conflict(
            f"turn {after} was replaced", why="no conversation leads through it", remedy="answer the turn in its place"
        )


def elsewhere(turn: Turn) -> Conflict:
    """The error for an id that is a turn of another session."""
    return Conflict(f"turn {turn.id} belongs to session {turn.session}", remedy="use another id")
