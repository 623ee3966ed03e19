"""What the tests of sagas share: a world that remembers what was done and undone, and runs that fail."""

from typing import Any

import callboard as cb
from callboard.testing import runtime
from tests.unit.engine.play import failure, story

AT_ONCE = cb.Retry(attempts=2, first=0.0)


class World:
    """What is outside: a log of what was done and undone, by key."""

    def __init__(self, **broken: int) -> None:
        self.log: list[str] = []
        self.keys: dict[str, str] = {}
        self.told: list[Any] = []
        self._broken = broken

    async def do(self, what: str, key: str) -> str:
        self.log.append(what)
        self.keys[what] = key
        return what.upper()

    async def undo(self, what: str, key: str, original_key: str, result: Any) -> None:
        if self._broken.get(what):
            self._broken[what] -= 1
            self.log.append(f"cannot undo {what}")
            raise RuntimeError("out of order")
        assert original_key == self.keys.get(what, original_key)
        assert key != original_key
        self.log.append(f"undo {what}")
        self.told.append(result)

    async def fail(self) -> None:
        raise ValueError("broken")

    def both(self, saga: Any, what: str) -> Any:
        return saga.step(self.do, self.undo, what)


def app_of(flow: Any) -> cb.App:
    app = cb.App("saga")
    app.flow(flow)
    return app


async def run(flow: Any) -> tuple[Any, list[str]]:
    """The error that ended the flow, and its journal."""
    app = app_of(flow)
    async with runtime(app) as test:
        handle = await test.start(next(iter(app.flows())))
        await test.wind(seconds=600)
        return await failure(handle), await story(test, handle)
