"""Kills at every commit: the test that a flow of yours is worth its durability."""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from callboard.domain.errors import CallboardError, RunFailed, StoreError
from callboard.runtime import Flows
from callboard.testing.runtime import runtime

_TICK = 0.001  # seconds between looks whether it has died


class Death(StoreError):
    """The simulated end of a process: from now on nothing can be written."""


class Dying:
    """A fault hook that lets so many commits through, then nothing more."""

    def __init__(self, commits: int | None) -> None:
        self._left = commits
        self.commits = 0
        self.dead = False

    def __call__(self, point: str) -> None:
        """Counts a commit, or refuses it."""
        if point == "before_commit":
            if self._left is not None and self.commits >= self._left:
                self.dead = True
                raise Death("the process has died")
            self.commits += 1


async def survives_kills(
    app: Flows, flow: Any, input: Any = None, *, check: Callable[[Any], None] | None = None, most: int = 500
) -> int:
    """Runs a flow undisturbed, then once for each commit it made, dying after that commit and resuming.

    Every resumed run must end as the undisturbed one did; `check`, if given, is called with each output, so
    that a test can also look at what the flow did to the outside.

    Args:
        app: the App.
        flow: a flow or an agent of it that ends without signals or people.
        input: its input.
        check: raises if something is wrong.
        most: kill points to try at most.

    Returns how many kill points there were. Raises AssertionError when an outcome differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        counter = Dying(None)
        undisturbed = await _outcome(app, flow, input, Path(folder, "whole.db"), counter)
        points = min(counter.commits, most)
        for point in range(1, points):
            path = Path(folder, f"{point}.db")
            await _die(app, flow, input, path, Dying(point))
            outcome = await _outcome(app, flow, input, path, None)
            if outcome != undisturbed:
                raise AssertionError(f"killed after commit {point}: {outcome!r} instead of {undisturbed!r}")
            if check is not None:
                check(outcome)
        return points


async def _outcome(app: Flows, flow: Any, input: Any, path: Path, fault: Any) -> Any:
    async with runtime(app, path, fault=fault) as test:
        try:
            return await (await test.start(flow, input, key="crash")).result(timeout=30.0)
        except RunFailed as failed:
            return f"{failed.status}: {failed.error.code}: {failed.error}"
        except CallboardError as error:
            return error.code


async def _die(app: Flows, flow: Any, input: Any, path: Path, dying: Dying) -> None:
    with contextlib.suppress(CallboardError):
        async with runtime(app, path, fault=dying) as test:
            with contextlib.suppress(CallboardError):
                handle = await test.start(flow, input, key="crash")
                while not dying.dead and not (await handle.status()).ended:  # noqa: ASYNC110 - a thread sets it
                    await asyncio.sleep(_TICK)
            await test.kill()
