"""What was said, as far as it may be told: off, on, or with what is private taken out. Bounded in size."""

from collections.abc import Iterable
from typing import Any

import msgspec

from callboard.domain.message import Media, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from callboard.telemetry.redaction import redact, redacted

_TEXT = 4_000  # characters of one text
_ALL = 32_000  # characters of one attribute
_PARTS = 64
_CUT = "… [cut]"

_encode = msgspec.json.Encoder().encode


class Content:
    """Writes content as the conventions' JSON schemas ask for it; `mode` is `off`, `on` or `redacted`."""

    __slots__ = ("_private", "mode", "on")

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.on = mode != "off"
        self._private = mode != "on"

    def words(self, text: str) -> str:
        """A text. Redacted before it is cut: half a secret is not known for one."""
        if self._private:
            text = redact(text)
        return text if len(text) <= _TEXT else _short(text, _TEXT)

    def data(self, body: bytes) -> str:
        """JSON data as JSON text."""
        if self._private:
            body = _encode(redacted(msgspec.json.decode(body)))
        return _short(body.decode(), _ALL)

    def arguments(self, call: ToolCall) -> str:
        """What a model asked a tool with."""
        return self.words(call.raw) if call.raw is not None else self.data(_encode(call.arguments))

    def messages(self, messages: Iterable[Message], finish: str = "") -> str:
        """Messages as `gen_ai.input.messages`, or, with why the model stopped, as `gen_ai.output.messages`."""
        made = []
        for each in messages:
            one: dict[str, Any] = {"role": each.role, "parts": [self._part(part) for part in each.parts[:_PARTS]]}
            if finish:
                one["finish_reason"] = finish
            made.append(one)
        return _fitting(made)

    def instructions(self, prompt: str) -> str:
        """A prompt as `gen_ai.system_instructions`."""
        return _fitting([{"type": "text", "content": self.words(prompt)}])

    def _part(self, part: Part) -> dict[str, Any]:
        # One by one: to match these against patterns takes four times as long.
        if isinstance(part, Text):
            return {"type": "text", "content": self.words(part.text)}
        if isinstance(part, ToolCall):
            said = self._bounded(part.arguments) if part.raw is None else self.words(part.raw)
            return {"type": "tool_call", "id": part.id, "name": part.name, "arguments": said}
        if isinstance(part, ToolResult):
            return {"type": "tool_call_response", "id": part.call_id, "response": self._bounded(part.content)}
        if isinstance(part, Reasoning):
            return {"type": "reasoning", "content": self.words(part.text)}
        if isinstance(part, Media):
            kind = part.media_type.partition("/")[0]
            return {"type": "uri", "mime_type": part.media_type, "modality": kind, "uri": self.words(part.ref)}
        return {"type": f"{part.provider}.{part.kind}"}

    def _bounded(self, value: Any) -> Any:
        text = bytes(value) if isinstance(value, msgspec.Raw) else _encode(value)
        if self._private:
            text = _encode(redacted(msgspec.json.decode(text)))
        return msgspec.Raw(text) if len(text) <= _TEXT else _short(text.decode(), _TEXT)


def user(body: bytes) -> Message:
    """A run's input as the first message of its agent."""
    value = msgspec.json.decode(body) if body else None
    return Message(Role.USER, (Text(value if isinstance(value, str) else body.decode()),))


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + _CUT


def _fitting(made: list[dict[str, Any]]) -> str:
    """As JSON that is still JSON when it is too long: the oldest go first."""
    while len(text := _encode(made)) > _ALL and len(made) > 1:
        del made[0]
    if len(text) > _ALL:
        for part in made[0].get("parts", ()):
            part.update({"content": _CUT} if "content" in part else {"arguments": _CUT} if "arguments" in part else {})
        text = _encode(made)
    return text.decode()
