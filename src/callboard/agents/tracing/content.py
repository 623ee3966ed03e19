"""What was said, as far as it may be told: off, on, or with what is private taken out. Bounded in size."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from callboard.domain.message import Media, Message, Opaque, Part, Reasoning, Role, Text, ToolCall, ToolResult
from callboard.telemetry.redaction import redact, redacted

_TEXT = 4_000  # characters of one text
_ALL = 32_000  # characters of one attribute
_PARTS = 64
_CUT = "… [cut]"

_encode = msgspec.json.Encoder().encode


class Content:
    """Writes content as the conventions' JSON schemas ask for it; `mode` is `off`, `on` or `redacted`."""

    __slots__ = ("_text", "_value", "mode", "on")

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.on = mode != "off"
        private = mode != "on"
        self._text: Callable[[str], str] = redact if private else str
        self._value: Callable[[Any], Any] = redacted if private else _same

    def words(self, text: str) -> str:
        """A text. Redacted before it is cut: half a secret is not known for one."""
        return _short(self._text(text), _TEXT)

    def data(self, body: bytes) -> str:
        """JSON data as JSON text."""
        if self._value is _same:
            return _short(body.decode(), _ALL)
        return _short(_encode(self._value(msgspec.json.decode(body))).decode(), _ALL)

    def arguments(self, call: ToolCall) -> str:
        """What a model asked a tool with."""
        return self.words(call.raw) if call.raw is not None else self.data(_encode(call.arguments))

    def messages(self, messages: Iterable[Message], finish: str = "") -> str:
        """Messages as `gen_ai.input.messages`, or, with why the model stopped, as `gen_ai.output.messages`."""
        made = []
        for each in messages:
            one: dict[str, Any] = {"role": str(each.role), "parts": self._parts(each.parts)}
            if finish:
                one["finish_reason"] = finish
            made.append(one)
        return _fitting(made)

    def instructions(self, prompt: str) -> str:
        """A prompt as `gen_ai.system_instructions`."""
        return _fitting([{"type": "text", "content": self.words(prompt)}])

    def _parts(self, parts: Sequence[Part]) -> list[dict[str, Any]]:
        return [self._part(part) for part in parts[:_PARTS]]

    def _part(self, part: Part) -> dict[str, Any]:
        match part:
            case Text(text):
                return {"type": "text", "content": self.words(text)}
            case Reasoning(text):
                return {"type": "reasoning", "content": self.words(text)}
            case ToolCall(id, name, arguments, raw):
                said = self._bounded(arguments) if raw is None else self.words(raw)
                return {"type": "tool_call", "id": id, "name": name, "arguments": said}
            case ToolResult(id, _, content, _):
                return {"type": "tool_call_response", "id": id, "response": self._bounded(content)}
            case Media(ref, media_type):
                kind = media_type.partition("/")[0]
                return {"type": "uri", "mime_type": media_type, "modality": kind, "uri": self.words(ref)}
            case Opaque(provider, kind, _):
                return {"type": f"{provider}.{kind}"}

    def _bounded(self, value: Any) -> Any:
        if self._value is not _same:
            value = self._value(msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value)
        text = bytes(value) if isinstance(value, msgspec.Raw) else _encode(value)
        return msgspec.Raw(text) if len(text) <= _TEXT else _short(text.decode(), _TEXT)


def user(body: bytes) -> Message:
    """A run's input as the first message of its agent."""
    value = msgspec.json.decode(body) if body else None
    return Message(Role.USER, (Text(value if isinstance(value, str) else body.decode()),))


def _same(value: Any) -> Any:
    return value


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
