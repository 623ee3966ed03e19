"""Names that nobody uses any more leave nothing behind."""

import pytest

from callboard.resilience import in_process
from callboard.resilience.counters import Counters
from callboard.store.postgres import counters as postgres_counters
from callboard.store.sqlite import counters as sqlite_counters
from tests.conformance.counters.adapters import WINDOW, Adapter

HOUR = 3_600.0


async def test_what_says_nothing_any_more_is_dropped(
    counters: Counters, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(name: str) -> None:
        await counters.take(name, 1, 10, HOUR)
        await counters.enter(name, "anna", 2, HOUR)
        await counters.add(name, 1, WINDOW)

    for n in range(20):
        await use(f"old{n}")
    await counters.swap("kept", 0, b"1")
    assert await adapter.rows(counters) == 61
    await adapter.pass_time(3 * HOUR)
    for module in (in_process, sqlite_counters, postgres_counters):
        monkeypatch.setattr(module, "_SWEEP", 1)
    await use("new")
    assert await adapter.rows(counters) == 4
    assert (await counters.read("kept"))[1] == b"1"
    assert await counters.count("new", WINDOW) == 1
