"""Puts the runs of a session into an outlet, one after the other."""

import asyncio
import re

import msgspec

from callboard.apps.gateway.following import Following, message
from callboard.apps.gateway.outlet import Outlet
from callboard.apps.gateway.place import Place, read_place
from callboard.domain.errors import InputInvalid, NotFound
from callboard.runtime import Desk, Turn

_LOOK = 0.25  # seconds between looks for another turn
_FORM = re.compile(r"(\d{1,9}):(.+)", re.ASCII)
_STARTED, _PENDING = "started", "pending"


class Spot(msgspec.Struct, frozen=True):
    """Where a reader of a session stands: the number of a turn, and a place in its run."""

    turn: int = 0
    place: Place = Place()


class Conversing:
    """One reader of one session.

    Args:
        desk: what it may see.
        session_id: the conversation.
        outlet: where it goes.
        spot: after which everything is told.
    """

    def __init__(self, desk: Desk, session_id: str, outlet: Outlet, spot: Spot) -> None:
        self._desk = desk
        self._session_id = session_id
        self._outlet = outlet
        self._spot = spot

    async def tell(self) -> None:
        """Tells every turn, and then those to come, until the outlet ends."""
        number, place = self._spot.turn, self._spot.place
        if place.end:
            number, place = number + 1, Place()
        while not self._outlet.over:
            turn = await self._turn(max(number, 1))
            if turn is None:
                await asyncio.sleep(_LOOK)
                continue
            if turn.number != number:
                place = Place()
            if turn.status == _PENDING:
                await asyncio.sleep(_LOOK)
                continue
            if turn.status == _STARTED:
                await self._run(turn, place)
            number, place = turn.number + 1, Place()

    async def _turn(self, number: int) -> Turn | None:
        """The first turn from that number on."""
        return next(iter(await self._desk.sessions.turns(self._session_id, after=number - 1, limit=1)), None)

    async def _run(self, turn: Turn, place: Place) -> None:
        try:
            handle = await self._desk.runs.handle(turn.id)
        except NotFound:
            return  # purged meanwhile
        mark = f"{turn.number}:"
        if place == Place():
            await self._outlet.room()
            said = {"id": turn.id, "number": turn.number, "after": turn.after, "message": turn.message}
            self._outlet.add(message("turn", said, f"{mark}{place}"))
        await Following(handle, self._outlet, place, mark).tell()


def read_spot(text: str | None) -> Spot:
    """The spot that an id names; the beginning for None. Raises InputInvalid."""
    if not text:
        return Spot()
    found = _FORM.fullmatch(text)
    if found is None:
        raise InputInvalid(
            f"Last-Event-ID={text[:60]!r} is no id of this stream", remedy="send the id of an event as it was given"
        )
    return Spot(int(found[1]), read_place(found[2]))
