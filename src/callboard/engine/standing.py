"""Where a flow stands: whose run it is, how deep, what it carries, and who is watching."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar

from callboard.domain.run import Run
from callboard.engine.attempts import key_at
from callboard.engine.branch import Branch, Scope
from callboard.engine.clock import Clock
from callboard.engine.executing import Executing
from callboard.streams.stream import Chunk

T = TypeVar("T")


class Standing:
    """The part of a Context that requests nothing."""

    __slots__ = ("_chunks", "_execution")

    def __init__(self, execution: Executing) -> None:
        self._execution = execution
        self._chunks = 0

    @property
    def run(self) -> Run:
        """This run's row, as it was when the run was claimed."""
        return self._execution.run

    @property
    def run_id(self) -> str:
        """The id of this run."""
        return self._execution.run.id

    @property
    def tenant(self) -> str:
        """The tenant that this run belongs to."""
        return self._execution.run.tenant

    @property
    def key(self) -> str | None:
        """The idempotency key that the run was started with."""
        return self._execution.run.key

    @property
    def labels(self) -> dict[str, str]:
        """The labels that the run was started with."""
        return dict(self._execution.run.labels)

    @property
    def depth(self) -> int:
        """How many runs are above this one: 0 for a run that nobody spawned."""
        return self._execution.run.depth

    @property
    def clock(self) -> Clock:
        """The clock of this process, for code inside an effect; in a flow use `now`."""
        return self._execution.services.clock

    @property
    def chance(self) -> Random:
        """The chance of this process, for code inside an effect; in a flow use `random`."""
        return self._execution.services.chance

    @property
    def nesting(self) -> int:
        """How many scopes are open here, those of runs above this one included."""
        return self._execution.run.depth + self._branch("nesting").scope.depth

    @property
    def open_saga(self) -> Any:
        """The innermost open saga (engine/saga.py) here, or None."""
        return self._branch("saga").saga

    @property
    def next_key(self) -> str:
        """The idempotency key that the next effect here gets: for one that makes the same call again later."""
        return key_at(self._execution, self._branch("next_key").scope.peek())

    @property
    def next_place(self) -> str:
        """The place of the next effect here, as paths in the journal begin."""
        return self._branch("next_place").scope.peek()

    def carried(self, kind: type[T]) -> T:
        """What the runtime was given to carry for those who build on effects, by its type."""
        found: T = self._execution.services.carried[kind]
        return found

    def blob(self, hash_hex: str) -> Awaitable[bytes]:
        """A large payload of this tenant, by its SHA-256, for code inside an effect. Raises NotFound."""
        return self._execution.services.store.blobs.get(self.tenant, hash_hex)

    def memo(self, key: str, make: Callable[[], T]) -> T:
        """A value kept in memory for as long as the scope here lasts, made when it is first asked for.

        A replay makes it anew and goes through the same changes, as far as they come from effects of this scope.
        """
        notes = self._branch(f"memo {key}").scope.notes
        if key not in notes:
            notes[key] = make()
        found: T = notes[key]
        return found

    def progress(self, value: Any) -> None:
        """Tells whoever watches this run how far it is. Not journaled; silent while the past is replayed."""
        execution = self._execution
        branch = self._branch("progress")
        if not execution.replay.replaying:
            self._chunks += 1
            execution.services.stream.publish(
                Chunk(
                    self.run_id,
                    execution.claim.epoch,
                    branch.scope.prefix,
                    self._chunks,
                    "progress",
                    value,
                    self.tenant,
                )
            )

    def delta(self, path: str, value: Any) -> None:
        """Publishes a live piece of an effect that is in flight, such as a token. Not journaled."""
        self._chunks += 1
        self._execution.services.stream.publish(
            Chunk(self.run_id, self._execution.claim.epoch, path, self._chunks, "delta", value, self.tenant)
        )

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Numbers the effects within apart from those around: what happens inside can change by itself."""
        branch = self._branch(f"scope {name}")
        outer = branch.scope
        place = outer.take()
        mismatch = self._execution.replay.enter(place, name)
        if mismatch is not None:
            raise self._execution.block(mismatch.blocked)
        branch.scope = Scope(f"{place}/", outer.depth + 1)
        try:
            yield
        finally:
            branch.scope = outer

    def _branch(self, what: str) -> Branch:
        execution = self._execution
        branch = execution.current
        if branch is None or execution.stopping is not None:
            for _ in execution.refuse(what):
                pass
        assert branch is not None
        return branch
