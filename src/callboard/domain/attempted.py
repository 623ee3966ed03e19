"""A call that may fail, as a value instead of an exception."""

from dataclasses import dataclass
from typing import Any, Generic, Literal, NoReturn, TypeAlias, TypeVar

from callboard.domain.errors import Failure
from callboard.domain.kinds import ErrorKind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ok(Generic[T]):
    """It worked: `value` is what it returned."""

    value: T

    @property
    def ok(self) -> Literal[True]:
        """True."""
        return True

    @property
    def kind(self) -> None:
        """None: nothing failed."""
        return None


@dataclass(frozen=True, slots=True)
class Failed:
    """It failed: `failure` is what it would have raised."""

    failure: Failure

    @property
    def ok(self) -> Literal[False]:
        """False."""
        return False

    @property
    def kind(self) -> ErrorKind:
        """Why it failed."""
        return self.failure.kind

    @property
    def value(self) -> NoReturn:
        """There is none: raises the failure."""
        raise self.failure


Attempted: TypeAlias = Ok[Any] | Failed
