"""Our adapters, pointed at the server of these tests."""

import asyncio
from collections.abc import Iterable
from typing import Any

from callboard.domain.errors import ModelFailed
from callboard.domain.message import Message, user
from callboard.domain.toolspec import ToolSpec
from callboard.models import CallDelta, Delta, Model, ModelRequest, ModelResponse, TextDelta, respond
from callboard.models.providers import provide
from tests.traffic.records import Record
from tests.traffic.serving import Seat

_KEY = "no-key"
_REFERENCES = {
    "/v1/chat/completions": ("openai", "/v1"),
    "/v1/responses": ("openai-responses", "/v1"),
    "/v1/messages": ("anthropic", ""),
}
_HOSTED = {  # tools that the provider runs itself, by the beginning of its word for them
    "web_search": "web_search",
    "web_fetch": "web_fetch",
    "code_": "code_execution",
    "tool_search": "tool_search",
    "image_generation": "image_generation",
}
PATIENCE = 90.0  # seconds for one call: the first one imports libraries, on a machine that may be busy


class Desk:
    """The adapters that one test uses at one seat: made once each, as a process of a user has them."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self._models: dict[tuple[str, str, bool, tuple[str, ...]], Model] = {}

    def model(self, record: Record) -> Model:
        """The adapter for a record's interface, model and hosted tools."""
        key = record.path, record.model, record.streamed, tuple(hosted(record))
        if key not in self._models:
            provider, base = _REFERENCES[record.path]
            self._models[key] = provide(
                f"{provider}:{record.model}",
                url=self.seat.url + base,
                api_key=_KEY,
                stream=record.streamed,
                hosted=tuple(hosted(record)),
            )
        return self._models[key]

    async def ask(
        self, record: Record, messages: tuple[Message, ...] = (), seen: list[Delta] | None = None
    ) -> ModelResponse | ModelFailed:
        """What the adapter makes of what the server says next. Anything but an answer or its own error goes up."""
        request = ModelRequest(
            messages=messages or (user("hello"),),
            tools=tuple(tools(record)),
            max_output_tokens=record.request_body.get("max_tokens"),  # from a certain number on it has to be a stream
        )
        try:
            async with asyncio.timeout(PATIENCE):
                return await respond(self.model(record), request, None if seen is None else seen.append)
        except ModelFailed as failure:
            return failure

    async def close(self) -> None:
        """Let go of all connections."""
        for model in self._models.values():
            if (close := getattr(model, "close", None)) is not None:
                await close()


def tools(record: Record) -> Iterable[ToolSpec]:
    """The tools of ours that the recorded request named, without those that the provider runs itself."""
    for tool in record.request_body.get("tools") or ():
        told = tool.get("function") or tool
        if tool.get("type", "custom") in ("function", "custom"):
            schema: dict[str, Any] = told.get("parameters") or told.get("input_schema") or {}
            yield ToolSpec(told["name"], told.get("description") or "", {"type": "object", "properties": {}} | schema)


def hosted(record: Record) -> list[str]:
    """The tools that the provider was to run itself, as far as our adapters can ask for them by name alone."""
    asked = [str(tool.get("type", "")) for tool in record.request_body.get("tools") or ()]
    return sorted({name for told, name in _HOSTED.items() if any(each.startswith(told) for each in asked)})


def words(seen: Iterable[Delta]) -> str:
    """The text that was streamed."""
    return "".join(delta.text for delta in seen if isinstance(delta, TextDelta))


def pieces(seen: Iterable[Delta]) -> list[tuple[str, str, str]]:
    """The calls that were streamed: id, name and the JSON of the arguments."""
    found: dict[int, list[str]] = {}
    for delta in seen:
        if isinstance(delta, CallDelta):
            id, name, text = found.setdefault(delta.index, ["", "", ""])
            found[delta.index] = [id or delta.id, name or delta.name, text + delta.arguments_text]
    return [(id, name, text) for _, (id, name, text) in sorted(found.items())]
