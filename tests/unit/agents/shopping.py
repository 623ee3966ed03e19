"""What the tests of tools and their upstreams share: a shop that fails on demand, and looks at its gate."""

from collections.abc import Callable
from typing import Any

import pytest

import callboard as cb
from callboard.agents.surroundings import Surroundings
from callboard.domain.event import EventKind
from callboard.engine.context import Context
from callboard.resilience.gate import Gate
from callboard.settings import EngineSettings
from callboard.testing import TestRuntime
from tests.unit.engine.play import events

CALL = "0:call"
QUICK = EngineSettings(sweep=0.05, beat=0.5, lease=5.0, window=0.1, drain=2.0)


class Shop:
    """The outside: fails as often as it is told, then answers; what was done there is counted by key."""

    def __init__(self, failures: int = 0, error: Callable[[], BaseException] = lambda: cb.UpstreamDown("503")) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    async def answer(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error()
        return f"answer {self.calls}"


def made_of(shop: Any, effect: str, *, upstream: dict[str, Any] | None = None, **contract: Any) -> cb.App:
    """An app with one tool, `call`, and a flow that calls it so many times, one after the other."""
    app = cb.App("tools")
    if upstream is not None:
        app.upstream("shop", **upstream)

    @app.tool(effect=effect, upstream="shop", **contract)
    async def call() -> str:
        """Calls the shop."""
        return str(await shop.answer())

    @app.flow
    async def flow(ctx: Context, times: int) -> list[str]:
        return [await call.call(ctx) for _ in range(times)]

    return app


def gate_of(test: TestRuntime, name: str = "shop") -> Gate:
    found: Surroundings = test.rt.services.carried[Surroundings]
    return found.upstreams.gate(name)


async def open_breaker(test: TestRuntime, name: str = "shop") -> None:
    """As five calls elsewhere would."""
    for _ in range(5):
        with pytest.raises(OSError):
            async with gate_of(test, name).enter():
                raise OSError("no route")


async def details(test: TestRuntime, handle: Any) -> list[dict[str, Any]]:
    """What the journal says about the attempts that failed for now."""
    return [e.value()["error"].get("detail", {}) for e in await events(test, handle) if e.kind is EventKind.RETRY]
