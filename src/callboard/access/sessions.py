"""Conversations at a desk. A session belongs to its flow, as its runs do."""

from collections.abc import Sequence

from callboard.access.guard import Guard
from callboard.access.house import House
from callboard.domain.errors import NotFound
from callboard.domain.ids import derived, is_id
from callboard.domain.message import Message
from callboard.policy.access import Action
from callboard.store.sessions import Meanwhile, Session, Turn

_PAGE = 200
_PAGES = 20  # that are looked through for sessions of some flows only
_CUTTING = (Meanwhile.INTERRUPT, Meanwhile.REPLACE)


class DeskSessions:
    """What one principal may do with the conversations of one tenant."""

    def __init__(self, house: House, guard: Guard) -> None:
        self._house = house
        self._guard = guard

    async def create(
        self,
        flow: str,
        *,
        session_id: str | None = None,
        labels: dict[str, str] | None = None,
        webhook: str | None = None,
    ) -> Session:
        """A new conversation with a flow or an agent; that of this id when it is there already.

        Raises Denied, InputInvalid; NotFound when no such flow is installed here; Conflict when the id belongs to a
        conversation with another flow.
        """
        self._guard.check(Action.RUNS_START, flow)
        found = self._house.services.find(flow)
        if found is None:
            raise NotFound(f"no flow {flow[:200]!r} in this app", remedy="the catalogue lists what is installed")
        return await self._house.sessions.create(
            self._guard.tenant, found, session_id=session_id, labels=labels, webhook=webhook
        )

    async def get(self, session_id: str) -> Session:
        """One conversation. Raises Denied; NotFound, also for what is not the principal's to see."""
        self._guard.check(Action.RUNS_READ)
        if session_id.isprintable():
            try:
                session = await self._house.sessions.get(self._guard.tenant, session_id)
            except NotFound:
                raise _unknown(session_id) from None  # in the same words: who may not see it must not learn that it is
            if self._guard.may(Action.RUNS_READ, session.flow):
                return session
        raise _unknown(session_id)

    async def find(
        self,
        *,
        flow: str | None = None,
        labels: dict[str, str] | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Session]:
        """Conversations, newest first, as far as the principal may see them; `before` is the last id of the page
        before. Raises Denied.

        For a principal of some flows only, four thousand are looked through.
        """
        sessions, tenant = self._house.sessions, self._guard.tenant
        if self._guard.flows(Action.RUNS_READ) is None:
            return await sessions.find(tenant, flow=flow, labels=labels, before=before, limit=limit)
        found: list[Session] = []
        for _ in range(_PAGES):
            page = await sessions.find(tenant, flow=flow, labels=labels, before=before, limit=_PAGE)
            found += [each for each in page if self._guard.may(Action.RUNS_READ, each.flow)]
            if len(page) < _PAGE or len(found) >= limit:
                break
            before = page[-1].id
        return found[:limit]

    async def turns(self, session_id: str, *, after: int = 0, limit: int = 100) -> list[Turn]:
        """Turns in the order in which they came, after the one of that number. Raises as `get` does."""
        await self.get(session_id)
        return await self._house.sessions.turns(self._guard.tenant, session_id, after=after, limit=limit)

    async def turn(self, turn_id: str) -> Turn:
        """One turn, by the id of its run. Raises as `get` does."""
        self._guard.check(Action.RUNS_READ)
        found = await self._house.sessions.turn(self._guard.tenant, turn_id) if is_id(turn_id) else None
        if found is None:
            raise _unknown(turn_id)
        await self.get(found.session)
        return found

    async def send(
        self,
        session_id: str,
        message: Message | str,
        *,
        meanwhile: Meanwhile = Meanwhile.QUEUE,
        after: str | None = None,
        key: str | None = None,
        earlier: Sequence[Message] = (),
        instructions: str = "",
        priority: int = 0,
        labels: dict[str, str] | None = None,
        trace: str | None = None,
        webhook: str | None = None,
    ) -> Turn:
        """Adds a message, as Conversations.send does; its run's row says who sent it.

        The same `key` in the same session is the same turn. Raises KeyConflict when it came with another message;
        Denied, which a message that cancels another's run (`interrupt`, `replace`) also takes the right to
        cancel for; and what Conversations.send raises.
        """
        session = await self.get(session_id)
        self._guard.check(Action.RUNS_START, session.flow)
        if meanwhile in _CUTTING:
            self._guard.check(Action.RUNS_CONTROL, session.flow)
        tenant = self._guard.tenant
        return await self._house.sessions.send(
            tenant,
            session.id,
            message,
            meanwhile=meanwhile,
            after=after,
            turn_id=None if key is None else derived(session.created_at, "turn", tenant, session.id, key),
            earlier=earlier,
            instructions=instructions,
            priority=priority,
            labels=labels,
            by=self._guard.principal.who,
            trace=trace,
            webhook=webhook,
        )


def _unknown(session_id: str) -> NotFound:
    return NotFound(f"no session {session_id[:100]!r}", remedy="GET /v1/sessions lists them")
