"""Parallel branches: gather, race and time limits. Each branch has a scope of its own, so order cannot break replay."""

from collections.abc import Awaitable, Sequence
from typing import Any

from callboard.domain.codec import encode
from callboard.domain.errors import TimedOut
from callboard.domain.event import EventKind
from callboard.domain.suspension import Cancelled
from callboard.engine.branch import Branch
from callboard.engine.executing import Executing
from callboard.engine.fan_out import FanOut, cancel_others, close, drive_again, drop_lost, first_ended, told_by
from callboard.engine.replay import Move, Recorded
from callboard.engine.request import decode_done, done_body, raised
from callboard.engine.waits import Waiting


class Gather(Waiting):
    """Runs branches side by side, lets all of them settle, then returns all values or raises the first failure."""

    __slots__ = ("work",)

    def __init__(self, execution: Executing, work: Sequence[Awaitable[Any]]) -> None:
        super().__init__(execution, "gather")
        self.work = work

    def __await__(self) -> Any:
        execution = self.execution
        branch = execution.current
        if branch is None or execution.stopping is not None:
            self.drop()
            branch = yield from execution.refuse(self.name)
        place = branch.scope.take()
        move = execution.replay.enter(place, self.name)
        return (yield (self, place, move))

    def drop(self) -> None:
        """Closes what was to run."""
        close(self.work)

    def settles_first(self, move: Move) -> bool:
        """Each branch is told of a cancel at its own next effect."""
        return True

    async def perform(self, branch: Branch, place: str, move: Move) -> list[Any]:
        """Runs the branches."""
        fan = FanOut(self.execution, branch, place, self.work)
        await fan.wait(for_all=True)
        for each in fan.branches:
            if each.error is not None:
                if isinstance(each.error, Cancelled):
                    told_by(branch, each)
                raise each.error
        return [each.value for each in fan.branches]


class _Driving(Waiting):
    """Drives branches also when its outcome is recorded; each branch is told of a cancel at its own next effect."""

    __slots__ = ()
    drives = True

    def settles_first(self, move: Move) -> bool:
        """Never cancelled as a whole."""
        return True


class Race(_Driving):
    """Runs branches side by side until the first one ends, cancels the others, and journals who won."""

    __slots__ = ("work",)

    def __init__(self, execution: Executing, work: Sequence[Awaitable[Any]]) -> None:
        super().__init__(execution, "race")
        self.work = work

    def drop(self) -> None:
        """Closes what was to run."""
        close(self.work)

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Runs the race, or again the branch that is known to have won."""
        execution = self.execution
        if type(move) is Recorded:
            return await self._again(branch, place, move)
        fan = FanOut(execution, branch, place, self.work)
        await fan.wait(for_all=False)
        _check_unwinding(execution)
        winner = first_ended(fan)
        cancel_others(execution, fan, winner, "another branch won the race")
        await fan.wait(for_all=True)
        _check_unwinding(execution)
        won = fan.branches[winner]
        if isinstance(won.error, Cancelled):  # all were cancelled from above
            told_by(branch, won)
            raise won.error
        body = done_body(encode(winner))
        await execution.record(EventKind.DONE, f"{place}:{self.name}", self.digest, body)
        return _end(winner, won)

    async def _again(self, branch: Branch, place: str, move: Recorded) -> Any:
        if move.event.kind is not EventKind.DONE:
            await drop_lost(self.execution, branch, place, self.work)
            raise raised(branch, move.event)
        winner: int = decode_done(move.event.body).result
        won = await drive_again(self.execution, branch, place, self.work, winner)
        return _end(winner, won)


class TimeLimit(_Driving):
    """Runs a branch for `seconds` at most, across parking and crashes, and journals whether it made it."""

    __slots__ = ("seconds", "work")

    def __init__(self, execution: Executing, seconds: float, work: Awaitable[Any]) -> None:
        super().__init__(execution, "timeout")
        self.seconds = seconds
        self.work = work

    def drop(self) -> None:
        """Closes what was to run."""
        close((self.work,))

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Runs the branch against the clock."""
        execution = self.execution
        if type(move) is Recorded:
            if move.event.kind is not EventKind.DONE:
                await drop_lost(execution, branch, place, (self.work,))
                raise raised(branch, move.event)
            return _value(await drive_again(execution, branch, place, (self.work,), 0))
        try:
            intent = await self.intend(place, move, {"due": execution.services.clock.now() + self.seconds})
        except BaseException:
            self.drop()
            raise
        due: float = intent["due"]
        fan = FanOut(execution, branch, place, (self.work,), due)
        limited = fan.branches[0]
        late = f"the time limit at {place} was reached"  # which one: limits may nest
        watch = execution.mailbox.watch(due, lambda: execution.interrupt(limited, late))
        try:
            await fan.wait(for_all=True)
        finally:
            execution.mailbox.unwatch(watch)
        _check_unwinding(execution)
        if limited.doomed == late:
            raise await self.fail(place, TimedOut(f"the time limit of {self.seconds:g} s was reached"))
        if isinstance(limited.error, Cancelled):
            told_by(branch, limited)
            reason = encode(str(limited.error))
            await execution.record(EventKind.CANCELLED, f"{place}:{self.name}", self.digest, reason)
            raise limited.error
        await execution.record(EventKind.DONE, f"{place}:{self.name}", self.digest, done_body(b"null"))
        return _value(limited)


def _check_unwinding(execution: Executing) -> None:
    if execution.stopping is not None:
        raise execution.stopping


def _end(index: int, branch: Branch) -> tuple[int, Any]:
    if branch.error is not None:
        raise branch.error
    return index, branch.value


def _value(branch: Branch) -> Any:
    if branch.error is not None:
        raise branch.error
    return branch.value
