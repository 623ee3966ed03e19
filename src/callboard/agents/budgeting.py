"""What operators do with budgets: look how they stand, set and lift limits. Money in dollars, time in seconds."""

from collections.abc import Sequence
from typing import Any

from callboard.agents.charging import Charging
from callboard.domain.budget import Balance, Bound, Measure
from callboard.domain.errors import NotFound
from callboard.engine.services import Services
from callboard.policy import Budget, Rule, Rules, Scope, budget
from callboard.policy.budget import parted
from callboard.policy.charges import EACH
from callboard.policy.warnings import FIELDS
from callboard.store.budgets import Limit

_PAGE = 1_000
_READ = 10_000  # accounts of one scope that are looked at: a budget of each session may have any number
_PARTS = {Measure.USD: 1_000_000, Measure.SECONDS: 1_000}


class Budgeting:
    """For doors of operators, who see all tenants.

    Args:
        services: the store and the clock.
        declared: the budgets of the app and of its settings.
    """

    def __init__(self, services: Services, declared: Sequence[Budget]) -> None:
        self._services = services
        self._declared = declared

    async def set(self, tenant: str, scope: str, name: str, *, by: str, **limits: Any) -> dict[str, Any]:
        """Sets a limit in place of the one before it; what it is then.

        Args:
            tenant: whose, `*` for every tenant's; a budget of a tenant belongs to the tenant that it names.
            scope: what it is about,
            name: which one: as in `App.budget`.
            by: who sets it.
            limits: as in `App.budget`.

        Raises InputInvalid.
        """
        made = budget(scope, name, **limits)
        limit = Limit(
            tenant=_whose(made, tenant),
            scope=made.scope,
            name=made.name,
            period=made.period,
            bound=made.bound,
            warn=made.warn,
            by=by,
            at=self._services.clock.now(),
        )
        await self._services.store.budgets.put(limit)
        shown = {measure: row["limit"] for measure, row in measures(made.bound).items()}
        return _place(limit) | shown | {"warn": list(limit.warn), "by": by, "at": limit.at}

    async def remove(self, tenant: str, scope: str, name: str, period: str) -> dict[str, Any]:
        """Lifts a limit; what it was about. Raises InputInvalid, NotFound."""
        made = budget(scope, name, period=period, calls=0)
        whose = _whose(made, tenant)
        if not await self._services.store.budgets.remove(whose, made.scope, made.name, made.period):
            raise NotFound(
                f"no limit was set for {made.title} of tenant {whose}",
                remedy="callboard budgets list shows them; what an app declares is changed in its code",
            )
        limit = Limit(tenant=whose, scope=made.scope, name=made.name, period=made.period, bound=made.bound)
        return _place(limit) | {"removed": True}

    async def standings(self, tenant: str, limit: int) -> list[dict[str, Any]]:
        """The budgets in force for a tenant with their accounts as they stand now; `limit` of them at most, the fullest
        first. A budget that nothing was charged to yet stands there once, without an account."""
        limits = await self._services.store.budgets.limits()
        rules = Charging(self._declared, lambda: limits).rules(tenant)
        view = _View(self._services, tenant, rules, limits)
        found = [each for scope in Scope if rules.limits(scope) for each in await view.of(scope)]
        found.sort(key=lambda each: -max((row["share"] or 0.0 for row in each["measures"].values()), default=0.0))
        return found[:limit]


def measures(bound: Bound, balance: Balance = Balance()) -> dict[str, dict[str, float | None]]:  # noqa: B008 - frozen
    """What a limit counts, each with its limit and what is used, held and left of it."""
    found = {}
    for field, measure in FIELDS:
        most = getattr(bound, field)
        if most is None:
            continue
        part = _PARTS.get(measure)
        used, held = getattr(balance.used, field), getattr(balance.held, field)
        figures = {"limit": most, "used": used, "held": held, "left": most - used - held}
        shown = {name: value / part if part else value for name, value in figures.items()}
        found[str(measure)] = shown | {"share": used / most if most else None}
    return found


class _View:
    """What is charged to a tenant's budgets now."""

    def __init__(self, services: Services, tenant: str, rules: Rules, limits: Sequence[Limit]) -> None:
        self._store = services.store
        self._now = services.clock.now()
        self._tenant = tenant
        self._rules = rules
        known = sorted(limits, key=lambda each: each.tenant != EACH)  # a tenant's own stands over every tenant's
        self._set = {(each.scope, each.name, each.period): each for each in known if each.tenant in (tenant, EACH)}

    async def of(self, scope: Scope) -> list[dict[str, Any]]:
        """Accounts of a scope that count now, each under the rule that is in force for it; rules without any."""
        held, names = await self._accounts(scope)
        found, shown = [], set()
        for account, balance in held.items():
            time = parted(account)[2]
            for rule in self._rules.of(scope, names.get(account, "")):
                if parted(rule.charge(EACH, self._now).account)[2] == time:
                    found.append(self._object(rule, account, balance))
                    shown.add(id(rule))
        own = [rule for rule in self._rules if rule.budget.scope is scope]
        if scope is Scope.TENANT:  # what other tenants may is not shown here
            own = list(self._rules.of(scope, self._tenant))
        return found + [self._object(rule, "", Balance()) for rule in own if id(rule) not in shown]

    async def _accounts(self, scope: Scope) -> tuple[dict[str, Balance], dict[str, str]]:
        """What accounts of a scope hold, and the name that a budget of each may have."""
        store, tenant = self._store, self._tenant
        held: dict[str, Balance] = {}
        if scope is Scope.TENANT:
            own = [rule.charge("", self._now).account for rule in self._rules.of(scope, tenant)]
            found = await store.budgets.balances(tenant, own)
            held = {account: balance for account, balance in found.items() if balance != Balance()}
            return held, dict.fromkeys(held, tenant)
        after = ""
        while len(held) < _READ:
            page = await store.budgets.accounts(tenant, prefix=f"{scope}:", limit=_PAGE, after=after)
            held |= page
            if len(page) < _PAGE:
                break
            after = max(page)
        names = {account: parted(account)[1].replace("%40", "@").replace("%25", "%") for account in held}
        if scope is not Scope.RUN:
            return held, names
        flows: dict[str, str] = {}
        ids = sorted(set(names.values()))
        for start in range(0, len(ids), _PAGE):
            rows = await store.runs.rows(tenant, ids[start : start + _PAGE])
            flows |= {run_id: run.flow for run_id, run in rows.items()}
        return held, {account: flows.get(run_id, "") for account, run_id in names.items()}

    def _object(self, rule: Rule, account: str, balance: Balance) -> dict[str, Any]:
        made = rule.budget
        setter = self._set.get((made.scope, made.name, made.period))
        return {
            "budget": made.title,
            "scope": made.scope,
            "name": made.name,
            "per": made.period,
            "account": account,
            "by": "the app" if setter is None else setter.by,
            "at": None if setter is None else setter.at,
            "warn": list(made.warn),
            "measures": measures(rule.bound, balance),
        }


def _whose(made: Budget, tenant: str) -> str:
    return made.name if made.scope is Scope.TENANT else tenant


def _place(limit: Limit) -> dict[str, Any]:
    return {"tenant": limit.tenant, "scope": limit.scope, "name": limit.name, "per": limit.period}
