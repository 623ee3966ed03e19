"""What runs cost, summed. By flow, day and tenant from the rows of runs, which is cheap; by model and agent from their
journals, which is not. Money in dollars."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from callboard.domain.event import Event, EventKind
from callboard.domain.run import Run, RunStatus
from callboard.domain.usage import NOTHING, Usage
from callboard.models import ModelResponse
from callboard.store.runs import Cost
from callboard.store.store import Store

TOTAL = "all"
_PAGE = 500
_MICROS = 1_000_000
_WASTED = frozenset({RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.DEAD})
_EVENTS = 5_000  # of one journal at a time


class Costs:
    """For doors of operators, who see all tenants."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def by_rows(
        self,
        tenants: Sequence[str],
        since: float,
        by: str,
        seen: Callable[[str, str], bool] = lambda tenant, flow: True,
    ) -> list[dict[str, Any]]:
        """Sums over the runs that ended since (epoch seconds), by `flow`, `day` or `tenant`, and a total.

        Each run counts with its own money. A total counts as runs those that no other run started, so that what they
        cost together with the runs below them is divided by how many of them succeeded; a flow counts all its runs.
        What `seen` says no to, by tenant and flow, is left out.
        """
        groups: dict[str, list[Cost]] = {}
        for tenant in dict.fromkeys(tenants):
            for cost in await self._store.runs.costs(tenant, since):
                if not seen(tenant, cost.flow):
                    continue
                name = tenant if by == "tenant" else str(getattr(cost, by))
                groups.setdefault(name, []).append(cost)
        found = [{by: name} | summed(costs, roots=by != "flow") for name, costs in sorted(groups.items())]
        whole = [cost for costs in groups.values() for cost in costs]
        return [*found, {by: TOTAL} | summed(whole, roots=True)] if len(found) > 1 or not found else found

    async def by_journals(
        self,
        tenants: Sequence[str],
        since: float,
        by: str,
        limit: int,
        seen: Callable[[str, str], bool] = lambda tenant, flow: True,
    ) -> tuple[list[dict[str, Any]], bool]:
        """Sums over calls of models by `model` or `agent`, and whether there was more to read.

        As the journals of the newest `limit` runs of each tenant say that began since (epoch seconds), ended or not,
        without those that `seen` says no to, by tenant and flow.
        """
        groups: dict[str, _Calls] = {}
        more = False
        for tenant in dict.fromkeys(tenants):
            read, before = 0, None
            while page := await self._store.runs.find(tenant, before=before, limit=min(_PAGE, limit - read) or 1):
                recent = [run for run in page if run.created_at >= since]
                if read == limit:
                    more = more or bool(recent)
                    break
                for run in recent:
                    if not seen(tenant, run.flow):
                        continue
                    await _read(self._store, run, by, groups)
                read, before = read + len(recent), page[-1].id
                if len(recent) < len(page):
                    break
        return [{by: name} | calls.figures() for name, calls in sorted(groups.items())], more


def summed(costs: Iterable[Cost], *, roots: bool) -> dict[str, Any]:
    """The figures of runs together; with `roots`, runs that another one started are no runs of their own."""
    usage, wasted, runs, succeeded = NOTHING, 0, 0, 0
    for cost in costs:
        usage += cost.usage
        wasted += cost.usage.cost if cost.status in _WASTED else 0
        if not (roots and cost.child):
            runs += cost.runs
            succeeded += cost.runs if cost.status is RunStatus.SUCCEEDED else 0
    return {
        "runs": runs,
        "succeeded": succeeded,
        "cost_usd": usage.cost / _MICROS,
        "cost_per_success_usd": usage.cost / succeeded / _MICROS if succeeded else None,
        "tokens": usage.tokens,
        "cached_share": _cached(usage),
        "wasted_usd": wasted / _MICROS,
    }


@dataclass(slots=True)
class _Calls:
    """Calls of one model, or by one agent."""

    calls: int = 0
    usage: Usage = NOTHING
    by_provider: int = 0
    by_answers: int = 0
    wasted: int = 0
    runs: set[str] = field(default_factory=set)

    def figures(self) -> dict[str, Any]:
        """As they are printed."""
        return {
            "calls": self.calls,
            "runs": len(self.runs),
            "cost_usd": self.usage.cost / _MICROS,
            "tokens": self.usage.tokens,
            "cached_share": _cached(self.usage),
            "saved_by_provider_usd": self.by_provider / _MICROS,
            "saved_by_answers_usd": self.by_answers / _MICROS,
            "wasted_usd": self.wasted / _MICROS,
        }


async def _read(store: Store, run: Run, by: str, groups: dict[str, _Calls]) -> None:
    agents: dict[str, str] = {}
    after = -1
    while events := await store.journal.read(run.tenant, run.id, after=after, limit=_EVENTS):
        for path, agent in _asked(events):
            agents[path] = agent
        for event in events:
            response = _answer(event)
            if response is None:
                continue
            name = f"{response.provider}:{response.model}" if response.provider else response.model
            if by == "agent":
                name = agents.get(event.path, run.flow)
            _add(groups.setdefault(name or "unknown", _Calls()), run, response)
        after = events[-1].seq


def _add(calls: _Calls, run: Run, response: ModelResponse) -> None:
    usage, price = response.usage, response.price
    calls.runs.add(run.id)
    calls.wasted += usage.cost if run.status in _WASTED else 0
    if response.cached:
        calls.by_answers += 0 if response.saved is None else response.saved.cost
        return
    calls.calls += 1
    calls.usage += usage
    if price is not None:  # what the provider had not kept would have cost as much as what it had not
        unkept = msgspec.structs.replace(usage, cached_tokens=0, written_tokens=0)
        calls.by_provider += price.of(unkept) - price.of(usage)


def _asked(events: Iterable[Event]) -> Iterator[tuple[str, str]]:
    """Which agent asked, by the path of the call."""
    for event in events:
        if event.kind is EventKind.INTENT and event.path.endswith(":model"):
            note = event.value().get("note")
            if isinstance(note, dict) and note.get("agent"):
                yield event.path, str(note["agent"])


def _answer(event: Event) -> ModelResponse | None:
    if event.kind is not EventKind.DONE or not event.path.endswith(":model"):
        return None
    try:
        return msgspec.convert(event.value()["result"], ModelResponse)
    except (msgspec.ValidationError, KeyError, TypeError):  # a step of that name
        return None


def _cached(usage: Usage) -> float | None:
    return usage.cached_tokens / usage.input_tokens if usage.input_tokens else None
