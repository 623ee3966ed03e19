"""Holding and settling on PostgreSQL, inside the transaction of a group: accounts are locked once for all of its ops,
after the runs and in one order."""

from collections.abc import Iterable, Sequence
from typing import Any

from callboard.domain.budget import Amount
from callboard.store.accounts import Accounts, Key, Place
from callboard.store.postgres.appends import Append
from callboard.store.postgres.group import Group, columns
from callboard.store.postgres.sql import statements
from callboard.store.rows import balance_from

_SQL = statements("accounts")


async def lock_accounts(group: Group, appends: Iterable[Append]) -> None:
    """Locks the accounts that these ops charge or settle; their runs are locked already."""
    places: set[Place] = set()
    charged: set[Key] = set()
    for op in appends:
        extras = op.extras
        if extras is None or (extras.hold is None and extras.settled is None) or not group.holds(op.claim):
            continue
        if extras.settled is not None:
            places.add((op.claim.number, extras.settled.path))
        if extras.hold is not None:
            places.add((op.claim.number, extras.hold.path))
            charged.update((op.claim.tenant, charge.account) for charge in extras.hold.charges)
    if places:
        standing = await group.db.fetch(_SQL["holds"], *columns(sorted(places)))
        group.accounts = await take(group.db, standing, charged)


async def take(db: Any, standing: Sequence[Any], charged: Iterable[Key]) -> Accounts:
    """Locks accounts: those that these rows of holds are of, and those to charge, which may be new."""
    holds: dict[Place, dict[str, Amount]] = {}
    keys = set(charged)
    if keys:
        await db.execute(_SQL["open"], *columns(sorted(keys)))
    for run, path, tenant, account, *amounts in standing:
        holds.setdefault((run, path), {})[account] = Amount(*amounts)
        keys.add((tenant, account))
    if not keys:
        return Accounts({}, {})
    rows = await db.fetch(_SQL["lock"], *columns(sorted(keys)))
    return Accounts({(tenant, name): balance_from(row) for tenant, name, *row in rows}, holds)


async def write(db: Any, accounts: Accounts) -> None:
    """Writes what has changed, outside of a group."""
    for statement, rows in (
        ("write", accounts.balances()),
        ("release", accounts.released()),
        ("hold", accounts.held()),
    ):
        if rows:
            await db.execute(_SQL[statement], *columns(rows))
