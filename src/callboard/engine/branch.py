"""Where in a run a piece of code stands: scopes number effects, branches are what runs in parallel."""

import asyncio
from typing import Any

from callboard.engine.call_limit import CallLimit


class Scope:
    """Numbers the effects requested in it, one after the other. `depth` counts the scopes opened around it, `notes`
    is what is remembered for as long as it lasts."""

    __slots__ = ("_next", "_notes", "depth", "prefix")

    def __init__(self, prefix: str, depth: int = 0) -> None:
        self.prefix = prefix
        self.depth = depth
        self._next = 0
        self._notes: dict[str, Any] | None = None

    @property
    def notes(self) -> dict[str, Any]:
        """What is remembered here, by name."""
        if self._notes is None:
            self._notes = {}
        return self._notes

    def take(self) -> str:
        """The place of the next effect."""
        place = f"{self.prefix}{self._next}"
        self._next += 1
        return place

    def peek(self) -> str:
        """The place that the next effect will have."""
        return f"{self.prefix}{self._next}"


class Branch:
    """One line of execution of a run: the run itself, or one of several parallel parts of it.

    Attributes:
        scope: where its next effect stands.
        task: what drives it.
        interrupt: why its effect in flight is being cancelled, when Callboard does it.
        cancelled: it was told that it is cancelled; effects it requests after that are clean-up and run.
        doomed: it is to be told so at its next effect.
        calling: a function of the user is in flight for it.
        limit: how long that may take.
        shielded: its effect in flight must settle first.
        deadline: the nearest end of a `ctx.timeout` around it, in epoch seconds.
        saga: the innermost open saga that it belongs to.
        past: it has lost and is only replayed, for what it had done.
    """

    __slots__ = (
        "calling", "cancelled", "children", "deadline", "doomed", "error", "interrupt", "limit", "past", "saga",
        "scope", "shielded", "task", "value", "waiter",
    )  # fmt: skip

    def __init__(self, prefix: str, deadline: float | None = None, depth: int = 0) -> None:
        self.scope = Scope(prefix, depth)
        self.deadline = deadline
        self.task: asyncio.Task[Any] | None = None
        self.interrupt: str | None = None
        self.cancelled = False
        self.doomed: str | None = None
        self.shielded = False
        self.calling = False
        self.limit = CallLimit()
        self.children: list[Branch] = []
        self.waiter: Any = None
        self.value: Any = None
        self.error: BaseException | None = None
        self.saga: Any = None
        self.past = False
