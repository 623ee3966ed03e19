"""An author's function, and how it is called: once, under a time limit, its exceptions sorted by kind."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callboard.domain.errors import InputInvalid, ToolFailed
from callboard.domain.heartbeat import Heartbeat
from callboard.tools.contract import IdempotencyKey
from callboard.tools.outcome import failure_of


@dataclass(frozen=True, slots=True)
class Routine:
    """A function that a tool calls. `key` and `heartbeat` name the parameters that receive these, if any.

    A function that is not async runs in a thread. A thread cannot be stopped: at its time limit the call
    is given up, and the thread runs on to its end.
    """

    fn: Callable[..., Any]
    is_async: bool
    key: inspect.Parameter | None = None
    heartbeat: inspect.Parameter | None = None

    @classmethod
    def of(
        cls,
        fn: Callable[..., Any],
        key: inspect.Parameter | None = None,
        heartbeat: inspect.Parameter | None = None,
    ) -> "Routine":
        """Look at how the function wants to be called. Raises InputInvalid for a generator."""
        call = getattr(fn, "__call__", fn)  # noqa: B004 - of an object, its method is what may be async
        if any(inspect.isgeneratorfunction(f) or inspect.isasyncgenfunction(f) for f in (fn, call)):
            name = getattr(fn, "__name__", type(fn).__name__)
            raise InputInvalid(f"{name} is a generator", remedy="return the result as one value, a list say")
        return cls(fn, inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(call), key, heartbeat)

    def within(self, around: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]) -> "Routine":
        """The same function, called by `around`, which gets what calls it once; the time limit is around both."""

        async def fn(**arguments: Any) -> Any:
            return await around(lambda: self._run(arguments))

        return Routine(fn, True, self.key, self.heartbeat)

    async def call(
        self,
        tool: str,
        values: Mapping[str, Any],
        key: str | None,
        limit: float,
        heartbeat: Heartbeat | None = None,
    ) -> Any:
        """Call the function once and return what it returns.

        Args:
            tool: whose function it is, for messages.
            values: arguments by name.
            key: the idempotency key, for a function that takes one.
            limit: seconds.
            heartbeat: for a function that takes one; by default one that nobody listens to.

        Raises ToolFailed by kind, and InputInvalid when the function takes a key and there is none. A
        cancellation from outside goes through untouched.
        """
        arguments = self._with_key(tool, values, key)
        if self.heartbeat is not None:
            arguments = {**arguments, self.heartbeat.name: heartbeat or Heartbeat(lambda details: None)}
        timer = asyncio.timeout(limit)
        try:
            async with timer:
                return await self._run(arguments)
        except ToolFailed:  # from another tool that the function called; it says all already
            raise
        except asyncio.CancelledError as error:
            if _cancelled_from_outside():
                raise
            raise failure_of(tool, error, limit=limit, expired=timer.expired()) from error
        except (Exception, SystemExit) as error:  # a tool that exits must not take its worker along
            raise failure_of(tool, error, limit=limit, expired=timer.expired()) from error

    def _with_key(self, tool: str, values: Mapping[str, Any], key: str | None) -> Mapping[str, Any]:
        if self.key is None:
            return values
        if key is not None:
            return {**values, self.key.name: IdempotencyKey(key)}
        if self.key.default is inspect.Parameter.empty:
            raise InputInvalid(f"{tool} takes an idempotency key and was given none")
        return values

    async def _run(self, arguments: Mapping[str, Any]) -> Any:
        if self.is_async:
            return await self.fn(**arguments)
        result = await asyncio.to_thread(_in_thread, self.fn, arguments)
        # A decorator may hide that a function is async.
        return await result if inspect.isawaitable(result) else result


def _in_thread(fn: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    try:
        return fn(**arguments)
    except StopIteration as error:  # a future cannot carry it, and its caller would wait for ever
        raise RuntimeError("the function raised StopIteration") from error


def _cancelled_from_outside() -> bool:
    # Not so when the function awaited something of its own that had been cancelled.
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
