"""One agent run: its conversation, and what it has used up."""

from collections.abc import Sequence
from typing import Any

import msgspec

from callboard.agents.conversation import Conversation
from callboard.agents.limits import Meter
from callboard.agents.role import Role
from callboard.domain.codec import encode
from callboard.domain.errors import LimitReached
from callboard.domain.message import Message, Text, system
from callboard.domain.message import Role as Speaker
from callboard.engine.context import Context
from callboard.engine.effect import Attempt, Effect


class Talk:
    """Begins with the prompt, the context and the input."""

    __slots__ = ("conversation", "meter", "role")

    def __init__(self, role: Role, input: Any, context: Sequence[Any]) -> None:
        self.role = role
        self.meter = Meter(role.limits)
        self.conversation = Conversation(role.release)
        if role.prompt:
            self.conversation.add(system(role.prompt))
        self.conversation.add(Message(Speaker.USER, tuple(Text(_words(value)) for value in (*context, input))))

    async def limit(self, ctx: Context, reason: str) -> LimitReached:
        """Journals what there is, so that a replay ends with the same, and returns the error to raise."""
        messages = reversed(self.conversation.messages)
        text = next((m.text for m in messages if m.role is Speaker.ASSISTANT and m.text), "")
        partial = self.meter.partial(text)

        async def note(attempt: Attempt) -> Any:
            return partial

        noted = await ctx.effect(f"limit {reason}", b"", Effect(note))
        return LimitReached(
            f"agent {self.role.name} reached its limit of {self.meter.describe(reason)}",
            detail={"reason": reason, "partial": noted, "agent": self.role.name},
        )


def _words(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.format(encode(value, "the input"), indent=0).decode()
