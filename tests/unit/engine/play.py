"""What the tests of the engine share: a step that stops on demand, looks at journals, deaths and returns.

Times pass by hand, so that a machine that stands still for a while changes nothing.
"""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import callboard as cb
from callboard.domain.event import Event, EventKind
from callboard.domain.run import Run
from callboard.store.approvals import Approval, ApprovalStatus
from callboard.testing import TestRuntime, WindingClock

TENANT = "default"


class Gate:
    """A step or tool that stops until the test opens it; `passed` counts how often it was entered."""

    def __init__(self, result: Any = "through") -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.entered = 0
        self._result = result

    async def enter(self) -> Any:
        """Says that it was reached and waits."""
        self.entered += 1
        self.reached.set()
        await self.opened.wait()
        return self._result


class Counter:
    """A step that counts its calls and returns the count."""

    def __init__(self) -> None:
        self.calls = 0

    async def count(self) -> int:
        """One more."""
        self.calls += 1
        return self.calls


class LateClock(WindingClock):
    """A winding clock whose monotonic time can be moved ahead as well, by adding to `late` (seconds)."""

    def __init__(self) -> None:
        super().__init__()
        self.late = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.late

    async def pass_by(self, seconds: float) -> None:
        """So much monotonic time passes."""
        self.late += seconds


async def let_pass(seconds: float) -> None:
    """That much time passes at once for all timers of the running loop, and those that are due ring."""
    loop: Any = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds
    for _ in range(3):  # who was called back may have more to say
        await asyncio.sleep(0)


async def until(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Waits until something is true, which may have to be awaited, and returns it."""
    async with asyncio.timeout(seconds):
        while True:
            found = what()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.002)


async def events(test: TestRuntime, handle: cb.RunHandle) -> list[Event]:
    """The run's journal."""
    return await test.rt.store.journal.read(handle.tenant, handle.id)


async def story(test: TestRuntime, handle: cb.RunHandle) -> list[str]:
    """The run's journal as texts such as `done 0:step`."""
    return [f"{e.kind.label} {e.path}".strip() for e in await events(test, handle)]


async def kinds(test: TestRuntime, handle: cb.RunHandle, path: str) -> list[EventKind]:
    """What the journal says about one effect."""
    return [e.kind for e in await events(test, handle) if e.path == path]


async def die_and_return(test: TestRuntime, handle: cb.RunHandle) -> cb.RunHandle:
    """Kills the worker, starts another, and returns a handle on the same run there."""
    await test.kill()
    await test.restart()
    return test.rt.handle(handle.id, tenant=handle.tenant)


async def open_question(test: TestRuntime, handle: cb.RunHandle) -> Approval:
    """The run's one open question."""
    await test.settle()
    found = await test.rt.store.approvals.find(handle.tenant, status=ApprovalStatus.OPEN, run_id=handle.id)
    assert len(found) == 1, found
    return found[0]


async def decide(
    test: TestRuntime, handle: cb.RunHandle, status: str, value: Any = None, by: str = "anna", note: str = ""
) -> None:
    """Answers the run's one open question."""
    question = await open_question(test, handle)
    await test.rt.commands.decide(handle.tenant, question.id, status, value=value, by=by, note=note)


async def requeue(test: TestRuntime, handle: cb.RunHandle) -> Run:
    """Asks a blocked, failed or dead run to go on."""
    return await test.rt.commands.requeue(handle.tenant, handle.id, "mended")


async def failure(handle: cb.RunHandle, timeout: float = 30.0) -> Any:
    """The typed error that ended the run."""
    try:
        output = await handle.result(timeout=timeout)
    except cb.RunFailed as failed:
        return failed.error
    raise AssertionError(f"the run succeeded with {output!r}")
