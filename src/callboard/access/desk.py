"""The desk: the one place where doors act, where is asked whether they may, and where it is recorded."""

from typing import Any

from callboard.access.access import Access
from callboard.access.approvals import DeskApprovals
from callboard.access.budgets import DeskBudgets
from callboard.access.catalog import Catalog
from callboard.access.costs import DeskCosts
from callboard.access.credentials import DeskCredentials
from callboard.access.fleet import DeskFleet
from callboard.access.guard import Guard
from callboard.access.house import House
from callboard.access.runs import DeskRuns
from callboard.access.schedules import DeskSchedules
from callboard.access.sessions import DeskSessions
from callboard.access.signing import DeskWebhooks
from callboard.access.trail import DeskAudit
from callboard.domain.principal import EVERY, Principal
from callboard.policy.access import Action
from callboard.settings import masked


class Desk:
    """What one principal may do in one tenant. Make it with `rt.desk(...)`.

    Attributes:
        runs, sessions, approvals, costs, budgets, fleet, schedules, catalog, credentials, webhooks, audit: each a part
            of it.
    """

    def __init__(self, house: House, access: Access, principal: Principal, tenant: str, source: str) -> None:
        services = house.services
        guard = Guard(services.store, services.clock, principal, tenant, source)
        self._guard = guard
        self._settings = house.settings
        self.runs = DeskRuns(house, guard)
        self.sessions = DeskSessions(house, guard)
        self.approvals = DeskApprovals(house, guard)
        self.costs = DeskCosts(house, guard)
        self.budgets = DeskBudgets(house, guard)
        self.fleet = DeskFleet(house, guard)
        self.schedules = DeskSchedules(house, guard)
        self.catalog = Catalog(house, guard)
        self.credentials = DeskCredentials(access, services.store, services.clock, guard)
        self.webhooks = DeskWebhooks(access, services.store, services.clock, guard)
        self.audit = DeskAudit(house, guard)

    @property
    def principal(self) -> Principal:
        """Who acts."""
        return self._guard.principal

    @property
    def tenant(self) -> str:
        """In which tenant."""
        return self._guard.tenant

    @property
    def source(self) -> str:
        """From where."""
        return self._guard.source

    def may(self, action: Action, flow: str | None = None) -> bool:
        """Whether the principal may do this, to what belongs to that flow; without one, to anything at all. For doors
        that show only what can be used: whatever is done is checked again."""
        tenant = EVERY if action is Action.SETTINGS_READ else None
        return self._guard.may(action, flow, tenant=tenant)

    def check(self, action: Action, flow: str | None = None) -> None:
        """Raises Denied where `may` says no."""
        self._guard.check(action, flow, tenant=EVERY if action is Action.SETTINGS_READ else None)

    def settings(self) -> dict[str, Any]:
        """The effective configuration, which is that of all tenants, with its secrets masked. Raises Denied."""
        self.check(Action.SETTINGS_READ)
        return masked(self._settings)
