"""A writer is cut off at every statement of holding and settling, or another writes at the same time: no amount is
counted twice, and none is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from callboard.domain.budget import ZERO, Amount, Balance
from callboard.domain.event import EventKind
from callboard.store.claims import Claim
from callboard.store.postgres import PostgresStore
from tests.conformance.store.charging import ONE, balance, charge, reserve, settle
from tests.conformance.store.play import ANNA, FLOWS, LATER, T0, end, journal_of, many_running, start
from tests.servers.proxy import Cut, FaultProxy
from tests.servers.requests import Request

TOOK = Amount(3, 2, 1, 5)
CHARGES = (charge("tenant", calls=10_000), charge("run:1"))


def of_a_group(request: Request) -> bool:
    """Whether a request is one of a writer's, from its BEGIN to its COMMIT."""
    text = " ".join(request.statements)
    words = ("BEGIN", "COMMIT", "marks", "budget_", "INSERT INTO events", "FROM runs WHERE number", "input_tokens")
    return any(word in text for word in words)


@asynccontextmanager
async def working(url: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url)
    await store.open()
    await store.claims.register(ANNA, T0)
    yield store
    await store.close()


@pytest.mark.parametrize("how", ["cut_reply", "cut_request"])
async def test_a_cut_at_any_statement_neither_doubles_nor_loses_an_amount(
    new_database: Callable[..., str], fault_proxy: Callable[[str], FaultProxy], how: str
) -> None:
    direct = new_database("budgets")
    proxy = fault_proxy(direct)
    async with working(proxy.url(direct)) as store:
        (held,) = await many_running(store, 1)
        seqs = iter(range(1, 1_000_000))
        proxy.forget()
        await call(store, held, seqs)
        points = proxy.seen(of_a_group)
        assert points > 15
        cuts: list[Cut] = []
        for nth in range(1, points + 1):
            cuts.append(getattr(proxy, how)(nth, of_a_group))
            await call(store, held, seqs)
            proxy.heal()
            made = len(cuts) + 1
            assert await balance(store) == Balance(times(made, TOOK), ZERO), nth
            assert await balance(store, "run:1") == await balance(store)
        assert sum(cut.happened for cut in cuts) >= points - 2
        assert [e.seq for e in await journal_of(store, held.run_id)] == list(range(next(seqs)))


def times(n: int, amount: Amount) -> Amount:
    return sum([amount] * n, start=ZERO)


async def call(store: PostgresStore, held: Claim, seqs: Iterator[int]) -> None:
    seq = next(seqs)
    assert await reserve(store, held, *CHARGES, seq=seq, path=f"{seq}:model") is None
    await settle(store, held, TOOK, seq=next(seqs), path=f"{seq}:model")


@pytest.mark.parametrize("how", ["cut_reply", "cut_request"])
async def test_a_refusal_whose_answer_was_lost_is_written_and_told_once(
    new_database: Callable[..., str], fault_proxy: Callable[[str], FaultProxy], how: str
) -> None:
    direct = new_database("refused")
    proxy = fault_proxy(direct)
    async with working(proxy.url(direct)) as store:
        full, held = await many_running(store, 2)
        await reserve(store, full, charge(calls=1))
        for seq in range(1, 9):  # as many statements as it takes, the COMMIT is the last
            cut = getattr(proxy, how)(seq, of_a_group)
            refusal = await reserve(store, held, charge(calls=1), seq=seq)
            assert refusal is not None and (refusal.held, refusal.final) == (1, False)
            assert cut.happened
            proxy.heal()
        assert [e.kind for e in await journal_of(store, held.run_id)][1:] == [EventKind.RETRY] * 8
        assert await balance(store) == Balance(ZERO, ONE)


@pytest.mark.parametrize("how", ["cut_reply", "cut_request"])
async def test_a_sweep_that_was_cut_off_is_made_good_by_the_next(
    new_database: Callable[..., str], fault_proxy: Callable[[str], FaultProxy], how: str
) -> None:
    direct = new_database("sweep")
    proxy = fault_proxy(direct)
    async with working(proxy.url(direct)) as store:
        for made in range(1, 9):
            (held,) = await many_running(store, 1)
            await reserve(store, held, charge())
            await store.claims.settle(held, end(2))
            getattr(proxy, how)(made, of_a_group)
            await asyncio.gather(store.budgets.sweep(), return_exceptions=True)
            proxy.heal()
            await store.budgets.sweep()
            assert await balance(store) == Balance(times(made, ONE), ZERO)


async def test_processes_that_charge_the_same_accounts_in_other_orders_all_get_on(
    new_database: Callable[..., str],
) -> None:
    """Some of the accounts are new, some are old, and each process comes upon them in another order."""
    url = new_database("orders")
    async with working(url) as first, working(url) as second, working(url) as third:
        stores = (first, second, third)
        for _ in range(60):
            await start(first)
        claims = [each.claim for each in await first.claims.claim(ANNA, FLOWS, 60, LATER)]

        async def work(n: int, held: Claim) -> None:
            store = stores[n % 3]
            for turn in range(5):
                names = [f"{letter}{turn if letter in 'bd' else ''}" for letter in "abcde"]
                charges = [charge(name) for name in (names if n % 2 else reversed(names))][: 2 + n % 4]
                path = f"{turn}:model"
                assert await reserve(store, held, *charges, seq=2 * turn + 1, path=path) is None
                await settle(store, held, Amount(calls=1), seq=2 * turn + 2, path=path)

        await asyncio.gather(*(work(n, held) for n, held in enumerate(claims)))
        accounts = await first.budgets.accounts("acme")
        assert {each.held for each in accounts.values()} == {ZERO}
        assert sum(each.used.calls for each in accounts.values()) == 5 * sum(2 + n % 4 for n in range(60))
