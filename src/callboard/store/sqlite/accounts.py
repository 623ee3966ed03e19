"""Holding and settling on SQLite, inside the transaction of an append."""

from collections.abc import Iterable, Iterator

import apsw
import msgspec

from callboard.domain.budget import Amount, Balance, Refusal
from callboard.store.accounts import Accounts, wanted
from callboard.store.claims import Claim
from callboard.store.journal import Hold, Settlement
from callboard.store.rows import balance_from
from callboard.store.sqlite.sql import every, statements

_SQL = statements("budgets")
_AT_ONCE = 1_000  # effects whose holds one sweep charges at most


def hold(db: apsw.Connection, claim: Claim, hold: Hold) -> Refusal | None:
    """Reserves, or says why not."""
    standing = _standing(db, claim.number, hold.path)
    accounts = _accounts(db, claim.tenant, claim.number, hold.path, standing, wanted(hold, standing))
    refused = accounts.hold(claim.tenant, claim.number, hold)
    _write(db, accounts)
    return refused


def settle(db: apsw.Connection, tenant: str, number: int, settlement: Settlement) -> None:
    """Replaces what an effect holds by what it took."""
    standing = _standing(db, number, settlement.path)
    if standing:
        accounts = _accounts(db, tenant, number, settlement.path, standing, standing)
        accounts.settle(tenant, number, settlement)
        _write(db, accounts)


def read_balances(db: apsw.Connection, tenant: str, names: Iterable[str]) -> Iterator[tuple[str, Balance]]:
    """What those of the accounts hold that there are."""
    listed = msgspec.json.encode(list(names)).decode()
    return ((name, balance_from(row)) for name, *row in every(db, _SQL["balances"], (tenant, listed)))


def stale(db: apsw.Connection) -> list[tuple[int, str, str]]:
    """Effects (run, path, tenant) that hold something which their run will not settle."""
    return [(run, path, tenant) for run, path, tenant in every(db, _SQL["stale"], (_AT_ONCE,))]


def _standing(db: apsw.Connection, number: int, path: str) -> dict[str, Amount]:
    return {account: Amount(*row) for account, *row in every(db, _SQL["holds"], (number, path))}


def _accounts(
    db: apsw.Connection, tenant: str, number: int, path: str, standing: dict[str, Amount], names: Iterable[str]
) -> Accounts:
    balances = {(tenant, name): balance for name, balance in read_balances(db, tenant, names)}
    return Accounts(balances, {(number, path): standing})


def _write(db: apsw.Connection, accounts: Accounts) -> None:
    db.executemany(_SQL["write"], accounts.balances())
    db.executemany(_SQL["release"], accounts.released())
    db.executemany(_SQL["hold"], accounts.held())
