"""A limit of calls that a fleet shares is kept to the call: runs ask by the hundred, in several processes."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from callboard.domain.budget import Amount
from tests.fleet.till import Told, reasons, till


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_of_a_hundred_runs_as_many_call_as_the_tenant_may(
    store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    if store == "postgres":
        new_database: Callable[..., str] = request.getfixturevalue("new_database")
        url = new_database("calls")
    told = Told(store=url, folder=str(tmp_path), budgets=({"scope": "tenant", "calls": 37},), latency=0.02)
    async with till(told) as company:
        company.start(3)
        handles = [await company.door.start("ask", f"question {n}") for n in range(100)]
        outcomes = await company.finish(handles)
        assert company.ledger.calls == 37
        assert outcomes.count("done") == 37
        assert Counter(reasons(outcomes)) == {"budget: tenant * calls": 63}
        balance = (await company.door.store.budgets.balances("default", ["tenant"]))["tenant"]
        assert balance.used.calls == 37
        assert balance.held == Amount()
        assert balance.used.cost == company.ledger.micros
