"""Flows: durable async functions, by name and version."""

import inspect
import typing
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from callboard.domain.chat import Chat, chat_of, is_chat
from callboard.domain.errors import InputInvalid
from callboard.engine.shape import Shape

Body = Callable[[Any, Any], Awaitable[Any]]  # (Context, input) -> output


class Flow:
    """A durable function `async def f(ctx, input) -> output`.

    Args:
        fn: the function.
        name: how runs and claims name it; the function's name by default.
        version: declared by its author. Runs stay with workers that have their version; raise it when the
            code changes in a way that `ctx.patched` cannot bridge.
        needs: a label that a worker must have to execute it (`callboard worker --label gpu`); None for any worker.
        chats: whether it goes on with a conversation, though its annotations do not say so, as agents do.
        speaks: whether its output is what its one model says, word for word: doors may pass the words on as they come.
    """

    def __init__(
        self,
        fn: Body,
        *,
        name: str | None = None,
        version: str = "1",
        needs: str | None = None,
        chats: bool = False,
        speaks: bool = False,
    ) -> None:
        self.fn = fn
        self.name: str = name or str(getattr(fn, "__name__", "flow"))
        self.version = str(version)
        self.needs = needs
        if "@" in self.name or not self.name:
            raise InputInvalid(f"flow name {self.name!r} is empty or contains '@'", remedy="choose another name")
        if not inspect.iscoroutinefunction(fn):
            raise InputInvalid(f"flow {self.name} is not an async function", remedy="declare it with `async def`")
        parameters = list(inspect.signature(fn).parameters.values())
        if len(parameters) != 2:
            raise InputInvalid(
                f"flow {self.name} takes {len(parameters)} parameters", remedy="declare it as `async def f(ctx, input)`"
            )
        hints = _hints(fn, self.name)
        given = hints.get(parameters[1].name, Any)
        self.input = Shape(given, f"the input of {self.name}")
        self.output = Shape(hints.get("return", Any), f"the output of {self.name}")
        self.chats = chats or given is Chat or Chat in typing.get_args(given)
        self.speaks = speaks
        self.__doc__ = fn.__doc__

    @property
    def full_name(self) -> str:
        """Name and version as claims match them: `name@version`."""
        return f"{self.name}@{self.version}"

    def take(self, value: Any) -> Any:
        """An input as the function gets it: of its declared type.

        A conversation goes as a whole to flows that take one. Others get the words of its last message: a flow whose
        input is text, or anything, as they are, and a flow with a structured input what they say as JSON.

        Raises InputInvalid.
        """
        if not is_chat(value):
            return self.input.load(value)
        chat = chat_of(value)
        if self.chats:
            return chat
        if not chat.text:
            raise InputInvalid(f"{self.name} takes words, and the last message has none", remedy="say it in words")
        if self.input.annotation in (Any, inspect.Parameter.empty, object, str):
            return chat.text
        try:
            said = msgspec.json.decode(chat.text)
        except msgspec.DecodeError as error:
            raise InputInvalid(
                f"{self.name} takes a structured input, and the last message is not JSON",
                why=str(error),
                remedy=f"send as the last message JSON that fits the input's schema: {self._fields()}",
            ) from error
        return self.input.load(said)

    def __call__(self, ctx: Any, value: Any) -> Awaitable[Any]:
        """Runs the function as a part of the calling run, in the caller's scope."""
        return self.fn(ctx, value)

    def __repr__(self) -> str:
        return f"Flow({self.full_name})"

    def _fields(self) -> str:
        schema = self.input.schema() or {}
        return ", ".join(schema.get("properties", {})) or str(schema.get("type", "any"))


def _hints(fn: Body, name: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(fn)
    except NameError as error:
        raise InputInvalid(
            f"flow {name}: its annotations cannot be resolved",
            why=str(error),
            remedy="import the named types at module level, not only under TYPE_CHECKING",
        ) from error
