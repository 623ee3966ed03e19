"""Provider-neutral messages: what goes to a model and what comes back.

The parts cover what the large providers' interfaces carry, so that an adapter can translate without loss.
"""

from enum import StrEnum
from typing import Any

import msgspec


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Words."""

    text: str


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True, tag="call"):
    """The model asks for a tool.

    `arguments` is what the model wrote, decoded when it is a JSON object; `raw` keeps the text when it is
    not, so that a malformed call can be answered instead of lost.
    """

    id: str
    name: str
    arguments: dict[str, Any] = {}
    raw: str | None = None


class ToolResult(msgspec.Struct, frozen=True, omit_defaults=True, tag="result"):
    """A tool's answer. `error` is an error kind when the call failed, and then `content` explains it."""

    call_id: str
    name: str
    content: Any
    error: str | None = None


class Media(msgspec.Struct, frozen=True, omit_defaults=True, tag="media"):
    """A reference to an image, a sound or a document; the bytes are never part of a message.

    `ref` is a URL or `blob:HASH`; `media_type` is what it is, such as `image/png`.
    """

    ref: str
    media_type: str
    name: str | None = None


class Reasoning(msgspec.Struct, frozen=True, omit_defaults=True, tag="reasoning"):
    """What the model thought, kept so that it can be handed back as its provider wants it.

    `opaque` is the provider's own form (a signature, an encrypted item): never read, only returned, and only to
    `provider`.
    """

    text: str = ""
    opaque: str | None = None
    provider: str = ""


class Opaque(msgspec.Struct, frozen=True, omit_defaults=True, tag="opaque"):
    """What only its provider understands: a search that it made by itself, a compaction, a call's signature.

    `kind` is the provider's word for it, `data` JSON text: kept, handed back to the same provider, never read.
    """

    provider: str
    kind: str
    data: str


Part = Text | ToolCall | ToolResult | Media | Reasoning | Opaque


class Message(msgspec.Struct, frozen=True):
    """One message: who speaks, and its parts in order."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """All words of the message, joined."""
        return "".join([p.text for p in self.parts if type(p) is Text])

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls in it, in order."""
        return tuple([p for p in self.parts if type(p) is ToolCall])


def system(text: str) -> Message:
    """A system message of one text."""
    return Message(Role.SYSTEM, (Text(text),))


def user(text: str) -> Message:
    """A user message of one text."""
    return Message(Role.USER, (Text(text),))


def assistant(text: str) -> Message:
    """An assistant message of one text."""
    return Message(Role.ASSISTANT, (Text(text),))
