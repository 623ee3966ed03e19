"""One agent run: its conversation, and what it has used up."""

from collections.abc import Sequence
from typing import Any

import msgspec

from callboard.agents.conversation import Conversation
from callboard.agents.limits import Meter
from callboard.agents.lineup import Lineup, lineup
from callboard.agents.progress import Watch
from callboard.agents.role import Role
from callboard.agents.stops import Turn
from callboard.agents.surroundings import Surroundings
from callboard.domain.chat import Chat
from callboard.domain.codec import encode
from callboard.domain.errors import LimitReached
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Media, Message, Part, Text, ToolResult, system
from callboard.domain.message import Role as Speaker
from callboard.engine.context import Context
from callboard.engine.effect import Attempt, Effect
from callboard.models import Model, ModelResponse


class Talk:
    """Begins with the prompt, the context and the input.

    Attributes:
        compactions: how often the conversation was compacted,
        squeezed: and how often of late, with no answer in between.
        watch: sees whether it gets anywhere.
        idle: how many turns ago, the last one included, a tool was called.
    """

    __slots__ = ("_lines", "compactions", "conversation", "idle", "meter", "role", "squeezed", "watch")

    def __init__(self, role: Role, input: Any, context: Sequence[Any]) -> None:
        self.role = role
        self.meter = Meter(role.limits)
        self.compactions = 0
        self.squeezed = 0
        self._lines: dict[str | None, Lineup] = {}
        self.watch = Watch(role.progress)
        self.idle = 0
        self.conversation = Conversation(role.release)
        if role.prompt:
            self.conversation.add(system(role.prompt), why=f"the prompt of {role.name}")
        handed = "context that the flow handed in, then the input" if context else "the input"
        asked = _asked(self.conversation, input) if isinstance(input, Chat) else (_part(input),)
        self.conversation.add(Message(Speaker.USER, (*map(_part, context), *asked)), why=handed)

    def turn(self, response: ModelResponse, results: Sequence[ToolResult]) -> Turn:
        """The turn that has just ended, as conditions see it."""
        calls = response.message.tool_calls
        self.idle = 0 if calls else self.idle + 1
        said = response.message.text
        return Turn(self.conversation.assistant_turns, said, calls, tuple(results), self.meter.usage, self.idle)

    def line(self, ctx: Context, model: Model | str | None, route: str | None) -> Lineup:
        """Whom to ask by a model or a route, found once. Raises InputInvalid when nobody knows it."""
        key = route or (model if isinstance(model, str) else None)
        found = self._lines.get(key)
        if found is None:
            found = self._lines[key] = lineup(Surroundings.of(ctx), model, route)
        return found

    async def limit(self, ctx: Context, reason: str, what: str = "", **detail: Any) -> LimitReached:
        """Journals what there is, so that a replay ends with the same, and returns the error to raise.

        Args:
            ctx: the run.
            reason: which limit.
            what: says so in words, where it is none of the agent's declared limits.
            detail: further facts.
        """
        partial = self.partial()

        async def note(attempt: Attempt) -> Any:
            return partial

        noted = await ctx.effect(f"limit {reason}", b"", Effect(note))
        kind = ErrorKind.LOOP if reason == "no_progress" else ErrorKind.LIMIT
        return LimitReached(
            f"agent {self.role.name} {what or f'reached its limit of {self.meter.describe(reason)}'}",
            kind=kind,
            detail={"reason": reason, "partial": noted, "agent": self.role.name, **detail},
        )

    def stopped(self, limit: LimitReached) -> LimitReached:
        """What a model call raised for which there was no room, with what there is. A requeue makes the call."""
        reason = limit.reason
        what = limit.what
        if reason in ("usd", "tokens"):
            what = f"agent {self.role.name} reached its limit of {self.meter.describe(reason)}"
        detail = {**limit.detail, "partial": self.partial(), "agent": self.role.name}
        return LimitReached(what, path=limit.path, detail=detail, why=limit.why, remedy=limit.remedy)

    def partial(self) -> dict[str, Any]:
        """What there is: the last words of the model, and what was used."""
        messages = reversed(self.conversation.messages)
        return self.meter.partial(next((m.text for m in messages if m.role is Speaker.ASSISTANT and m.text), ""))


def _asked(conversation: Conversation, chat: Chat) -> tuple[Part, ...]:
    """Adds what was said before: instructions first, behind the prompt. Returns what the user says now."""
    *before, last = chat.messages
    for message in before:
        if message.role is Speaker.SYSTEM:
            conversation.add(message, why="instructions that came with the conversation")
    for message in before:
        if message.role is not Speaker.SYSTEM:
            conversation.add(message, why="said before in this conversation")
    return last.parts


def _part(value: Any) -> Part:
    """A value as the model gets it: an image, a sound or a document as such, all else in words."""
    if isinstance(value, Media):
        return value
    return Text(value if isinstance(value, str) else _json(value))


def _json(value: Any) -> str:
    return msgspec.json.format(encode(value, "the input"), indent=0).decode()
