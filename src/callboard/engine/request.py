"""What a flow awaits: a request that the journal answers, or that is performed and then journaled."""

from collections.abc import Generator
from typing import Any

import msgspec

from callboard.domain.bill import FREE, Bill
from callboard.domain.errors import Abandoned, failure_from
from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.domain.suspension import Cancelled
from callboard.engine.branch import Branch
from callboard.engine.executing import Executing
from callboard.engine.replay import Move, Open, Recorded

_error = msgspec.json.Decoder(ErrorRecord)


class Done(msgspec.Struct, omit_defaults=True):
    """The body of a DONE event: the result, what was asked where no intent says so, and what was unusual about it."""

    result: Any = None
    asked: Any = None
    about: Any = None


decode_done = msgspec.json.Decoder(Done).decode


class Interrupted(Exception):
    """Inside the engine: the effect in flight is being cancelled by Callboard itself."""


class Request:
    """One effect, awaited in a flow. Its place is taken when it is awaited, not when it is made."""

    __slots__ = ("digest", "execution", "name")

    def __init__(self, execution: Executing, name: str, digest: bytes = b"") -> None:
        self.execution = execution
        self.name = name
        self.digest = digest

    def __await__(self) -> Generator[Any, Any, Any]:
        execution = self.execution
        branch = execution.current
        if branch is None or execution.stopping is not None:
            self.drop()
            branch = yield from execution.refuse(self.name)
        place = branch.scope.take()
        move = execution.replay.answer(place, self.name, self.digest, holds_branches=self.drives)
        if type(move) is Recorded and not self.drives:
            return self.recall(branch, place, move)
        return (yield (self, place, move))

    # True for requests whose recorded outcome still needs branches to be driven (race, timeout).
    drives = False

    def recall(self, branch: Branch, place: str, move: Recorded) -> Any:
        """The recorded outcome: returned, or raised as it was raised the first time."""
        event = move.event
        if event.kind is EventKind.DONE:
            return self.load(decode_done(event.body).result, event)
        raise raised(branch, event)

    def load(self, result: Any, event: Event) -> Any:
        """The stored result as the flow gets it."""
        return result

    def settles_first(self, move: Move) -> bool:
        """True when a cancel has to wait until this effect has settled."""
        return False

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Does what was asked and journals it; returns what the flow gets. `move` is New or Open."""
        raise NotImplementedError

    def begun(self, move: Move) -> bool:
        """True when this effect may have happened, although its outcome is that it was cancelled."""
        return False

    def owed(self, move: Move) -> Bill:
        """What an attempt that is cut off had reserved, and is charged for."""
        return FREE

    def drop(self) -> None:
        """It will not be performed: lets go of what it holds."""

    async def withdraw(self, branch: Branch, place: str, move: Move) -> None:
        """Undoes what waits outside for this effect, when it is cancelled while it waits."""


def raised(branch: Branch, event: Event, *, begun: bool = False) -> BaseException:
    """The error of a recorded outcome that was not a success."""
    if event.kind is EventKind.FAILED:
        return failure_from(_error.decode(event.body))
    if event.kind is EventKind.CANCELLED:
        branch.cancelled = True
        branch.doomed = str(msgspec.json.decode(event.body))
        return Cancelled(branch.doomed, begun=begun)
    return abandoned(event.path)


def abandoned(path: str) -> Abandoned:
    """The error of an effect that something outside cancelled; the same each time it is replayed."""
    return Abandoned(
        f"the effect {path} was cancelled from outside",
        path=path,
        why="a plain asyncio.timeout or task.cancel around an effect cannot be replayed",
        remedy="use ctx.timeout or ctx.race",
    )


def done_body(result: bytes, asked: Any = None, about: Any = None) -> bytes:
    """The body of a DONE event around an encoded result."""
    body = b'{"result":' + result
    if asked is not None:
        body += b',"asked":' + msgspec.json.encode(asked)
    if about is not None:
        body += b',"about":' + msgspec.json.encode(about)
    return body + b"}"


def last_intent(move: Move) -> dict[str, Any]:
    """The body of the open intent, or an empty dict."""
    if type(move) is not Open:
        return {}
    body: dict[str, Any] = msgspec.json.decode(move.intents[-1].body)
    return body
