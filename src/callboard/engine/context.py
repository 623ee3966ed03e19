"""What a flow holds: the effects it may request."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NoReturn, TypeVar, TypeVarTuple, overload

from callboard.domain.attempted import Failed, Ok
from callboard.domain.codec import digest, encode
from callboard.domain.errors import Failure, FlowMisuse, InputInvalid
from callboard.domain.retry import NEVER, Retry
from callboard.domain.suspension import ContinueAsNew
from callboard.engine.calls import Call
from callboard.engine.children import Child, Mode, Spawn
from callboard.engine.effect import Effect, Guard
from callboard.engine.flow import Flow
from callboard.engine.marker import Marker
from callboard.engine.once import OnceCall
from callboard.engine.parallel import Gather, Race, TimeLimit
from callboard.engine.saga import RETRY, Saga
from callboard.engine.shape import Shape
from callboard.engine.standing import Standing
from callboard.engine.steps import Step
from callboard.engine.transaction import Transaction
from callboard.engine.waits import Ask, Decision, Signal, Sleep, Value
from callboard.store.journal import Isolation

T = TypeVar("T")
A = TypeVarTuple("A")


class Context(Standing):
    """The effects of one run. Everything that a flow does to the world or learns from it goes through here.

    Await effects in the flow itself or in functions it awaits; for parallel work use `gather`. When the run
    waits, its coroutine is dropped (`finally` blocks run, and may request nothing) and replayed later.
    """

    __slots__ = ()

    @overload
    def step(
        self,
        fn: Callable[[*A], Awaitable[T]],
        *args: *A,
        name: str | None = None,
        timeout: float | None = None,
        retry: Retry = NEVER,
    ) -> Awaitable[T]: ...
    @overload
    def step(
        self,
        fn: Callable[[*A], T],
        *args: *A,
        name: str | None = None,
        timeout: float | None = None,
        retry: Retry = NEVER,
    ) -> Awaitable[T]: ...
    @overload
    def step(
        self,
        fn: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        timeout: float | None = None,
        retry: Retry = NEVER,
        heartbeat: float,
    ) -> Awaitable[Any]: ...
    def step(
        self,
        fn: Callable[..., Any],
        *args: *A,
        name: str | None = None,
        timeout: float | None = None,
        retry: Retry = NEVER,
        heartbeat: float | None = None,
    ) -> Awaitable[Any]:
        """Calls a function and journals what it returns; a replay returns that instead of calling again.

        The function may be called again if the process dies before its result is journaled: for anything
        that must not happen twice use a tool. A function that is not async runs in a thread.

        Args:
            fn: what to call. Its return annotation, if any, is the type of the replayed result.
            args: its arguments, JSON-like: a digest of them is compared on replay.
            name: how the journal names it; the function's name by default.
            timeout: seconds, the settings' `step_timeout` by default.
            retry: how to repeat it when it raises.
            heartbeat: seconds; the function gets a Heartbeat as its argument `heartbeat` and must call it at
                least that often, or it is given up as TimedOut. What it says is there for its next attempt.

        Raises:
            StepFailed: it raised, or its result cannot be stored.
            TimedOut: the time limit was reached.
        """
        execution = self._execution
        limit = execution.services.settings.step_timeout if timeout is None else timeout
        asked = digest(args) if args else b""
        beat = None if heartbeat is None else _seconds(heartbeat)
        return Step(execution, name or str(getattr(fn, "__name__", "step")), asked, fn, args, limit, retry, beat)

    def transaction(
        self,
        fn: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        timeout: float | None = None,
        retry: Retry = NEVER,
        isolation: Literal["read_committed", "repeatable_read", "serializable"] = "read_committed",
    ) -> Awaitable[Any]:
        """Calls `fn(connection, *args)` in the transaction that journals its result: its rows are written exactly
        once, with no key needed, because they live in the store's own database.

        On PostgreSQL `fn` is asynchronous and gets an asyncpg connection inside a transaction; on SQLite it is a
        plain function, gets an apsw connection, and runs on the writing thread while all other writes wait.
        It must not commit, and should be quick: other effects of this run are journaled after it.

        Args:
            fn: what to call. When it raises, its writes are undone.
            args: its further arguments, JSON-like: a digest of them is compared on replay.
            name: how the journal names it; the function's name by default.
            timeout: seconds, half the settings' `lease` at most and by default.
            retry: how to repeat it when it raises. Deadlocks and serialization failures are repeated anyway.
            isolation: PostgreSQL's level; on SQLite every transaction is alone.

        Raises:
            StepFailed: it raised, or its result cannot be stored.
        """
        execution = self._execution
        longest = execution.services.settings.lease / 2
        limit = longest if timeout is None else min(_seconds(timeout), longest)
        asked = digest(args) if args else b""
        title = name or str(getattr(fn, "__name__", "transaction"))
        if isolation not in tuple(Isolation):
            raise InputInvalid(f"isolation={isolation!r} is unknown", remedy=f"use {', '.join(Isolation)}")
        return Transaction(execution, title, asked, fn, args, limit, retry, Isolation(isolation))

    def continue_as_new(self, input: Any) -> NoReturn:
        """Ends this journal and begins the flow anew with another input, under the same run id.

        For flows that never end: the journal that is loaded and replayed stays short. Signals that were not
        consumed stay; children that are attached are cancelled, as at the end of a run. Call it in the flow
        itself, when nothing is in flight.

        Raises InputInvalid when the input does not fit, FlowMisuse inside gather, race, timeout or a saga.
        """
        execution = self._execution
        branch = self._branch("continue_as_new")
        if branch is not execution.root:
            raise FlowMisuse(
                "continue_as_new was called in a branch",
                why="other branches of this run are still in flight",
                remedy="return from gather, race or timeout first",
            )
        if branch.saga is not None:
            raise FlowMisuse(
                "continue_as_new was called in a saga",
                why="the new journal would not know what the saga has to undo",
                remedy="leave the `async with ctx.saga()` block first",
            )
        raise ContinueAsNew(execution.renewal(input))

    def saga(self, *, retry: Retry = RETRY) -> Saga:
        """`async with ctx.saga() as saga:` undoes what was done in the block when a failure or a cancel leaves it.

        In reverse order, each once, with a key of its own; `retry` says how often a compensation is tried before a
        person is asked. Then the original failure goes on, or CompensationFailed when a person gave something up.
        """
        return Saga(self._execution, self._branch, retry)

    def effect(self, name: str, asked: bytes, effect: Effect, *, full: bool = False) -> Awaitable[Any]:
        """Requests an effect under a guard; what tools and model calls are built on.

        `asked` is a digest over what the effect is asked to do. With `full`, an Outcome is returned.
        """
        kind = OnceCall if effect.guard is Guard.ONCE else Call
        return kind(self._execution, name, asked, effect, full=full)

    def gather(self, *work: Awaitable[Any]) -> Awaitable[list[Any]]:
        """Runs effects or coroutines side by side; all of them settle.

        Returns their values in order, or raises the failure of the first in order that failed.
        """
        return Gather(self._execution, work)

    def race(self, *work: Awaitable[Any]) -> Awaitable[tuple[int, Any]]:
        """Runs effects or coroutines side by side until one ends; the others are cancelled.

        Returns the index and the value of the one that ended first, or raises its failure. A `once` call in
        flight in a losing branch settles first.
        """
        if not work:
            raise InputInvalid("race() was given nothing to run", remedy="give it at least one effect")
        return Race(self._execution, work)

    def timeout(self, seconds: float, work: Awaitable[T]) -> Awaitable[T]:
        """Runs an effect or a coroutine for so many seconds at most, counted across waits and crashes.

        Raises TimedOut when the time is up; what was in flight is cancelled.
        """
        return TimeLimit(self._execution, _seconds(seconds), work)

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Waits. A long wait costs no memory anywhere."""
        return Sleep(self._execution, _seconds(seconds))

    def sleep_until(self, when: float) -> Awaitable[None]:
        """Waits until a time in seconds since the Unix epoch."""
        return Sleep(self._execution, 0.0, _seconds(when))

    @overload
    def wait(self, signal: str, *, timeout: float | None = None) -> Awaitable[Any]: ...
    @overload
    def wait(self, signal: str, *, timeout: float | None = None, type: type[T]) -> Awaitable[T]: ...
    def wait(self, signal: str, *, timeout: float | None = None, type: Any = Any) -> Awaitable[Any]:
        """Waits for a signal of that name, for `timeout` seconds at most, and returns its value.

        Signals of one name are consumed in the order in which they were sent; one that came early is kept.
        Raises TimedOut.
        """
        shape = None if type is Any else Shape(type, f"the signal {signal!r}")
        seconds = None if timeout is None else _seconds(timeout)
        return Signal(self._execution, signal, seconds, shape)

    def ask(
        self, proposal: Any, *, timeout: float | None = None, otherwise: Literal["reject", "approve", "fail"] = "reject"
    ) -> Awaitable[Decision]:
        """Asks a person to approve, reject or edit a proposal, and returns the Decision.

        Args:
            proposal: what they decide about, JSON-like.
            timeout: seconds after which nobody can decide any more.
            otherwise: what counts then: `reject` (the decision's status is `expired`), `approve`, or `fail`
                (TimedOut is raised).
        """
        if otherwise not in ("reject", "approve", "fail"):
            raise InputInvalid(f"otherwise={otherwise!r} is unknown", remedy="use reject, approve or fail")
        seconds = None if timeout is None else _seconds(timeout)
        return Ask(self._execution, encode(proposal, "the proposal"), digest(proposal), seconds, otherwise)

    @overload
    def spawn(
        self, flow: Any, input: Any, *, labels: dict[str, str] | None = None, partial_ok: bool = False
    ) -> Awaitable[Any]: ...
    @overload
    def spawn(
        self, flow: Any, input: Any, *, mode: Literal["attached", "detached"], labels: dict[str, str] | None = None
    ) -> Awaitable[Child]: ...
    def spawn(
        self,
        flow: Any,
        input: Any,
        *,
        mode: str = "await",
        labels: dict[str, str] | None = None,
        partial_ok: bool = False,
    ) -> Awaitable[Any]:
        """Starts a child run.

        Args:
            flow: a flow or an agent.
            input: its input.
            mode: `await` waits for its output, which is returned; ChildFailed is raised when it did not
                succeed. `attached` returns a Child at once, and cancels it when this run ends before it.
                `detached` returns a Child that lives on by itself.
            labels: labels of the child.
            partial_ok: take a Partial for an output too; else Incomplete is raised.
        """
        target = flow if isinstance(flow, Flow) else getattr(flow, "flow", None)
        if not isinstance(target, Flow):
            raise InputInvalid(f"{flow!r} is neither a flow nor an agent", remedy="decorate it with @app.flow")
        if mode not in tuple(Mode):
            raise InputInvalid(f"mode={mode!r} is unknown", remedy="use await, attached or detached")
        return Spawn(self._execution, target, input, Mode(mode), labels, partial_ok)

    async def attempt(self, work: Awaitable[T]) -> Ok[T] | Failed:
        """Awaits an effect or a coroutine; its failure is a value instead of an exception.

        Only failures that are a part of the run's history (tools, steps, agents, child runs, time limits) become
        values: a mistake in the flow, a cancel and a run that parks go through.
        """
        try:
            return Ok(await work)
        except Failure as failure:
            return Failed(failure)

    def now(self) -> Awaitable[float]:
        """The time, in seconds since the Unix epoch; the same again on replay."""
        return Value(self._execution, "now", self._execution.services.clock.now)

    def random(self) -> Awaitable[float]:
        """A random number in [0, 1); the same again on replay."""
        return Value(self._execution, "random", self._execution.services.chance.random)

    def uuid(self) -> Awaitable[str]:
        """A fresh random UUID as text; the same again on replay."""
        bits = self._execution.services.chance.getrandbits
        return Value(self._execution, "uuid", lambda: str(uuid.UUID(int=bits(128), version=4)))

    def label(self, **labels: str) -> Awaitable[None]:
        """Sets labels on the run, by which it can be found."""
        texts = {name: str(value) for name, value in labels.items()}
        value = Value(self._execution, "label", lambda: None, texts)
        value.digest = digest(texts)
        return value

    async def patched(self, name: str) -> bool:
        """True in runs that reach this point under code that has the change `name`, False in older ones.

        Guard a change with it, and runs that were recorded before the change still replay.
        """
        execution = self._execution
        branch = self._branch(f"patched {name}")
        known = execution.replay.patched(name, branch.scope.peek())
        if known is None:
            execution.replay.settle_patch(name)
            await Marker(execution, name)
            known = True
        return known


def _seconds(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e10:
        raise InputInvalid(
            f"{value!r} is not a number of seconds", remedy="give a number from 0 to 10 thousand million"
        )
    return float(value)
