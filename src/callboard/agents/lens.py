"""What a model saw: the request as it was made, and why each part of it was there."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from callboard.domain.message import Message
from callboard.domain.toolspec import ToolSpec
from callboard.models import ModelRequest


class Part(msgspec.Struct, frozen=True):
    """A message that a model got, and why."""

    message: Message
    why: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a model was asked.

    Attributes:
        path: the effect, as the journal names it.
        agent: who asked.
        release: a digest of all that the agent is made of, in hexadecimal.
        asked_of: the route or the model that was to answer; the event says which one did.
        parts: the conversation, in order.
        tools: what it could call.
        schema: the JSON schema that its answer was to fit; None for free text.
        options: temperature, reasoning, max_output_tokens, as far as the agent declares them.
    """

    path: str
    agent: str
    release: str
    asked_of: str
    parts: tuple[Part, ...]
    tools: tuple[ToolSpec, ...]
    schema: dict[str, Any] | None
    options: dict[str, Any]


class Saw(msgspec.Struct, frozen=True):
    """What all model calls of a run saw. `why`: what kept the look from going on to the journal's end; empty if nothing
    did, such as code that has changed since."""

    calls: tuple[Seen, ...]
    why: str = ""


class Asking(Protocol):
    """Who asks: an agent's role."""

    @property
    def name(self) -> str:
        """How journals name it."""
        ...

    @property
    def release(self) -> bytes:
        """A digest of all that it is made of."""
        ...


class Lens:
    """Collects what each model call of a run saw, while the run is looked at. `seen` is in the order of the calls."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def see(self, path: str, who: Asking, asked_of: str, request: ModelRequest, whys: Sequence[str]) -> None:
        """A model is about to be asked, or was at this place."""
        given = {
            "temperature": request.temperature,
            "reasoning": request.reasoning,
            "max_output_tokens": request.max_output_tokens,
        }
        reasons = [*whys, *[""] * len(request.messages)]
        self.seen.append(
            Seen(
                path=path,
                agent=who.name,
                release=who.release.hex(),
                asked_of=asked_of,
                parts=tuple(Part(message, why) for message, why in zip(request.messages, reasons, strict=False)),
                tools=request.tools,
                schema=request.output_schema,
                options={name: value for name, value in given.items() if value is not None},
            )
        )
