"""Effects that write the user's own rows in the very transaction that journals them."""

from collections.abc import Callable
from typing import Any

from callboard.domain.codec import clean, encode
from callboard.domain.errors import CallboardError, Failure, StepFailed, StoreError
from callboard.domain.event import Event, EventKind
from callboard.domain.retry import Retry
from callboard.domain.usage import NOTHING
from callboard.domain.words import words
from callboard.engine.branch import Branch
from callboard.engine.calls import Call
from callboard.engine.effect import Attempt, Effect
from callboard.engine.executing import Executing
from callboard.engine.replay import Move, New
from callboard.engine.request import decode_done, done_body
from callboard.engine.shape import returned
from callboard.store.journal import Isolation


class Transaction(Call):
    """Calls a function with a connection. It happens exactly once: its rows and its outcome are one commit."""

    __slots__ = ("_args", "_fn", "_isolation", "_limit")

    def __init__(
        self,
        execution: Executing,
        name: str,
        digest: bytes,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        limit: float,
        retry: Retry,
        isolation: Isolation,
    ) -> None:
        super().__init__(execution, name, digest, Effect(self._never, retry=retry, shape=returned(fn)))
        self._fn = fn
        self._args = args
        self._limit = limit
        self._isolation = isolation

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Calls the function; its failures are journaled and tried again as its retry allows."""
        assert isinstance(move, New)
        attempt = self.attempt(place, len(move.retries) + 1)
        if move.retries:
            await self._back_off(branch, move.retries[-1])
        while True:
            self.execution.check(branch)
            event = await self._attempt(branch, attempt)
            if event.kind is EventKind.DONE:
                return self._value(decode_done(event.body).result, event.path, event.at / 1e6, event.took, NOTHING)
            await self._back_off(branch, event)
            attempt.number += 1

    async def _attempt(self, branch: Branch, attempt: Attempt) -> Event:
        """Calls the function once; returns the event that was journaled, DONE or RETRY. Raises Failure, StoreError."""
        written: list[Event] = []

        def outcome(seq: int, result: Any) -> Event:
            written.append(self._outcome(seq, attempt, result))
            return written[-1]

        branch.shielded = True  # a commit is not taken back: a cancel waits for the short time that it takes
        try:
            await self.execution.transact(
                lambda connection: self._fn(connection, *self._args), outcome, self._limit, self._isolation
            )
        except StoreError:
            raise
        except Exception as error:
            if not written or written[-1].kind is not EventKind.RETRY:
                raise self._failed(error, attempt.path) from error
        finally:
            branch.shielded = False
        return written[-1]

    def _outcome(self, seq: int, attempt: Attempt, result: Any) -> Event:
        """The event for what the function returned, or for what it raised."""
        at = int(self.execution.services.clock.now() * 1e6)
        if isinstance(result, BaseException):
            failure = self._failed(result, attempt.path)
            kind, body = EventKind.FAILED, encode(failure.record())
            if attempt.number < self.effect.retry.attempts:
                wait = self.effect.retry.wait(attempt.number, self.execution.services.chance.random())
                kind = EventKind.RETRY
                body = encode({"attempt": attempt.number, "due": at / 1e6 + wait, "error": failure.record()})
        else:
            kind, body = EventKind.DONE, done_body(self.encoded(result, attempt.path))
        return Event(seq, kind, attempt.path, self.digest, at, 0, body)

    def _failed(self, error: BaseException, path: str) -> Failure:
        if isinstance(error, Failure):
            error.path = path
            return error
        kind = type(error).__name__
        said = str(error) if isinstance(error, CallboardError) else f"{kind}: {words(error)}"
        return StepFailed(clean(f"{self.name} raised {said}"), path=path, detail={"type": kind})

    async def _never(self, attempt: Attempt) -> Any:
        raise AssertionError("a transaction is executed by the store")
