"""What runs cost, summed: for pages, tables and programs all here. Money in micro-dollars; in tables, dollars."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid
from callboard.domain.run import ENDED, RunStatus
from callboard.domain.usage import NOTHING, Usage
from callboard.store.costs import Billed, Cost, Spending
from callboard.store.store import Store

BILLED_BY = ("agent", "model")
COSTS_BY = ("flow", "version", "status", *BILLED_BY, "day", "tenant")
TOTAL = "all"
UNBILLED = "(not attributed)"  # what was spent for no agent, and by runs of which nobody kept for whom
TENANTS = 200  # that one answer sums over
_MICROS = 1_000_000
_WASTED = frozenset({RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.DEAD})
_ROOTS = frozenset({"status", "day", "tenant"})  # groups whose runs are those that no other run started

Seen = Callable[[str, str], bool]  # whether costs of a tenant's flow are shown


class Spent(msgspec.Struct, kw_only=True):
    """What the runs of one group cost.

    Attributes:
        name: of the group.
        runs: how many; of the whole, and by status, day or tenant, without those that another run started. By agent and
            model: in which it had a part.
        going: how many of them have not ended.
        succeeded, failed: how many did, or failed or died.
        usage: of all of them, those that other runs started too.
        wasted: what those cost that failed, died or were cancelled.
        calls: of models; by agent and model alone, as are the two that follow.
        by_provider: what it would have cost more, had providers kept nothing.
        by_answers: what answers cost which were kept from earlier equal requests.
        days: the cost of each day, as the calendar in UTC has it.
    """

    name: str
    runs: int = 0
    going: int = 0
    succeeded: int = 0
    failed: int = 0
    usage: Usage = NOTHING
    wasted: int = 0
    calls: int = 0
    by_provider: int = 0
    by_answers: int = 0
    days: dict[str, int] = {}

    @property
    def per_success(self) -> int | None:
        """What each run that succeeded cost, with all that did not; None while none has."""
        return round(self.usage.cost / self.succeeded) if self.succeeded else None

    @property
    def cached(self) -> float | None:
        """Which share of the input providers had kept."""
        return self.usage.cached_tokens / self.usage.input_tokens if self.usage.input_tokens else None

    def count(self, status: RunStatus, runs: int) -> None:
        """Counts runs that stand so."""
        self.runs += runs
        self.going += 0 if status in ENDED else runs
        self.succeeded += runs if status is RunStatus.SUCCEEDED else 0
        self.failed += runs if status in (RunStatus.FAILED, RunStatus.DEAD) else 0

    def spend(self, status: RunStatus, day: str, usage: Usage) -> None:
        """Adds what such runs spent."""
        self.usage += usage
        self.wasted += usage.cost if status in _WASTED else 0
        self.days[day] = self.days.get(day, 0) + usage.cost


class Sums(msgspec.Struct, frozen=True):
    """Costs by something.

    Attributes:
        by: what is told apart.
        whole: all of it.
        rows: each group, what cost most first. Their costs are the whole's together; by agent and model the group
            UNBILLED makes it so, where there is anything in it.
        days: the whole on each day on which runs ended, in their order.
    """

    by: str
    whole: Spent
    rows: list[Spent]
    days: list[Spent]

    def table(self) -> list[dict[str, Any]]:
        """The figures by name, money in dollars: days in their order, others by name; last the total, unless there is
        one group alone."""
        rows = [self._figures(row) for row in sorted(self.rows, key=lambda row: (row.name == UNBILLED, row.name))]
        return rows if len(rows) == 1 else [*rows, self._figures(self.whole, TOTAL)]

    def _figures(self, row: Spent, name: str = "") -> dict[str, Any]:
        per_success = row.usage.cost / row.succeeded / _MICROS if row.succeeded else None
        found: dict[str, Any] = {
            self.by: name or row.name,
            "runs": row.runs,
            "under_way": row.going,
            "succeeded": row.succeeded,
            "cost_usd": row.usage.cost / _MICROS,
            "cost_per_success_usd": per_success,
            "tokens": row.usage.tokens,
            "cached_share": row.cached,
            "wasted_usd": row.wasted / _MICROS,
        }
        if self.by in BILLED_BY:
            found["calls"] = row.calls
            found["saved_by_provider_usd"] = row.by_provider / _MICROS
            found["saved_by_answers_usd"] = row.by_answers / _MICROS
        return found


class Costs:
    """For doors of operators, who see all tenants."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def sums(
        self,
        tenants: Sequence[str],
        since: float,
        now: float,
        by: str,
        seen: Seen = lambda tenant, flow: True,
    ) -> Sums:
        """What runs cost that ended since (epoch seconds), and those that go on, which count today.

        Each run counts with its own money, whole, on the day on which it ended. `by` is one of COSTS_BY; what `seen`
        says no to, by tenant and flow, is left out. Raises InputInvalid.
        """
        if by not in COSTS_BY:
            raise InputInvalid(f"by={by[:20]!r} is unknown", remedy=f"use one of {', '.join(COSTS_BY)}")
        names = list(dict.fromkeys(tenants))
        found = await asyncio.gather(*[self._spending(name, since, now, by in BILLED_BY) for name in names])
        costs: list[tuple[str, Cost]] = []
        bills: list[Billed] = []
        for tenant, spending in zip(names, found, strict=True):
            flows = {each.flow for each in spending.costs}
            hidden = {flow for flow in flows if not seen(tenant, flow)}
            costs += [(tenant, each) for each in spending.costs if each.flow not in hidden]
            bills += [each for each in spending.bills if each.flow not in hidden]
        whole = Spent(name=TOTAL)
        for _, cost in costs:
            _add(whole, cost, roots=True)
        days = sorted(_by_runs(costs, "day"), key=lambda row: row.name)
        return Sums(by, whole, _by_bills(bills, by, whole) if by in BILLED_BY else _by_runs(costs, by), days)

    async def tenants(self) -> list[str]:
        """The tenants that have runs, by name; TENANTS of them at most."""
        return await self._store.costs.tenants(TENANTS)

    async def _spending(self, tenant: str, since: float, now: float, bills: bool) -> Spending:
        if bills:
            return await self._store.costs.spending(tenant, since, now)
        return Spending(await self._store.costs.runs(tenant, since, now), [])


def _by_runs(costs: Iterable[tuple[str, Cost]], by: str) -> list[Spent]:
    found: dict[str, Spent] = {}
    for tenant, cost in costs:
        match by:
            case "tenant":
                name = tenant
            case "version":
                name = f"{cost.flow}@{cost.version}"
            case _:
                name = str(getattr(cost, by))
        row = found.get(name)
        if row is None:
            row = found[name] = Spent(name=name)
        _add(row, cost, roots=by in _ROOTS)
    return _dearest(found.values())


def _add(row: Spent, cost: Cost, *, roots: bool) -> None:
    row.spend(cost.status, cost.day, cost.usage)
    if not (roots and cost.child):
        row.count(cost.status, cost.runs)


def _by_bills(bills: Iterable[Billed], by: str, whole: Spent) -> list[Spent]:
    """The groups, the rest of the whole among them; the whole gets what only bills say."""
    found: dict[str, Spent] = {}
    billed = Spent(name="")
    for each in bills:
        bill = each.bill
        name, runs = (bill.agent, each.of_agent) if by == "agent" else (bill.model, each.of_model)
        row = found.get(name)
        if row is None:
            row = found[name] = Spent(name=name)
        for one in (row, billed):
            one.spend(each.status, each.day, bill.usage)
            one.calls += bill.calls
            one.by_provider += bill.by_provider
            one.by_answers += bill.by_answers
        row.count(each.status, runs)
    whole.calls, whole.by_provider, whole.by_answers = billed.calls, billed.by_provider, billed.by_answers
    rest = Spent(name=UNBILLED, usage=_less(whole.usage, billed.usage), wasted=whole.wasted - billed.wasted)
    rest.days = {day: left for day, cost in whole.days.items() if (left := cost - billed.days.get(day, 0))}
    rows = _dearest(found.values())
    return [*rows, rest] if rest.usage.cost or rest.usage.tokens else rows


def _less(whole: Usage, part: Usage) -> Usage:
    """The rest, of what bills have: tokens, those that were cached, and money."""
    return Usage(
        whole.input_tokens - part.input_tokens,
        whole.output_tokens - part.output_tokens,
        whole.cost - part.cost,
        whole.cached_tokens - part.cached_tokens,
    )


def _dearest(rows: Iterable[Spent]) -> list[Spent]:
    return sorted(rows, key=lambda row: (-row.usage.cost, -row.runs, row.name))
