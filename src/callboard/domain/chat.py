"""A conversation as the input of a flow or an agent: in place, or as a reference to a session."""

from typing import Any

import msgspec

from callboard.domain.codec import decode, encode
from callboard.domain.errors import InputInvalid
from callboard.domain.message import Message, Role, user

_MARK, _REFERENCE = "$chat", "$session"
_REFERRING = b'{"$session":'  # as an encoded reference begins


class Chat(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was said so far, and last what the user says now.

    An agent that gets one as its input goes on with it. A flow whose input is annotated `callboard.Chat` gets one;
    what other flows get of it, `Flow.take` says.

    Attributes:
        messages: the oldest first; the last is the user's.
        session: the conversation's id, None where nobody keeps it.
    """

    messages: tuple[Message, ...] = msgspec.field(name=_MARK)
    session: str | None = None

    def __post_init__(self) -> None:
        if not self.messages or self.messages[-1].role is not Role.USER:
            raise ValueError("the last message of a conversation is the user's")

    @property
    def text(self) -> str:
        """The words of the last message."""
        return self.messages[-1].text

    # Pydantic reads these two from types that it does not know: so a Chat may stand in any annotation.

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> dict[str, Any]:
        """How pydantic makes one of what stands in JSON, or of a text."""
        written = {"type": "function-plain", "function": msgspec.to_builtins}
        return {"type": "function-plain", "function": {"type": "no-info", "function": _read}, "serialization": written}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """What stands in JSON: one text, or messages with their parts."""
        part = {"type": "object", "properties": {"type": {"type": "string"}, "text": {"type": "string"}}}
        message = {
            "type": "object",
            "properties": {"role": {"enum": [str(role) for role in Role]}, "parts": {"type": "array", "items": part}},
            "required": ["role", "parts"],
        }
        messages = {"type": "array", "items": message, "minItems": 1}
        chat = {"type": "object", "properties": {_MARK: messages}, "required": [_MARK]}
        return {"title": "Chat", "anyOf": [{"type": "string"}, chat]}


class Reference(msgspec.Struct, frozen=True):
    """A conversation that is kept: the session, and the turn up to which it is meant."""

    id: str
    turn: str

    def stored(self) -> dict[str, Any]:
        """As it stands in a run's journal."""
        return {_REFERENCE: {"id": self.id, "turn": self.turn}}


def is_chat(value: Any) -> bool:
    """Whether an input is a conversation in place."""
    return type(value) is Chat or (type(value) is dict and _MARK in value)


def is_reference(value: Any) -> bool:
    """Whether an input refers to a conversation that is kept."""
    return type(value) is dict and value.keys() == {_REFERENCE}


def refuse_reference(body: bytes, what: str) -> None:
    """Refuses an encoded input that refers to a session: only the runs of its own turns do, as `Reference.stored` has
    it. Else whoever hands in a value could read a conversation by its id. Raises InputInvalid."""
    if body.startswith(_REFERRING) and is_reference(decode(body)):
        raise InputInvalid(f"{what} refers to a session", remedy="send the session a message; that starts a run")


def chat_of(value: Any) -> Chat:
    """The conversation that a text or a JSON value stands for. Raises InputInvalid."""
    try:
        return _read(value)
    except ValueError as error:
        raise InputInvalid(
            "this is no conversation",
            why=str(error),
            remedy=f'write {{"{_MARK}": [{{"role": "user", "parts": [{{"type": "text", "text": "..."}}]}}]}}',
        ) from error


def reference_of(value: Any) -> Reference:
    """What a reference refers to. Raises InputInvalid."""
    try:
        return msgspec.convert(value[_REFERENCE], Reference)
    except msgspec.ValidationError as error:
        raise InputInvalid("this refers to no conversation", why=str(error)) from error


def words_of(output: Any) -> str:
    """A run's output as the words of an assistant: text as it is, all else as JSON."""
    return output if isinstance(output, str) else encode(output).decode()


def _read(value: Any) -> Chat:
    if isinstance(value, str):
        return Chat((user(value),))
    return value if isinstance(value, Chat) else msgspec.convert(value, Chat)
