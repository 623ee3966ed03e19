"""The arithmetic of accounts: whatever is held and settled in whatever order, the sums are right."""

from hypothesis import given
from hypothesis import strategies as st

from callboard.domain.budget import ZERO, Amount, Balance, Bound, Charge
from callboard.store.accounts import Accounts
from callboard.store.journal import Hold, Settlement
from tests.conformance.store.charging import refused

T = "acme"
amounts = st.builds(Amount, *[st.integers(0, 50)] * 4)
bounds = st.builds(Bound, *[st.none() | st.integers(0, 200)] * 4)
charges = st.lists(st.builds(Charge, st.sampled_from("abc"), bounds), max_size=4).map(tuple)
holds = st.builds(Hold, st.sampled_from(["1:x", "2:x"]), charges, amounts, st.just(refused))
settlements = st.builds(Settlement, st.sampled_from(["1:x", "2:x"]), st.none() | amounts)
ops = st.lists(st.tuples(st.integers(1, 2), holds | settlements), max_size=20)


def total(rows: list[tuple[object, ...]], account: str) -> Amount:
    """What rows of holds hold of an account."""
    return sum((Amount(*row[4:]) for row in rows if row[3] == account), start=ZERO)  # type: ignore[arg-type]


@given(ops)
def test_held_is_what_effects_hold_and_a_grant_never_breaks_a_bound(todo: list[tuple[int, Hold | Settlement]]) -> None:
    accounts = Accounts({}, {})
    for run, op in todo:
        if isinstance(op, Settlement):
            accounts.settle(T, run, op)
            continue
        granted = accounts.hold(T, run, op) is None
        rows = {name: Balance(Amount(*row[:4]), Amount(*row[4:])) for _, name, *row in accounts.balances()}
        for charge in op.charges if granted else ():
            balance = rows[charge.account]
            for field in ("cost", "tokens", "calls", "millis"):
                bound = getattr(charge.bound, field)
                if bound is not None and getattr(op.amount, field):
                    assert getattr(balance.used + balance.held, field) <= bound
    for _, name, *row in accounts.balances():
        assert Amount(*row[4:]) == total(accounts.held(), name)


@given(ops)
def test_in_one_transaction_or_in_many_it_comes_to_the_same(todo: list[tuple[int, Hold | Settlement]]) -> None:
    together = Accounts({}, {})
    balances: dict[tuple[str, str], Balance] = {}
    standing: dict[tuple[int, str], dict[str, Amount]] = {}
    for run, op in todo:
        apart = Accounts(balances, standing)
        if isinstance(op, Settlement):
            together.settle(T, run, op)
            apart.settle(T, run, op)
        else:
            assert together.hold(T, run, op) == apart.hold(T, run, op)
        for tenant, name, *row in apart.balances():
            balances[tenant, name] = Balance(Amount(*row[:4]), Amount(*row[4:]))
        for place in apart.released():
            del standing[place]
        for number, path, _, account, *row in apart.held():
            assert account not in standing.setdefault((number, path), {})  # its row would be there twice
            standing[number, path][account] = Amount(*row)
    found = {(tenant, name): Balance(Amount(*row[:4]), Amount(*row[4:])) for tenant, name, *row in together.balances()}
    assert found == balances
    held: dict[tuple[int, str], dict[str, Amount]] = {}
    for number, path, _, account, *row in together.held():
        held.setdefault((number, path), {})[account] = Amount(*row)
    assert held == {place: each for place, each in standing.items() if each}
