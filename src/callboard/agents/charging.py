"""What calls are charged to: the budgets that apply to them, as accounts with their bounds, and what is said when there
is no room, or little left.

A call counts to its tenant, its run's flow, its agent, its run and each run above that, and the session (label
`session`) of any of these. A run that is started by another stores whom it counts to in this way; the limits
themselves are looked up at each call, so that what operators set holds for whatever is under way.
"""

import logging
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from callboard.domain.budget import ZERO, Amount, Bound, Charge, Measure, Refusal
from callboard.domain.errors import InputInvalid, LimitReached, ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.run import Run
from callboard.domain.usage import dollars
from callboard.models.info import ModelInfo, Price
from callboard.policy import Budget, Rule, Rules, Scope, warnings
from callboard.policy.budget import allowing, over
from callboard.store.budgets import Budgets, Limit
from callboard.telemetry.metrics import Metrics

EVERY = "*"  # an operator's limit of this tenant is one for each of them
_AT_ONCE = 1_000  # accounts that one look asks for
_TOLD = 10_000  # warnings that are remembered, so that each is given once

_log = logging.getLogger("callboard.budgets")


class Charging:
    """Knows the budgets.

    Args:
        declared: those of the app and of its settings.
        ordered: those that operators have set, as they are now. One that is the same in scope, name and period as a
            declared one stands in its place.
    """

    def __init__(self, declared: Sequence[Budget], ordered: Callable[[], Sequence[Limit]] = tuple) -> None:
        self.declared = tuple(declared)
        self._ordered = ordered
        self._limits: Sequence[Limit] = ()
        self._rules: dict[str, Rules] = {EVERY: Rules(self.declared)}
        self._watched: dict[tuple[str, str], Rule] = {}
        self._told: dict[tuple[str, str, Measure, float], None] = {}

    def of_run(self, run: Run) -> tuple[Charge, ...]:
        """Whom the runs below a run count to, stored with them: accounts without a time and without a bound, with a
        run's flow as the budget. Nothing where no budget of a run or a session is in force."""
        rules = self.rules(run.tenant)
        if not (rules.limits(Scope.RUN) or rules.limits(Scope.SESSION)):
            return ()
        own = [Charge(f"{Scope.RUN}:{run.id}", Bound(), run.flow)]
        if session := run.labels.get(Scope.SESSION):
            own.append(Charge(f"{Scope.SESSION}:{session}", Bound(), session))
        return tuple(dict.fromkeys((*run.charges, *own)))

    def of_call(self, run: Run, agent: str, now: float) -> tuple[Charge, ...]:
        """What a call of a run's agent is charged to at a time (epoch seconds): all of it, each account once."""
        rules = self.rules(run.tenant)
        if not rules:
            return ()
        found: dict[str, Charge] = {}
        for scope, name, who in self._spenders(run, agent):
            for rule in rules.of(scope, name):
                charge = rule.charge(who, now)
                found[charge.account] = charge
                if rule.budget.warn:
                    self._watched[run.tenant, charge.account] = rule
        return tuple(found.values())

    def rules(self, tenant: str) -> Rules:
        """The budgets in force for a tenant."""
        limits = self._ordered()
        if limits is not self._limits:
            if tuple(limits) != tuple(self._limits):
                self._rules = _by_tenant(self.declared, limits)
            self._limits = limits
        return self._rules.get(tenant) or self._rules[EVERY]

    def check(self, charges: Sequence[Charge], info: ModelInfo, price: Price | None) -> None:
        """Raises ModelFailed where money is limited and nobody knows what the model costs; one of this process, without
        a provider, costs nothing."""
        if price is not None or not info.provider:
            return
        limited = next((charge for charge in charges if charge.bound.cost is not None), None)
        if limited is not None:
            name = f"{info.provider}:{info.name}"
            raise ModelFailed(
                f"{name} is not called: budget {limited.budget} limits money, and nobody knows its price",
                kind=ErrorKind.LIMIT,
                detail={"reason": "budget", "budget": limited.budget, "model": name, "made": False},
                remedy=f'set it in the configuration: [prices."{name}"] with input and output, "0" where it is free',
            )

    def refused(self, refusal: Refusal, *, agent: str = "", partial: dict[str, Any] | None = None) -> LimitReached:
        """What a reservation without room raises: `partial` goes along when there will be none. Pure and quick: it is
        called in the store's transaction."""
        return no_room(refusal, agent, partial)

    @staticmethod
    def strict(charges: Sequence[Charge]) -> bool:
        """Whether what is reserved must not be below what the call can come to: money or tokens are limited."""
        return any(charge.bound.cost is not None or charge.bound.tokens is not None for charge in charges)

    async def look(self, budgets: Budgets, metrics: Metrics) -> None:
        """Warns of budgets that calls were charged to since the last look: in the log, and as a number. Each share of
        each account once in a process. Raises StoreError."""
        found = list(self._watched.items())[:_AT_ONCE]
        tenants: dict[str, dict[str, Rule]] = {}
        for (tenant, account), rule in found:
            del self._watched[tenant, account]
            tenants.setdefault(tenant, {})[account] = rule
        for tenant, rules in tenants.items():
            for account, balance in (await budgets.balances(tenant, list(rules))).items():
                rule = rules[account]
                self._warn(tenant, account, rule, balance.used, metrics)
                if balance.held != ZERO:  # what is under way will be settled
                    self._watched.setdefault((tenant, account), rule)

    def _warn(self, tenant: str, account: str, rule: Rule, used: Amount, metrics: Metrics) -> None:
        for each in warnings(rule.bound, rule.budget.warn, used):
            key = tenant, account, each.measure, each.share
            if key in self._told:
                continue
            if len(self._told) >= _TOLD:
                del self._told[next(iter(self._told))]
            self._told[key] = None
            metrics.budget_warnings[str(rule.budget.scope)] += 1
            _log.warning(
                "budget %s: account %s of tenant %s has used %s of %s %s (%d %%)",
                rule.budget.title,
                account,
                tenant,
                people(each.measure, each.used),
                people(each.measure, each.bound),
                unit(each.measure),
                100 * each.used // each.bound,
            )

    @staticmethod
    def _spenders(run: Run, agent: str) -> Iterator[tuple[Scope, str, str]]:
        """Scope, the name that a budget may have, and the name in the account, of all that a call counts to."""
        yield Scope.TENANT, run.tenant, ""
        yield Scope.FLOW, run.flow, run.flow
        yield Scope.AGENT, agent, agent
        yield Scope.RUN, run.flow, run.id
        if session := run.labels.get(Scope.SESSION):
            yield Scope.SESSION, session, session
        for above in run.charges:
            scope, _, name = above.account.partition(":")
            yield Scope(scope), above.budget, name  # only of_run writes these


def no_room(refusal: Refusal, agent: str = "", partial: dict[str, Any] | None = None) -> LimitReached:
    """A refusal as an error, in people's units: dollars as text, seconds, tokens, calls."""
    charge, measure = refusal.charge, refusal.measure
    said = {name: people(measure, getattr(refusal, name)) for name in ("bound", "used", "held", "asked")}
    detail: dict[str, Any] = {
        "reason": "budget",
        "budget": charge.budget,
        "account": charge.account,
        "measure": str(measure),
        "limit": said["bound"],
        "used": said["used"],
        "held": said["held"],
        "asked": said["asked"],
    }
    if agent:
        detail["agent"] = agent
    if refusal.final and partial is not None:
        detail["partial"] = partial
    held = f", {said['held']} held by calls under way" if refusal.held else ""
    return LimitReached(
        f"budget {charge.budget} has no room for this call: {said['used']} of {said['bound']} {unit(measure)} used"
        f"{held}, {said['asked']} asked for",
        detail=detail,
        remedy=_remedy(refusal) if refusal.final else "the call is made when there is room",
    )


def _remedy(refusal: Refusal) -> str:
    scope, _, rest = refusal.charge.budget.partition(" ")
    begins = over(refusal.charge.account)
    name, _, period = rest.rpartition(" per ") if begins else (rest, "", "")
    command = shlex.join(["callboard", "budgets", "set", scope, name, *(["--per", period] if period else [])])
    raised = f"raise it: {command} --{refusal.measure} N"
    return f"{raised}; or requeue the run when it begins anew, on {begins}" if begins else raised


def people(measure: Measure, amount: int) -> str | int | float:
    """An amount of an account in the units in which budgets are written."""
    if measure is Measure.USD:
        return dollars(amount)
    return amount / 1000 if measure is Measure.SECONDS else amount


def unit(measure: Measure) -> str:
    """What people call that."""
    return "dollars" if measure is Measure.USD else str(measure)


def budget_of(limit: Limit) -> Budget:
    """An operator's limit as a budget. Raises InputInvalid for one that this version does not know."""
    return allowing(limit.scope, limit.name, limit.period, limit.bound, limit.warn)


def _by_tenant(declared: Sequence[Budget], limits: Iterable[Limit]) -> dict[str, Rules]:
    known: dict[str, list[Budget]] = {EVERY: []}
    for each in limits:
        try:
            known.setdefault(each.tenant, []).append(budget_of(each))
        except InputInvalid as error:
            _log.error("a limit of tenant %s is of no version that is known here, and not kept: %s", each.tenant, error)
    everybody = (*declared, *known[EVERY])
    return {tenant: Rules((*everybody, *(() if tenant == EVERY else own))) for tenant, own in known.items()}
