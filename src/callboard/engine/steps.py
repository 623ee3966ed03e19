"""Steps: any function of the user as an effect, executed at least once."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from callboard.domain.event import EventKind
from callboard.domain.retry import Retry
from callboard.engine.branch import Branch
from callboard.engine.calls import Call
from callboard.engine.effect import Attempt, Effect
from callboard.engine.executing import Executing
from callboard.engine.replay import Move, Recorded
from callboard.engine.request import Request, decode_done, raised
from callboard.engine.shape import loaded, returned


class Step(Call):
    """Calls a function. Its effect is only made when there is something to execute: a replay makes a thousand steps."""

    __slots__ = ("_args", "_fn", "_heartbeat", "_policy", "_timeout")

    def __init__(
        self,
        execution: Executing,
        name: str,
        digest: bytes,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        timeout: float,
        retry: Retry,
        heartbeat: float | None = None,
    ) -> None:
        Request.__init__(self, execution, name, digest)
        self._owed = None
        self._begun = False
        self._fn = fn
        self._args = args
        self._timeout = timeout
        self._policy = retry
        self._heartbeat = heartbeat

    def recall(self, branch: Branch, place: str, move: Recorded) -> Any:
        """The recorded result."""
        event = move.event
        if event.kind is not EventKind.DONE:
            raise raised(branch, event, begun=self.begun(move))
        return loaded(decode_done(event.body).result, returned(self._fn))

    def perform(self, branch: Branch, place: str, move: Move) -> Coroutine[Any, Any, Any]:
        """Calls the function and journals what it returns."""
        self.full = False
        self.effect = Effect(
            self._run,
            timeout=self._timeout,
            retry=self._policy,
            shape=returned(self._fn),
            heartbeat=self._heartbeat,
        )
        return Call.perform(self, branch, place, move)

    def attempt(self, place: str, number: int) -> Attempt:
        """An attempt without an idempotency key: a step's function does not get it."""
        return Attempt(number, "", f"{place}:{self.name}")

    def _run(self, attempt: Attempt) -> Awaitable[Any]:
        if attempt.heartbeat is None:
            return called(self._fn, *self._args)
        return called(self._fn, *self._args, heartbeat=attempt.heartbeat)


async def called(fn: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
    """What a function of the user returns. One that is not async may block, so it runs in a thread."""
    if _is_async(fn):
        return await fn(*args, **named)
    result = await asyncio.to_thread(fn, *args, **named)
    return await result if inspect.isawaitable(result) else result


def _is_async(fn: Callable[..., Any]) -> bool:
    """What inspect says, whose ten calls a step can do without."""
    code = getattr(fn, "__code__", None)
    return inspect.iscoroutinefunction(fn) if code is None else bool(code.co_flags & inspect.CO_COROUTINE)
