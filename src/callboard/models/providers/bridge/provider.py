"""What the one file of a provider declares."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.models.info import Ability
from callboard.models.model import ModelRequest

ANY = frozenset(Ability)


@dataclass(frozen=True, slots=True)
class Account:
    """Where a model is and who asks.

    Attributes:
        reference: what the user called it, such as `openai:gpt-5-mini`.
        model: the part behind the colon.
        url: another address than the provider's own.
        api_key: None for the one in the environment.
        connect: seconds to reach the provider, where the library takes no such limit with each request.
        options: what else was handed to `provide`, for this provider alone.
    """

    reference: str
    model: str
    url: str | None
    api_key: str | None
    connect: float
    options: Mapping[str, Any]

    def key(self, *variables: str, environment: Mapping[str, str]) -> str:
        """The key that was handed in, else the first of these variables that is set.

        Raises ModelFailed of kind AUTHENTICATION when there is none.
        """
        if self.api_key:
            return self.api_key
        for name in variables:
            if environment.get(name):
                return environment[name]
        raise ModelFailed(
            f"{self.reference} has no key",
            remedy=f"set {' or '.join(variables)}, or hand in api_key",
            kind=ErrorKind.AUTHENTICATION,
            detail={"sent": False},
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """A model of the adapter library, ready to be asked, and how to let go of its connections."""

    model: Any
    close: Callable[[], Awaitable[None]]


Open: TypeAlias = Callable[[Account], Opened]
Settings: TypeAlias = Callable[[ModelRequest], dict[str, Any]]
Sort: TypeAlias = Callable[[Exception], ErrorKind | None]
Whole: TypeAlias = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider: the module of its name has one of these as `PROVIDER`.

    Attributes:
        extra: which extra of this package installs its library.
        libraries: what must be importable, looked for without importing it.
        open: makes the adapter library's model. Called once, on first use, in a thread of its own.
        settings: what a request needs of settings that only this provider knows; the common ones are there.
        at_once: what it needs besides to be answered in one piece.
        whole: whether a streamed answer came to its end, from the adapter library's stream and its answer.
        sort: the kind of an error of its library that the adapter library lets through; None for one that says
            nothing. Such a request was not sent.
        prices: whose price list it is on, when that is not the provider's own name.
        needs_url: it has no address of its own.
        many: the same word stands for many providers, one for each upstream: what one of them thought is not
            handed to another.
        bare_thoughts: its thoughts bear no sign of it, and go back to it as they are.
        schema_with_tools: the word of the library's profile for models that take a schema and tools at once; ""
            where all of them do.
        abilities: what its models can do as far as that is known; None for anything.
    """

    extra: str
    libraries: tuple[str, ...]
    open: Open
    settings: Settings = lambda request: {}
    at_once: Settings = lambda request: {}
    whole: Whole = lambda stream, answer: answer.finish_reason is not None
    sort: Sort = lambda error: None
    prices: str = ""
    needs_url: bool = False
    many: bool = False
    bare_thoughts: bool = False
    schema_with_tools: str = ""
    abilities: frozenset[Ability] | None = None
