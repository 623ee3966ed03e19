"""Anthropic's messages."""

import os
from collections.abc import Callable
from typing import Any

from callboard.models.model import ModelRequest
from callboard.models.providers.bridge.provider import ANY, Account, Opened, Provider

_AT_ONCE = 21_333  # tokens: for more, the library streams whatever it is told
_SERVER_TOOLS = frozenset(
    {
        "advisor",
        "bash_code_execution",
        "code_execution",
        "text_editor_code_execution",
        "tool_search_tool_bm25",
        "tool_search_tool_regex",
        "web_fetch",
        "web_search",
    }
)


def _open(account: Account) -> Opened:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    from callboard.models.providers.bridge.transport import Client

    class Claude(AnthropicModel):
        """Keeps the calls of all tools that the provider runs, not only of those that this request named, and takes
        no event that is none."""

        def _get_enabled_server_tool_names(self, *said: Any, **named: Any) -> frozenset[str]:
            return _SERVER_TOOLS

        async def _process_streamed_response(self, *said: Any, **named: Any) -> Any:
            stream: Any = await super()._process_streamed_response(*said, **named)
            stream._map_event = _checked(stream._map_event)
            return stream

    client = AsyncAnthropic(
        api_key=account.key("ANTHROPIC_API_KEY", environment=os.environ),
        base_url=account.url,
        max_retries=0,
        http_client=Client(account.connect),
    )
    model = Claude(account.model, provider=AnthropicProvider(anthropic_client=client))
    return Opened(model, client.close)


def _checked(mapped: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The library passes over what it cannot read; what stood there may have been words of the answer."""

    def look_and_map(event: Any) -> Any:
        kind = getattr(event, "type", None)
        if not isinstance(kind, str) or (kind == "content_block_delta" and not getattr(event.delta, "type", None)):
            raise ValueError("an event of the stream is none")
        return mapped(event)

    return look_and_map


def _settings(request: ModelRequest) -> dict[str, Any]:
    from callboard.models.providers.bridge.transport import patience

    chosen: dict[str, Any] = {"timeout": patience(request.connect)}
    if request.cache:
        chosen["cache"] = True  # after the tools, after the system prompt, and with the last message
    if request.metadata and (user := request.metadata.get("user_id")):
        chosen["anthropic_metadata"] = {"user_id": user}  # it keeps nothing else
    return chosen


def _at_once(request: ModelRequest) -> dict[str, Any]:
    return {} if request.max_output_tokens is not None else {"max_tokens": _AT_ONCE}


def _whole(stream: Any, answer: Any) -> bool:
    """A reason to stop was read and then the event that ends the message."""
    from callboard.models.providers.bridge.transport import ended_with

    finished = "finish_reason" in (answer.provider_details or {})
    return finished and ended_with(stream._response.source.response, b'"message_stop"')


PROVIDER = Provider(
    extra="anthropic",
    libraries=("pydantic_ai", "anthropic"),
    open=_open,
    settings=_settings,
    at_once=_at_once,
    whole=_whole,
    abilities=ANY,
)
