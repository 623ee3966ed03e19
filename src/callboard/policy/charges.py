"""Which budgets a call counts to: rules by scope, name and period, and the accounts that they come to."""

from collections.abc import Iterable, Iterator

from callboard.domain.budget import Bound, Charge
from callboard.policy.budget import Budget, Period, Scope

EACH = "*"
_DAY = 86_400


class Rule:
    """A budget with all that is the same for its calls computed once, and for those of a day once a day."""

    __slots__ = ("_day", "_time", "_title", "bound", "budget")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.bound: Bound = budget.bound
        self._title = budget.title
        self._day = -1
        self._time = ""

    def charge(self, name: str, now: float) -> Charge:
        """What is charged to it for one tenant, flow, agent, session or run at a time (epoch seconds)."""
        if (day := int(now // _DAY)) != self._day:
            self._day, self._time = day, self.budget.time(now)
        return Charge(self.budget.stem(name) + self._time, self.bound, self._title)


class Rules:
    """The budgets that are in force for one tenant.

    For each scope and period one budget counts: the named one in place of `*`, also where it is the looser one or
    limits something else. Of two with the same scope, name and period the later counts.
    """

    def __init__(self, budgets: Iterable[Budget]) -> None:
        self._rules: dict[tuple[Scope, Period, str], Rule] = {}
        for budget in budgets:
            self._rules[budget.scope, budget.period, budget.name] = Rule(budget)
        self._periods = {
            scope: tuple([period for period in Period if any(k[:2] == (scope, period) for k in self._rules)])
            for scope in Scope
        }

    def __bool__(self) -> bool:
        return bool(self._rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def limits(self, scope: Scope) -> bool:
        """Whether there is any budget of that scope."""
        return bool(self._periods[scope])

    def of(self, scope: Scope, name: str) -> Iterator[Rule]:
        """The rules for one of a scope, by period."""
        for period in self._periods[scope]:
            rule = self._rules.get((scope, period, name)) or self._rules.get((scope, period, EACH))
            if rule is not None:
                yield rule
