"""What holding and settling do to accounts. Pure: a store hands in the rows that its transaction has locked, and
writes back those that have changed."""

from collections.abc import Iterable, Mapping
from typing import Any

from callboard.domain.budget import ZERO, Amount, Balance, Refusal, refusal
from callboard.store.journal import Hold, Settlement

Key = tuple[str, str]  # a tenant and its account
Place = tuple[int, str]  # the number of a run and the path of an effect
_EMPTY = Balance()


class Accounts:
    """Accounts and holds that a transaction has in hand.

    Args:
        balances: what the accounts hold; those that are missing hold nothing.
        holds: what effects hold of their tenant's accounts.
    """

    def __init__(self, balances: Mapping[Key, Balance], holds: Mapping[Place, Mapping[str, Amount]]) -> None:
        self._balances = dict(balances)
        self._holds = {place: dict(each) for place, each in holds.items() if each}
        self._before = frozenset(self._holds)
        self._changed: set[Key] = set()
        self._touched: dict[Place, str] = {}

    def hold(self, tenant: str, number: int, hold: Hold) -> Refusal | None:
        """Reserves for an effect, or says why not; what an attempt before still holds is charged in full first."""
        self.settle(tenant, number, Settlement(hold.path, None))
        found: Refusal | None = None
        for charge in hold.charges:
            refused = refusal(charge, self._balances.get((tenant, charge.account), _EMPTY), hold.amount)
            if refused is not None and (found is None or (refused.final and not found.final)):
                found = refused
        if found is not None:
            return found
        place = (number, hold.path)
        # An account that two charges name is charged once.
        self._holds[place] = {charge.account: hold.amount for charge in hold.charges}
        self._touched[place] = tenant
        for account in self._holds[place]:
            self._move((tenant, account), ZERO, hold.amount)
        return None

    def settle(self, tenant: str, number: int, settlement: Settlement) -> None:
        """Replaces what an effect holds by what it really took."""
        place = (number, settlement.path)
        held = self._holds.pop(place, None)
        if held is None:
            return
        self._touched[place] = tenant
        for account, amount in held.items():
            used = amount if settlement.amount is None else settlement.amount
            self._move((tenant, account), used, ZERO - amount)

    def balances(self) -> list[tuple[Any, ...]]:
        """Rows of the accounts that have changed, in their order: tenant, name, four used, four held."""
        return [(*key, *_columns(self._balances[key])) for key in sorted(self._changed)]

    def released(self) -> list[Place]:
        """Effects whose holds of before are to be removed."""
        return sorted(place for place in self._touched if place in self._before)

    def held(self) -> list[tuple[Any, ...]]:
        """Rows of new holds: run, path, tenant, account, amounts."""
        return [
            (*place, tenant, account, *_amounts(amount))
            for place, tenant in self._touched.items()
            for account, amount in self._holds.get(place, {}).items()
        ]

    def _move(self, key: Key, used: Amount, held: Amount) -> None:
        before = self._balances.get(key, _EMPTY)
        self._balances[key] = Balance(before.used + used, before.held + held)
        self._changed.add(key)


def wanted(hold: Hold | None, standing: Iterable[str]) -> set[str]:
    """The accounts that an append needs: those it charges, and those that its effect holds something of."""
    return {*standing, *(charge.account for charge in (() if hold is None else hold.charges))}


def _columns(balance: Balance) -> tuple[int, ...]:
    return *_amounts(balance.used), *_amounts(balance.held)


def _amounts(amount: Amount) -> tuple[int, ...]:
    return amount.cost, amount.tokens, amount.calls, amount.millis
