"""The parts of a stream: where a reader stands, and what waits for it."""

import asyncio

import pytest

from callboard.apps.gateway.conversing import read_spot
from callboard.apps.gateway.outlet import Outlet
from callboard.apps.gateway.place import Place, read_place
from callboard.domain.errors import InputInvalid


@pytest.mark.parametrize("place", [Place(), Place(0), Place(12, "3-17"), Place(-1, "1-1"), Place(7, None, True)])
def test_a_place_is_read_as_it_was_told(place: Place) -> None:
    assert read_place(str(place)) == place
    assert read_spot(f"4:{place}").place == place


@pytest.mark.parametrize("text", ["-2", "1.", "1.2", "1.2-", "x", "1 ", "1\n", "9" * 10, "1.2-3.endx", "٣"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(InputInvalid):
        read_place(text)
    with pytest.raises(InputInvalid):
        read_spot(text)


def test_who_has_seen_nothing_gets_the_chunks_that_are_kept() -> None:
    assert Place().chunks_after == "0-0"
    assert Place(3).chunks_after is None
    assert Place(3, "1-2").chunks_after == "1-2"


async def test_an_outlet_waits_for_room_and_gives_up_on_who_makes_none() -> None:
    outlet = Outlet(10, 0.05)
    await outlet.room()
    outlet.add(b"x" * 12)
    waiting = asyncio.ensure_future(outlet.room())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert await outlet.take(1) == b"x" * 12
    await waiting
    assert not outlet.slow
    outlet.add(b"y" * 12)
    await outlet.room()
    assert (outlet.slow, outlet.over) == (True, True)
    assert await outlet.take(1) == b""
    assert await Outlet(10, 1).take(0.01) == b""
