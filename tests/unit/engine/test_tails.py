"""Followers of journals: everything once, one look for all, and nothing read for who does not take it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from callboard.dispatch.in_process import InProcessBell
from callboard.domain.event import Event, EventKind
from callboard.engine.tails import Tails


class Journal:
    """A journal in memory that counts how it is read."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Event]] = {}
        self.looks = 0

    def grow(self, run_id: str, count: int) -> None:
        rows = self.rows.setdefault(run_id, [])
        rows += [Event(len(rows) + number, EventKind.DONE, "", b"", 0, 0, b"") for number in range(count)]

    async def read(self, tenant: str, run_id: str, *, after: int = -1, limit: int = 100_000) -> list[Event]:
        return [event for event in self.rows.get(run_id, ()) if event.seq > after][:limit]

    async def news(self, tenant: str, after: Mapping[str, int], limit: int) -> dict[str, list[Event]]:
        self.looks += 1
        found = {run_id: await self.read(tenant, run_id, after=seq, limit=limit) for run_id, seq in after.items()}
        return {run_id: events for run_id, events in found.items() if events}


class Store:
    def __init__(self) -> None:
        self.journal = Journal()


async def opened() -> tuple[Tails, Journal]:
    tails, store = Tails(), Store()
    bell = InProcessBell()
    await bell.open()
    held: Any = store
    tails.open(held, bell)
    return tails, store.journal


async def test_what_was_there_and_what_comes_is_handed_over_once_in_order() -> None:
    tails, journal = await opened()
    journal.grow("a", 2_500)  # more than is read at a time
    seen: list[int] = []
    with tails.follow("t", "a") as tail:
        while len(seen) < 2_500:
            seen += [event.seq for event in await tail.next(1)]
        journal.grow("a", 450)  # more than comes in one look
        tails.grown("a")
        while len(seen) < 2_950:
            seen += [event.seq for event in await tail.next(1)]
        assert await tail.next(0.01) == []
        journal.grow("a", 1)
        tail.look_again()
        seen += [event.seq for event in await tail.next(0)]
    assert seen == list(range(2_951))
    assert "a" not in tails.followed
    await tails.close()


async def test_many_runs_are_looked_at_together_and_nothing_is_read_for_who_takes_nothing() -> None:
    tails, journal = await opened()
    for number in range(300):
        journal.grow(str(number), 1)
    followers = [tails.follow("t", str(number)) for number in range(300)]
    opened_tails = [each.__enter__() for each in followers]
    assert all([len(await tail.next(1)) == 1 for tail in opened_tails])
    await asyncio.sleep(0.25)
    before = journal.looks
    await asyncio.sleep(0.35)
    assert 1 <= journal.looks - before <= 4, "ten looks a second, however many are followed"
    journal.grow("7", 3)
    await asyncio.sleep(0.15)
    assert not opened_tails[7].hungry
    journal.grow("7", 2)
    assert [event.seq for event in await opened_tails[7].next(1)] == [1, 2, 3]
    assert [event.seq for event in await opened_tails[7].next(1)] == [4, 5]
    for each in followers:
        each.__exit__(None, None, None)
    await asyncio.sleep(0.25)
    before = journal.looks
    await asyncio.sleep(0.25)
    assert journal.looks == before, "nobody follows, nothing is read"
    await tails.close()
