"""A call's reservation is granted with its intent or refused in its place, and settled with its outcome."""

import asyncio

import pytest

from callboard.domain.budget import ZERO, Amount, Balance, Measure, Refusal
from callboard.domain.errors import LeaseLost
from callboard.domain.event import EventKind
from callboard.domain.run import RunStatus
from callboard.domain.usage import Usage
from callboard.store.approvals import NewApproval
from callboard.store.claims import Claim, Release, Renew
from callboard.store.journal import Extras, Hold, Settlement
from callboard.store.store import Store
from tests.conformance.store.charging import NONE, ONE, PATH, balance, charge, refused, reserve, settle
from tests.conformance.store.play import (
    ANNA,
    BEN,
    LARGE,
    LATER,
    STRANGER,
    TENANT,
    ask,
    claim,
    end,
    event,
    journal_of,
    many_running,
    new_run,
    overtaken,
    park,
    running,
    seqs_of,
    start,
    status_of,
)

BOUND = 37


async def test_a_reservation_is_held_until_it_is_settled(store: Store) -> None:
    held = await running(store)
    assert await reserve(store, held, charge()) is None
    assert await balance(store) == Balance(ZERO, ONE)
    await settle(store, held, Amount(7, 3, 1, 20))
    assert await balance(store) == Balance(Amount(7, 3, 1, 20), ZERO)
    assert [e.kind for e in await journal_of(store, held.run_id)][1:] == [EventKind.INTENT, EventKind.DONE]


async def test_settled_at_nothing_in_particular_is_charged_in_full(store: Store) -> None:
    held = await running(store)
    await reserve(store, held, charge())
    await settle(store, held, None)
    assert await balance(store) == Balance(ONE, ZERO)


async def test_what_was_taken_may_be_more_than_was_reserved(store: Store) -> None:
    held = await running(store)
    await reserve(store, held, charge(cost=100))
    await settle(store, held, Amount(cost=1_000))
    assert await balance(store) == Balance(Amount(cost=1_000), ZERO)


async def test_settling_what_holds_nothing_changes_nothing(store: Store) -> None:
    held = await running(store)
    await settle(store, held, ONE)
    await reserve(store, held, charge(), seq=3)
    await settle(store, held, ONE, seq=4)
    await settle(store, held, ONE, seq=5)
    await settle(store, held, ONE, seq=6, path="2:another")
    assert await balance(store) == Balance(ONE, ZERO)
    assert await seqs_of(store, held.run_id) == [0, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("bound", "measure", "limit", "asked"),
    [
        ({"cost": 199}, Measure.USD, 199, 100),
        ({"tokens": 19}, Measure.TOKENS, 19, 10),
        ({"calls": 1}, Measure.CALLS, 1, 1),
        ({"millis": 1_999}, Measure.SECONDS, 1_999, 1_000),
    ],
)
async def test_each_measure_is_bounded(
    store: Store, bound: dict[str, int], measure: Measure, limit: int, asked: int
) -> None:
    first, second = await many_running(store, 2)
    only = charge("tenant", **bound)
    assert await reserve(store, first, only) is None
    assert await reserve(store, second, only) == Refusal(only, measure, limit, 0, asked, asked, False)
    await settle(store, first, None)
    assert await reserve(store, second, only, seq=2) == Refusal(only, measure, limit, asked, 0, asked, True)


async def test_up_to_its_bound_an_account_may_be_filled(store: Store) -> None:
    held = await running(store)
    assert await reserve(store, held, charge(cost=100, tokens=10, calls=1, millis=1_000)) is None


async def test_a_refusal_stands_in_the_journal_in_place_of_the_intent(store: Store) -> None:
    first, second = await many_running(store, 2)
    await reserve(store, first, charge(calls=1))
    await reserve(store, second, charge(calls=1), spent=Usage(3, 2, 1))
    found = (await journal_of(store, second.run_id))[1]
    assert (found.seq, found.kind, found.path, found.body) == (1, EventKind.RETRY, PATH, b'"tenant calls"')
    assert (await store.runs.get(TENANT, second.run_id)).usage == Usage(3, 2, 1)
    assert await balance(store) == Balance(ZERO, ONE)
    await settle(store, first, None)
    await reserve(store, second, charge(calls=1), seq=2)
    assert (await journal_of(store, second.run_id))[2].kind is EventKind.FAILED


async def test_of_a_refused_append_nothing_else_is_written(store: Store) -> None:
    held = await running(store)
    await store.inbox.send(TENANT, held.run_id, "signal:go", b"1", LATER)
    child, question = new_run(), ask()
    asks: tuple[NewApproval, ...] = (question,)
    extras = Extras((1,), (child,), asks, {"half": "written"}, Usage(1), Hold(PATH, (charge(calls=0),), ONE, refused))
    refusal = await store.journal.append(held, [event(1, EventKind.INTENT, PATH)], extras)
    assert isinstance(refusal, Refusal)
    run = await store.runs.get(TENANT, held.run_id)
    assert (run.labels, run.usage) == ({}, Usage(1))
    assert len((await store.inbox.read(held, 0))[1]) == 1
    assert await store.approvals.find(TENANT) == []
    assert [r.id for r in await store.runs.find(TENANT)] == [held.run_id]


async def test_a_large_event_may_say_why(store: Store) -> None:
    held = await running(store)
    why = b'"%s"' % (b"x" * LARGE)
    hold = Hold(PATH, (charge(calls=0),), ONE, lambda intent, _: event(intent.seq, EventKind.FAILED, PATH, why))
    await store.journal.append(held, [event(1, EventKind.INTENT, PATH)], Extras(hold=hold))
    assert (await journal_of(store, held.run_id))[1].body == why


async def test_all_accounts_are_charged_or_none(store: Store) -> None:
    held = await running(store)
    wide, narrow, session = charge("tenant", calls=10), charge("run:1", calls=1), charge("session:9")
    assert await reserve(store, held, wide, narrow, session, path="1:a") is None
    refusal = await reserve(store, held, wide, narrow, session, seq=2, path="2:b")
    assert refusal is not None and refusal.charge == narrow
    found = await store.budgets.balances(TENANT, ["tenant", "run:1", "session:9", "never heard of"])
    assert found == {
        **dict.fromkeys(("tenant", "run:1", "session:9"), Balance(ZERO, ONE)),
        "never heard of": Balance(),
    }
    await settle(store, held, Amount(calls=1), seq=3, path="1:a")
    assert await balance(store, "session:9") == Balance(Amount(calls=1), ZERO)


async def test_a_final_refusal_wins_over_one_that_may_pass(store: Store) -> None:
    held = await running(store)
    await reserve(store, held, charge("a"), path="1:a")
    passing, final, also = charge("a", calls=1), charge("b", calls=0), charge("c", calls=0)
    refusal = await reserve(store, held, passing, final, also, seq=2, path="2:b")
    assert refusal is not None and (refusal.charge, refusal.final) == (final, True)
    both = await reserve(store, held, passing, charge("a", cost=100), seq=3, path="2:b")
    assert both is not None and (both.charge, both.final) == (passing, False)


async def test_an_account_that_two_charges_name_is_charged_once_and_bound_by_both(store: Store) -> None:
    held = await running(store)
    assert await reserve(store, held, charge(calls=5), charge(calls=1)) is None
    assert await balance(store) == Balance(ZERO, ONE)
    refusal = await reserve(store, held, charge(calls=5), charge(calls=1), seq=2, path="2:b")
    assert refusal is not None and refusal.bound == 1


async def test_a_reservation_without_accounts_is_granted(store: Store) -> None:
    held = await running(store)
    assert await reserve(store, held) is None
    await settle(store, held, ONE)
    assert await store.budgets.accounts(TENANT) == {}


async def test_what_an_earlier_attempt_holds_is_charged_in_full_before_the_next(store: Store) -> None:
    held = await running(store)
    await reserve(store, held, charge(calls=2))
    await store.claims.settle(held, Release())
    again = (await claim(store, held.run_id)).claim
    assert await reserve(store, again, charge(calls=2), seq=2) is None
    assert await balance(store) == Balance(ONE, ONE)
    await settle(store, again, NONE, seq=3)
    assert await balance(store) == Balance(ONE, ZERO)


async def test_and_also_when_the_next_is_refused(store: Store) -> None:
    """The refusal is a final one: what the first attempt held does not come back."""
    held = await running(store)
    await reserve(store, held, charge(calls=1))
    refusal = await reserve(store, held, charge(calls=1), seq=2)
    assert refusal == Refusal(charge(calls=1), Measure.CALLS, 1, 1, 0, 1, True)
    assert await balance(store) == Balance(ONE, ZERO)


async def test_accounts_of_the_earlier_attempt_may_be_others(store: Store) -> None:
    held = await running(store)
    await reserve(store, held, charge("before"))
    await reserve(store, held, charge("after"), seq=2)
    assert await store.budgets.accounts(TENANT) == {"after": Balance(ZERO, ONE), "before": Balance(ONE, ZERO)}


async def test_effects_of_one_run_hold_apart(store: Store) -> None:
    held = await running(store)
    await asyncio.gather(*(reserve(store, held, charge(), seq=n, path=f"{n}:model") for n in (1, 2, 3)))
    await settle(store, held, NONE, seq=4, path="2:model")
    assert await balance(store) == Balance(ZERO, ONE + ONE)


async def test_granted_and_settled_in_one_breath(store: Store) -> None:
    """Both may come to lie in one group."""
    held = await running(store)
    done = [reserve(store, held, charge(calls=1))]
    for seq in (2, 4, 6):
        done.append(
            store.journal.append(  # type: ignore[arg-type]
                held, [event(seq)], Extras(settled=Settlement(PATH, NONE))
            )
        )
        done.append(reserve(store, held, charge(calls=1), seq=seq + 1))
    assert await asyncio.gather(*done) == [None] * 7
    assert await balance(store) == Balance(ZERO, ONE)


async def test_an_owner_of_before_neither_holds_nor_settles(store: Store) -> None:
    zombie, owner = await overtaken(store)
    with pytest.raises(LeaseLost):
        await reserve(store, zombie, charge())
    assert await balance(store) == Balance()
    await reserve(store, owner, charge(calls=1))
    with pytest.raises(LeaseLost):
        await settle(store, zombie, NONE)
    with pytest.raises(LeaseLost):  # not even to be refused
        await reserve(store, zombie, charge(calls=0), spent=Usage(1))
    assert await balance(store) == Balance(ZERO, ONE)
    assert await seqs_of(store, owner.run_id) == [0, 1]
    assert (await store.runs.get(TENANT, owner.run_id)).usage == Usage()


async def test_an_append_that_cannot_be_written_holds_nothing(store: Store) -> None:
    held, neighbour = await many_running(store, 2)
    results = await asyncio.gather(
        reserve(store, held, charge(), seq=0), reserve(store, neighbour, charge()), return_exceptions=True
    )
    assert isinstance(results[0], Exception) and results[1] is None
    assert await balance(store) == Balance(ZERO, ONE)


async def test_tenants_have_accounts_of_their_own(store: Store) -> None:
    await start(store)
    await start(store, tenant=STRANGER)
    for each in await store.claims.claim(ANNA, ("order@1",), 2, LATER):
        assert await reserve(store, each.claim, charge(calls=1)) is None
    assert await balance(store, tenant=STRANGER) == await balance(store) == Balance(ZERO, ONE)
    assert await store.budgets.accounts("nobody") == {}


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.BLOCKED])
async def test_a_run_that_ends_or_blocks_leaves_no_hold_standing(store: Store, status: RunStatus) -> None:
    held, going = await many_running(store, 2)
    await reserve(store, held, charge("tenant"), charge("run:1"))
    await reserve(store, held, charge("tenant"), seq=2, path="2:b")
    await reserve(store, going, charge("tenant"))
    await store.claims.settle(held, end(3, status))
    assert await store.budgets.sweep() == 2
    assert await balance(store) == Balance(ONE + ONE, ONE)
    assert await balance(store, "run:1") == Balance(ONE, ZERO)
    assert await store.budgets.sweep() == 0
    await settle(store, going, NONE)
    assert await balance(store) == Balance(ONE + ONE, ZERO)


async def test_a_run_that_died_leaves_none_either(store: Store) -> None:
    held = await running(store)
    await reserve(store, held, charge())
    lose = store.claims.lose(ANNA)  # type: ignore[attr-defined]
    if lose is not None:
        await lose
    await store.claims.register(BEN, LATER)
    assert (await store.claims.take_over(BEN, 10.0, 1, LATER)).dead == (held.run_id,)
    assert await store.budgets.sweep() == 1
    assert await balance(store) == Balance(ONE, ZERO)


async def test_runs_that_go_on_keep_what_they_hold(store: Store) -> None:
    released, parked, renewed = await many_running(store, 3)
    for each in (released, parked, renewed):
        await reserve(store, each, charge())
    await store.claims.settle(released, Release())
    await store.claims.settle(parked, park())
    await store.claims.settle(renewed, Renew(event(2, EventKind.CONTINUED)))
    assert await store.budgets.sweep() == 0
    assert await balance(store) == Balance(ZERO, ONE + ONE + ONE)


async def test_a_run_that_is_requeued_after_the_sweep_begins_to_hold_anew(store: Store) -> None:
    held = await running(store)
    await reserve(store, held, charge(calls=2))
    await store.claims.settle(held, end(2, RunStatus.BLOCKED))
    await store.budgets.sweep()
    await store.runs.requeue(TENANT, held.run_id, "", LATER)
    again = (await claim(store, held.run_id)).claim
    assert await reserve(store, again, charge(calls=2), seq=4) is None
    assert await balance(store) == Balance(ONE, ONE)


async def test_a_hundred_reservations_at_once_do_not_break_a_bound(store: Store) -> None:
    claims = await many_running(store, 100)
    results = await asyncio.gather(*(reserve(store, each, charge(calls=BOUND)) for each in claims))
    assert sum(result is None for result in results) == BOUND
    assert (await balance(store)).held.calls == BOUND
    kinds = [(await journal_of(store, each.run_id))[1].kind for each in claims]
    assert kinds.count(EventKind.INTENT) == BOUND
    assert kinds.count(EventKind.RETRY) == 100 - BOUND


async def test_nor_do_those_of_two_processes(store: Store, other: Store) -> None:
    mine = await many_running(store, 50)
    theirs = await many_running(other, 50, BEN)

    async def call(at: Store, held: Claim, n: int) -> bool:
        """Most of the money comes back; the call does not."""
        names = [charge(f"run:{n % 7}"), charge("tenant", calls=BOUND, cost=2_000)]
        seq = 1
        while (refusal := await reserve(at, held, *names[:: (-1) ** n], seq=seq)) is not None:
            if refusal.final:
                return False
            seq += 1
        await settle(at, held, Amount(1, 1, 1, 1), seq=seq + 1)
        return True

    made = await asyncio.gather(
        *(call(store, held, n) for n, held in enumerate(mine)),
        *(call(other, held, n) for n, held in enumerate(theirs)),
    )
    assert sum(made) == BOUND
    assert await balance(store) == Balance(Amount(BOUND, BOUND, BOUND, BOUND), ZERO)
    parts = (await store.budgets.accounts(TENANT, prefix="run:")).values()
    assert sum(each.used.calls for each in parts) == BOUND
    assert not sum(each.held.calls for each in parts)


async def test_two_that_sweep_at_once_charge_once(store: Store, other: Store) -> None:
    claims = await many_running(store, 20)
    await asyncio.gather(*(reserve(store, each, charge()) for each in claims))
    await asyncio.gather(*(store.claims.settle(each, end(2)) for each in claims))
    assert sum(await asyncio.gather(*(each.budgets.sweep() for each in (store, other) * 3))) == 20
    assert (await balance(store)).used.calls == 20
    assert (await balance(store)).held == ZERO


async def test_a_run_keeps_what_it_is_charged_to(store: Store) -> None:
    charges = (charge("tenant", calls=3), charge("run:x", cost=5, tokens=6, millis=7))
    run_id = await start(store, charges=charges)
    assert (await store.runs.get(TENANT, run_id)).charges == charges
    claimed = await claim(store, run_id)
    assert claimed.run.charges == charges
    child = new_run(parent=run_id, parent_path="1:pay", charges=charges[:1], key="pay")
    await store.journal.append(claimed.claim, [event(1)], Extras(children=(child,)))
    assert (await store.runs.get(TENANT, child.id)).charges == charges[:1]
    await store.claims.settle(claimed.claim, end(2, RunStatus.FAILED))
    fork = await store.runs.fork(TENANT, run_id, 1, "a fork", LATER)
    again = await store.runs.requeue(TENANT, run_id, "", LATER)
    assert fork.charges == again.charges == charges
    assert {run.id: run.charges for run in await store.runs.find(TENANT)} == {
        run_id: charges,
        child.id: charges[:1],
        fork.id: charges,
    }


async def test_a_run_without_charges_has_none(store: Store) -> None:
    run_id = await start(store)
    assert (await claim(store, run_id)).run.charges == ()
    assert await status_of(store, run_id) is RunStatus.RUNNING
