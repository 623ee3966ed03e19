"""The words for stories about accounts: charge, reserve, settle, what an account holds."""

import asyncio

from callboard.domain.budget import Amount, Balance, Bound, Charge, Refusal
from callboard.domain.event import Event, EventKind
from callboard.domain.usage import Usage
from callboard.store.budgets import Limit
from callboard.store.claims import Claim
from callboard.store.journal import Extras, Hold, Settlement
from callboard.store.store import Store
from tests.conformance.store.play import T0, TENANT, event

PATH = "1:model"
ONE = Amount(100, 10, 1, 1_000)  # what each reservation here asks for, where nothing else is said
NONE = Amount()


def charge(account: str = "tenant", **bound: int) -> Charge:
    return Charge(account, Bound(**bound), f"budget of {account}")


def limit(name: str = "writer", tenant: str = TENANT, **changes: object) -> Limit:
    values: dict[str, object] = {
        "scope": "agent",
        "period": "day",
        "bound": Bound(cost=5, millis=2**40),
        "warn": (0.5, 0.8),
        "by": "mia",
        "at": T0,
    }
    return Limit(tenant=tenant, name=name, **(values | changes))  # type: ignore[arg-type]


def refused(intent: Event, refusal: Refusal) -> Event:
    """What stands in place of an intent; its body says why."""
    kind = EventKind.FAILED if refusal.final else EventKind.RETRY
    body = b'"%s %s"' % (refusal.charge.account.encode(), refusal.measure.encode())
    return Event(intent.seq, kind, intent.path, intent.digest, intent.at, intent.took, body)


def reserve(
    store: Store,
    held: Claim,
    *charges: Charge,
    seq: int = 1,
    path: str = PATH,
    amount: Amount = ONE,
    spent: Usage | None = None,
) -> asyncio.Future[Refusal | None]:
    extras = Extras(spent=spent, hold=Hold(path, charges, amount, refused))
    done = store.journal.append(held, [event(seq, EventKind.INTENT, path)], extras)
    assert isinstance(done, asyncio.Future)
    return done


async def settle(store: Store, held: Claim, amount: Amount | None, *, seq: int = 2, path: str = PATH) -> None:
    await store.journal.append(
        held, [event(seq, EventKind.DONE, path)], Extras(settled=Settlement(path, amount), spent=Usage(1))
    )


async def balance(store: Store, account: str = "tenant", tenant: str = TENANT) -> Balance:
    return (await store.budgets.balances(tenant, [account]))[account]
