"""OpenAI's chat completions."""

import os
from typing import Any

from callboard.models.info import Ability
from callboard.models.model import ModelRequest
from callboard.models.providers.bridge.provider import Account, Opened, Provider


def open_chat(account: Account) -> Opened:
    """A model of the chat completions, with the settings that every request of ours has."""
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    from callboard.models.providers.bridge.transport import Client

    client = AsyncOpenAI(
        api_key=account.key("OPENAI_API_KEY", environment=os.environ),
        base_url=account.url,
        max_retries=0,
        http_client=Client(account.connect),
    )
    model = OpenAIChatModel(account.model, provider=OpenAIProvider(openai_client=client))
    return Opened(model, client.close)


def settings(request: ModelRequest) -> dict[str, Any]:
    """The time limit for connecting, the effort in the provider's own word, the key of its cache."""
    from callboard.models.providers.bridge.transport import patience

    chosen: dict[str, Any] = {"timeout": patience(request.connect)}
    if request.reasoning is not None:
        chosen["openai_reasoning_effort"] = request.reasoning
    if request.metadata and (key := request.metadata.get("prompt_cache_key")):
        chosen["openai_prompt_cache_key"] = key
    return chosen


def whole(stream: Any, answer: Any) -> bool:
    """A reason to stop, or a refusal, was read, and then the stream's own last word.

    The last word is asked for as well because the token counts stand between the two.
    """
    from callboard.models.providers.bridge.transport import ended_with

    details = answer.provider_details or {}
    finished = "finish_reason" in details or "refusal" in details
    return finished and ended_with(stream._response.source.response, b"[DONE]")


PROVIDER = Provider(
    extra="openai",
    libraries=("pydantic_ai", "openai"),
    open=open_chat,
    settings=settings,
    whole=whole,
    abilities=frozenset({Ability.TOOLS, Ability.IMAGES, Ability.SCHEMA, Ability.REASONING}),
)
