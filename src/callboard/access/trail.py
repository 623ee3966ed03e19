"""The record of deeds at a desk: looked through, and verified."""

from typing import Any

import msgspec

from callboard.access.guard import Guard
from callboard.access.house import House
from callboard.domain.errors import InputInvalid
from callboard.policy.access import Action
from callboard.store.audit import Entry, broken

_PAGE = 1_000


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of verifying a tenant's chain.

    Attributes:
        entries: how many there are.
        seal: the last one's, in hexadecimal: with its number, what to note elsewhere.
        broken: the number of the first entry that is not as it was sealed; None if all are.
        missing: whether entries that were known once are no longer at the end, or are others now.
    """

    tenant: str
    entries: int
    seal: str
    broken: int | None = None
    missing: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing was found."""
        return self.broken is None and not self.missing


class DeskAudit:
    """What one principal may see of one tenant's chain."""

    def __init__(self, house: House, guard: Guard) -> None:
        self._store = house.services.store
        self._guard = guard

    async def find(self, **filters: Any) -> list[Entry]:
        """Entries, newest first; filters as Audit.find takes them: actor, action, object, since, until, before, limit.

        Raises Denied.
        """
        self._guard.check(Action.AUDIT_READ)
        return await self._store.audit.find(self._guard.tenant, **filters)

    async def head(self) -> Entry | None:
        """The last entry; None of an empty chain. Its number and seal, noted elsewhere, tell later whether entries were
        taken from the end. Raises Denied."""
        return next(iter(await self.find(limit=1)), None)

    async def verify(self, known: tuple[int, str] | None = None) -> Report:
        """Reads the whole chain and seals it again.

        Args:
            known: the number and the seal (hexadecimal) of an entry that was the last one once. Without it, nobody can
                tell whether entries are missing at the end.

        Raises Denied, InputInvalid.
        """
        self._guard.check(Action.AUDIT_READ)
        number, seal = (0, b"") if known is None else (known[0], _seal(known[1]))
        last: Entry | None = None
        wrong: int | None = None
        count, met = 0, number == 0
        while page := await self._store.audit.read(
            self._guard.tenant, after=0 if last is None else last.number, limit=_PAGE
        ):
            if wrong is None:
                wrong = broken(page, last)
            met = met or any(entry.number == number and entry.seal == seal for entry, _ in page)
            count += len(page)
            last = page[-1][0]
        shown = "" if last is None else last.seal.hex()
        return Report(tenant=self._guard.tenant, entries=count, seal=shown, broken=wrong, missing=not met)


def _seal(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InputInvalid(f"{text[:100]!r} is no seal", remedy="write it as callboard audit head shows it") from None
