"""Who stands at a desk: what it may do, and the record of what it did."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from callboard.domain.errors import CallboardError, Denied, InputInvalid, StoreError
from callboard.domain.principal import EVERY, Principal
from callboard.domain.verdict import Ruling
from callboard.engine.clock import Clock
from callboard.policy.access import ALLOWED, UNSCOPED, Action, flows_of, permits
from callboard.store.audit import Audit, Deed
from callboard.store.store import Store

DENIED = "denied"
_LONGEST = 200  # characters of a tenant's name
_log = logging.getLogger("callboard.access")
_SAID = 1_000  # characters of what somebody said that are recorded


class Guard:
    """One principal in one tenant. Everything that doors do passes here.

    Args:
        store: where it is recorded.
        clock: when it is.
        principal: who acts.
        tenant: in which tenant.
        source: from where: an address, or `cli`.

    Raises InputInvalid for a tenant that cannot be one.
    """

    def __init__(self, store: Store, clock: Clock, principal: Principal, tenant: str, source: str) -> None:
        if not 0 < len(tenant) <= _LONGEST or not tenant.isprintable() or tenant == EVERY:
            raise InputInvalid(
                f"tenant={tenant[:_LONGEST]!r} is not a text of 1 to {_LONGEST} characters", remedy="name the tenant"
            )
        self._store = store
        self._clock = clock
        self.principal = principal
        self.tenant = tenant
        self.source = source

    def may(self, action: Action, flow: str | None = None, *, tenant: str | None = None) -> bool:
        """Whether it may do this, to what belongs to that flow; without one, to anything at all.

        `tenant` is another than the desk's, `*` for what belongs to all of them.
        """
        return self._verdict(action, flow, tenant).ruling is Ruling.ALLOW

    def check(self, action: Action, flow: str | None = None, *, tenant: str | None = None) -> None:
        """Raises Denied where `may` says no."""
        verdict = self._verdict(action, flow, tenant)
        if verdict.ruling is not Ruling.ALLOW:
            roles = ", ".join(role for role, actions in ALLOWED.items() if action in actions)
            whole = ", for all flows" if action in UNSCOPED else ""
            raise Denied(verdict.reason, remedy=f"it takes one of the roles {roles} there{whole}; an admin grants them")

    def flows(self, action: Action, *, tenant: str | None = None) -> tuple[str, ...] | None:
        """Patterns of the flows for which it may do this; None for all. Raises Denied where there are none."""
        self.check(action, tenant=tenant)
        return flows_of(self.principal, action, tenant or self.tenant)

    def check_all(self, action: Action) -> None:
        """Raises Denied unless it may do this for all flows: what is asked cannot be shown in parts."""
        if self.flows(action) is not None:
            raise Denied(
                f"{self.principal.name} may {action} of some flows only in tenant {self.tenant}",
                remedy="it takes a grant for all flows; an admin gives it",
            )

    @asynccontextmanager
    async def deed(
        self,
        name: str,
        object: str,
        *,
        needs: Action,
        flow: str | None = None,
        tenant: str | None = None,
        before: Any = None,
        after: Any = None,
    ) -> AsyncIterator[None]:
        """Around an act: recorded before it is done; once more, with its outcome, if it fails or is not allowed.

        Args:
            name: what is done, such as `runs:cancel`.
            object: to what, such as `run:01j...`.
            needs: what it takes,
            flow: for which flow,
            tenant: and in which tenant, `*` for what belongs to all; the desk's by default.
            before: what is there now, JSON-like.
            after: what is asked for.

        Raises Denied; StoreError when it cannot be recorded, and then it is not done.
        """
        try:
            self.check(needs, flow, tenant=tenant)
        except Denied:
            await self.record(name, object, before=before, after=after, outcome=DENIED)
            raise
        number = await self.record(name, object, before=before, after=after)
        try:
            yield
        except Exception as error:
            outcome = error.code if isinstance(error, CallboardError) else "bug"
            said = {"entry": number, "error": str(error)[:_SAID] if isinstance(error, CallboardError) else ""}
            try:
                await self.record(name, object, after=said, outcome=outcome)
            except StoreError as away:  # what failed is what whoever asked has to hear
                _log.error(
                    "entry %d (%s %s) failed with %s, which is not recorded: %s", number, name, object, outcome, away
                )
            raise

    async def refuse(self, name: str, object: str, why: Denied, *, after: Any = None) -> None:
        """Records what was not allowed for another reason than a missing action, and raises it."""
        await self.record(name, object, after=after, outcome=DENIED)
        raise why

    async def record(
        self, name: str, object: str, *, before: Any = None, after: Any = None, outcome: str = "done"
    ) -> int:
        """Appends to the chain of the desk's tenant; of its own where the principal has no business in that one.

        Returns the entry's number. Raises StoreError.
        """
        deed = Deed(
            at=self._clock.now(),
            actor=self.principal.who,
            name=self.principal.name,
            action=name,
            object=object,
            source=self.source,
            before=before,
            after=after,
            outcome=outcome,
        )
        chain = self.tenant if self._belongs else self.principal.tenant
        return (await self._audit.append(chain, deed)).number

    @property
    def _audit(self) -> Audit:
        return self._store.audit

    @property
    def _belongs(self) -> bool:
        return any(grant.tenant in (EVERY, self.tenant) for grant in self.principal.grants)

    def _verdict(self, action: Action, flow: str | None, tenant: str | None) -> Any:
        return permits(self.principal, action, tenant or self.tenant, flow)
