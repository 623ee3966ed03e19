"""A limit of money that a fleet shares: never over it, whoever is killed, and no call refused while there was room."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from callboard.domain.budget import Amount, Balance
from callboard.domain.event import EventKind
from callboard.domain.usage import dollars
from tests.fleet.till import Till, Told, reasons, till

LIMIT = 150_000  # micro-dollars; a reservation is about 10,100, an answer costs 200 to 3,200
ROUGH = 400_000  # where each worker that is killed leaves up to eight reservations to be charged in full


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    new_database: Callable[..., str] = request.getfixturevalue("new_database")
    return new_database("money")


async def balance(company: Till) -> Balance:
    found = await company.door.store.budgets.balances("default", ["tenant"])
    return found["tenant"]


async def reserved(company: Till, run_ids: list[str]) -> int:
    """The largest reservation that any of the runs made, in micro-dollars."""
    found = 0
    for run_id in run_ids:
        for event in await company.door.store.journal.read("default", run_id):
            if event.kind is EventKind.INTENT and (usage := event.value().get("reserved")):
                found = max(found, usage[2])
    return found


@asynccontextmanager
async def watched(company: Till) -> AsyncIterator[list[int]]:
    """How full the account was, again and again."""
    seen: list[int] = []

    async def look() -> None:
        while True:
            now = await balance(company)
            seen.append(now.used.cost + now.held.cost)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(look())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.wait([task])


async def spend(company: Till, runs: int, limit: int) -> tuple[Balance, int, int]:
    """Starts and awaits runs; how the account stands then, how many were refused, and the largest reservation."""
    company.start(3)
    handles = [await company.door.start("ask", f"question {n}") for n in range(runs)]
    async with watched(company) as seen:
        outcomes = await company.finish(handles)
    assert max(seen) <= limit
    refused = reasons(outcomes)
    assert set(refused) == {"budget: tenant * usd"}
    assert len(refused) + outcomes.count("done") == runs
    return await balance(company), len(refused), await reserved(company, [handle.id for handle in handles])


async def test_money_is_spent_up_to_the_limit_and_not_over_it(url: str, tmp_path: Path) -> None:
    budgets = ({"scope": "tenant", "usd": dollars(LIMIT)},)
    async with till(Told(store=url, folder=str(tmp_path), budgets=budgets, latency=0.02)) as company:
        found, refused, largest = await spend(company, 200, LIMIT)
        assert found.held == Amount()
        assert found.used.cost == company.ledger.micros
        assert LIMIT - largest < found.used.cost <= LIMIT
        assert found.used.calls == company.ledger.calls == 200 - refused


async def test_a_worker_that_is_killed_while_it_is_answered_leaves_nothing_unpaid(url: str, tmp_path: Path) -> None:
    told = Told(
        store=url,
        folder=str(tmp_path),
        budgets=({"scope": "tenant", "usd": dollars(ROUGH)},),
        latency=0.02,
        killing=20,
        engine={"concurrency": 8},
    )
    async with till(told) as company:
        found, _, largest = await spend(company, 250, ROUGH)
        assert company.killed >= 3
        assert found.held == Amount()
        assert company.ledger.micros <= found.used.cost <= ROUGH
        assert ROUGH - largest < found.used.cost
        assert company.ledger.calls <= found.used.calls
