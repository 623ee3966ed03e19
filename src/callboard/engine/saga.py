"""Sagas: what was done is undone in reverse order when the rest fails (Garcia-Molina and Salem, 1987).

A call is registered before it is made. When the block is left by a failure or a cancel, each call that was done, or of
which nobody knows whether it was, is undone by an effect of its own: see `undo.py`. What is registered is known from
the journal, since the flow is replayed; only branches that lost a race have to be looked at once more for it.
"""

import inspect
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar

from callboard.domain.codec import clean, digest, encode
from callboard.domain.errors import Abandoned, CompensationFailed, Failure, FlowMisuse, InputInvalid
from callboard.domain.retry import NEVER, Retry
from callboard.domain.suspension import Cancelled
from callboard.domain.words import words
from callboard.engine.attempts import key_at
from callboard.engine.branch import Branch
from callboard.engine.calls import Call
from callboard.engine.effect import Attempt, Effect, Guard
from callboard.engine.executing import Executing
from callboard.engine.shape import returned
from callboard.engine.steps import called
from callboard.engine.undo import Done, Undo, Undoing

T = TypeVar("T")
RETRY = Retry(attempts=5, first=1.0, factor=4.0, longest=60.0)
_TOLD = ("key", "original_key", "result")  # what a function of the user may be told, by the names of its parameters


class Saga:
    """`async with ctx.saga() as saga:` undoes what was done in the block when it is left by a failure or a cancel.

    Calls of tools declared with `compensate=` belong to the innermost open saga by themselves, also in parallel
    branches and in agents; `step` and `undo` are for other functions. Child runs have sagas of their own.
    """

    __slots__ = ("_branch", "_closed", "_entries", "_execution", "_here", "_outer", "_retry")

    def __init__(self, execution: Executing, here: Callable[[str], Branch], retry: Retry) -> None:
        self._execution = execution
        self._here = here
        self._retry = retry
        self._entries: list[_Entry] = []
        self._branch: Branch | None = None
        self._outer: Saga | None = None
        self._closed = False

    async def __aenter__(self) -> "Saga":
        branch = self._here("saga")
        if self._branch is not None:
            raise FlowMisuse("a saga was entered twice", remedy="use ctx.saga() anew for each block")
        self._branch, self._outer, branch.saga = branch, branch.saga, self
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._branch is not None
        self._branch.saga, self._closed = self._outer, True
        if error is None:
            if self._outer is not None:
                self._outer._entries += self._entries
        elif isinstance(error, Exception | Cancelled):  # all else drops the coroutine: it will be replayed
            await self._compensate(error)

    def undo(self, name: str, fn: Callable[..., Any], *args: Any) -> None:
        """Registers `fn(*args)` as what undoes something that has been done already.

        Args:
            name: how the journal names it, `undo NAME`.
            fn: async or not, the latter in a thread; a parameter `key` of it gets an idempotency key.
            args: its arguments, JSON-like.

        Raises InputInvalid when it cannot be called so, FlowMisuse outside of the saga's block.
        """
        self._register(self._undoing(name, fn, args)).told(None)

    async def step(
        self,
        do: Callable[..., Any],
        undo: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        timeout: float | None = None,
        retry: Retry = NEVER,
    ) -> Any:
        """Calls `do(*args)` as a step and registers `undo(*args)`, to be called if the saga fails.

        Both may have parameters `key`, an idempotency key: after a crash they are called again with the same one.
        `undo` may have `original_key`, the key of `do`, and `result`: what `do` returned, None when it failed or was
        cut off and nobody knows whether it happened.

        Raises what a step raises, InputInvalid when one of them cannot be called so, FlowMisuse outside of the block.
        """
        execution = self._execution
        title = name or str(getattr(do, "__name__", "step"))
        undoing = self._undoing(title, undo, args)
        takes = _takes(do, args, ("key",))

        async def run(attempt: Attempt) -> Any:
            return await called(do, *args, **({"key": attempt.key} if takes else {}))

        limit = execution.services.settings.step_timeout if timeout is None else timeout
        asked = list(args) or None
        effect = Effect(run, guard=Guard.KEYED, timeout=limit, retry=retry, asked=asked, shape=returned(do))
        return await self.watch(undoing, Call(execution, title, digest(args) if args else b"", effect))

    async def watch(self, undoing: Undoing, work: Awaitable[T], key: str | None = None) -> T:
        """Registers how to undo an effect, then awaits it. `key` is that of an earlier effect, of which this one is the
        same call once more: it is undone once."""
        entry = next((each for each in self._entries if each.original_key == key), None) or self._register(undoing)
        try:
            result = await work
        except BaseException as error:
            entry.failed(error)
            raise
        entry.told(result)
        return result

    def _register(self, undoing: Undoing) -> "_Entry":
        branch = self._here(f"saga {undoing.name}")
        if self._closed or self._branch is None:
            raise FlowMisuse(
                f"{undoing.name} was registered with a saga that is not open",
                remedy="do it inside of `async with ctx.saga() as saga:`",
            )
        place, notes = branch.scope.peek(), branch.scope.notes
        mark = notes[f"undo {place}"] = notes.get(f"undo {place}", -1) + 1  # sagas may nest at one place
        entry = _Entry(undoing, place, key_at(self._execution, place), key_at(self._execution, f"{place}~{mark}"))
        self._entries.append(entry)
        return entry

    def _undoing(self, name: str, fn: Callable[..., Any], args: tuple[Any, ...]) -> Undoing:
        takes = _takes(fn, args, _TOLD)
        encode(args, f"the arguments of undo {name}")  # they must not turn out to be unfit when it is too late

        async def run(done: Done, attempt: Attempt) -> Any:
            return await called(fn, *args, **{each: getattr(done, each) for each in takes})

        return Undoing(name, run, list(args), self._execution.services.settings.step_timeout)

    async def _compensate(self, error: BaseException) -> None:
        stuck: list[_Entry] = []
        left: list[CompensationFailed] = []
        because = {"path": getattr(error, "path", None) or "", "what": clean(words(error))}
        self._execution.undoing += 1
        try:
            # Those of one branch stand in order; among branches, places give an order that no replay changes.
            for entry in sorted(self._entries, key=lambda entry: _ordinals(entry.place))[::-1]:
                try:
                    if entry.stands:
                        await self._undo(entry, because, last=False)
                except Failure:
                    stuck.append(entry)
            for entry in stuck:  # nothing else has to wait for a person
                try:
                    await self._undo(entry, because, last=True)
                except CompensationFailed as failure:
                    left.append(failure)
        finally:
            self._execution.undoing -= 1
        if left:
            raise _left(error, left) from error

    async def _undo(self, entry: "_Entry", because: dict[str, Any], *, last: bool) -> None:
        path = f"{entry.place}:{entry.undoing.name}"
        while True:
            try:
                await Undo(self._execution, entry.undoing, entry.done, path, self._retry, because, last=last)
            except Abandoned:  # something outside of us cut it off: nobody knows, so once more with the same key
                continue
            return


class _Entry:
    """A call that may have to be undone: it stands once it was done, or once nobody knows whether it was."""

    __slots__ = ("_key", "_result", "original_key", "place", "stands", "undoing")

    def __init__(self, undoing: Undoing, place: str, original_key: str, key: str) -> None:
        self.undoing = undoing
        self.place = place
        self.original_key = original_key
        self.stands = False
        self._key = key
        self._result: Any = None

    @property
    def done(self) -> Done:
        """What the compensation is told."""
        return Done(self._key, self.original_key, self._result)

    def told(self, result: Any) -> None:
        """It was done."""
        self.stands, self._result = True, result

    def failed(self, error: BaseException) -> None:
        """It failed or was cancelled, maybe before anything happened."""
        if isinstance(error, Cancelled):
            self.stands = self.stands or error.begun
        elif isinstance(error, Failure):
            self.stands = self.stands or not error.unmade


def _left(error: BaseException, left: list[CompensationFailed]) -> CompensationFailed:
    """One failure for all that still stands, that of sagas within included."""
    if isinstance(error, CompensationFailed):
        left = [error, *left]
    stands = [each for failure in left for each in failure.detail.get("left", ())]
    names = ", ".join(str(each["undo"]) for each in stands)
    return CompensationFailed(
        f"what was done still stands: {names}",
        path=left[0].path,
        detail={"left": stands, "because": clean(words(error))},
        why="it could not be undone, and a person gave it up",
    )


def _ordinals(place: str) -> list[int]:
    return [int(each) for each in place.replace("/", ".").split(".")]


def _takes(fn: Callable[..., Any], args: tuple[Any, ...], told: tuple[str, ...]) -> list[str]:
    """Which of these names are parameters of the function beside those that `args` fill. Raises InputInvalid."""
    name = getattr(fn, "__name__", str(fn))
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):  # a builtin
        return []
    filled = list(signature.parameters)[: len(args)]
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    takes = [
        each.name
        for each in signature.parameters.values()
        if each.name in told and each.name not in filled and each.kind in kinds
    ]
    try:
        signature.bind(*args, **dict.fromkeys(takes))
    except TypeError as error:
        raise InputInvalid(
            f"{name} cannot be called with {len(args)} arguments",
            why=str(error),
            remedy=f"it gets the arguments of the step, and by name: {', '.join(told)}",
        ) from error
    return takes
