"""Runs are taken over while their owners append in batches: what was acknowledged is in the journal that the next
owner loads, always. And the test can fail: without the lock on the runs' rows it does."""

import asyncio
import random
from collections.abc import Callable

import pytest

from callboard.domain.errors import LeaseLost, StoreError
from callboard.store.claims import Claimed
from callboard.store.postgres import PostgresStore, appends
from tests.conformance.store.play import FLOWS, LATER, event, new_run
from tests.servers.postgres import PostgresServer

_RUNS = 20
# A commit that takes a moment longer, as on a disk that is busy: the gap through which an append could slip.
_SLOW_COMMITS = (
    "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_sleep(random() * 0.004); RETURN NULL; END $$",
    "CREATE TRIGGER dawdle AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION dawdle()",
)


class Stage:
    """Two workers, and runs that go back and forth between them."""

    def __init__(self, stores: list[PostgresStore]) -> None:
        self.stores = stores
        self.takeovers = 0
        self.collided: list[StoreError] = []
        self.acknowledged: list[tuple[int, int, int]] = []  # number, epoch, seq
        self.loaded: list[tuple[int, int, set[int]]] = []  # number, epoch, seqs that its new owner found

    async def play(self, takeovers: int) -> None:
        await asyncio.gather(*[self.stores[0].runs.start(new_run()) for _ in range(_RUNS)])
        owner = 0
        held = await self._claim(owner)
        while self.takeovers < takeovers:
            tasks = [asyncio.create_task(self._append_until_lost(owner, each)) for each in held]
            await asyncio.sleep(random.uniform(0.005, 0.03))
            held = await self._take_all(1 - owner, owner)
            await asyncio.gather(*tasks)
            owner = 1 - owner

    def slipped(self) -> list[tuple[int, int, int]]:
        """Appends that were acknowledged under an epoch, and that a later owner did not find in the journal."""
        return [
            (number, epoch, seq)
            for number, epoch, seq in self.acknowledged
            for run, later, seqs in self.loaded
            if run == number and later > epoch and seq not in seqs
        ]

    async def _append_until_lost(self, owner: int, held: Claimed) -> None:
        seq = held.events[-1].seq
        try:
            while True:
                seq += 1
                await self.stores[owner].journal.append(held.claim, [event(seq)])
                self.acknowledged.append((held.claim.number, held.claim.epoch, seq))
        except LeaseLost:
            pass
        except StoreError as error:  # somebody else's event stands where this one belongs
            self.collided.append(error)

    async def _take_all(self, taker: int, loser: int) -> list[Claimed]:
        claims = self.stores[taker].claims
        held: list[Claimed] = []
        await self.stores[taker].claims.register(f"worker {taker}", LATER)
        while len(held) < _RUNS:
            await self.stores[loser].claims.lose(f"worker {loser}")
            taken = await claims.take_over(f"worker {taker}", 60.0, 1_000_000, LATER)
            self.takeovers += len(taken.ready)
            held += await self._claim(taker)
        return held

    async def _claim(self, owner: int) -> list[Claimed]:
        claims = self.stores[owner].claims
        found = await claims.claim(f"worker {owner}", FLOWS, _RUNS, LATER)
        found += await claims.claim(f"worker {owner}", FLOWS, _RUNS, LATER, suspects=True)
        self.loaded += [(each.claim.number, each.claim.epoch, {e.seq for e in each.events}) for each in found]
        return found


async def _stress(server: PostgresServer, new_database: Callable[..., str], takeovers: int) -> Stage:
    url = new_database("takeover")
    stores = [PostgresStore(url), PostgresStore(url)]
    for store in stores:
        await store.open()
    for statement in _SLOW_COMMITS:
        server.execute(statement, url=url)
    stage = Stage(stores)
    try:
        await stage.play(takeovers)
    finally:
        for store in stores:
            await store.close()
    assert stage.takeovers >= takeovers
    assert len(stage.acknowledged) > stage.takeovers // 4, "the owners got too little done for this to say anything"
    return stage


async def test_nothing_acknowledged_is_missing_after_a_takeover(
    postgres: PostgresServer, new_database: Callable[..., str]
) -> None:
    stage = await _stress(postgres, new_database, 120)

    assert (stage.slipped(), stage.collided) == ([], [])


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_nothing_is_missing_after_many_takeovers(
    postgres: PostgresServer, new_database: Callable[..., str]
) -> None:
    stage = await _stress(postgres, new_database, 3_000)

    assert (stage.slipped(), stage.collided) == ([], [])


async def test_without_the_lock_appends_slip_past_a_takeover(
    postgres: PostgresServer, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("append", "append_one"):
        unlocked = appends._SQL[name].replace(" FOR SHARE OF r", "").replace(" FOR SHARE", "")
        assert unlocked != appends._SQL[name]
        monkeypatch.setitem(appends._SQL, name, unlocked)

    stage = await _stress(postgres, new_database, 600)

    assert stage.slipped(), "the stress is too weak to tell a sound fence from none"
