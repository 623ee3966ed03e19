"""What requests need of the execution that performs them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Protocol

from callboard.domain.budget import Refusal
from callboard.domain.event import Event, EventKind
from callboard.domain.run import Run
from callboard.domain.suspension import Parked
from callboard.engine.branch import Branch
from callboard.engine.mailbox import Mailbox
from callboard.engine.replay import Replay
from callboard.engine.services import Services
from callboard.store.claims import Claim
from callboard.store.journal import Extras, Isolation
from callboard.store.runs import Blocked


class Executing(Protocol):
    """A run in memory, as its effects see it; `execution.py` says what each member does."""

    claim: Claim
    run: Run
    base: int
    since: int
    services: Services
    replay: Replay
    mailbox: Mailbox
    current: Branch | None
    running: int
    stopping: Parked | None
    parking: asyncio.Task[None] | None
    children: bool
    undoing: int
    kept: list[Event] | None
    root: Branch

    def record(
        self, kind: EventKind, path: str, digest: bytes, body: bytes, took: int = 0, extras: Extras | None = None
    ) -> Awaitable[Refusal | None]:
        """Appends the run's next event; returns the refusal of what the extras wanted to hold, if it was refused."""
        ...

    def transact(
        self, do: Callable[[Any], Any], outcome: Callable[[int, Any], Event], limit: float, isolation: Isolation
    ) -> Awaitable[Any]:
        """Calls a function with a connection and appends its outcome in the same transaction."""
        ...

    async def drive(self, branch: Branch, coro: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine to its end, answering what it requests."""
        ...

    async def wait(self, branch: Branch, name: str | None, due: float | None) -> Any:
        """Waits for a letter or a time."""
        ...

    def check(self, branch: Branch) -> None:
        """Raises Interrupted when the branch is cancelled."""
        ...

    def idle(self, change: int = 1) -> None:
        """A branch has stopped moving."""
        ...

    def interrupt(self, branch: Branch, reason: str) -> None:
        """Cancels a branch."""
        ...

    def block(self, blocked: Blocked) -> Parked:
        """The journal and the code disagree."""
        ...

    def refuse(self, name: str) -> Generator[Any, Any, Branch]:
        """Refuses a request."""
        ...

    def renewal(self, value: Any) -> bytes:
        """The input for a run that begins anew, checked and encoded."""
        ...

    def announce(self, run_id: str) -> None:
        """Rings for another run."""
        ...
