"""OpenAI's Responses."""

import os
from typing import Any

from callboard.models.model import ModelRequest
from callboard.models.providers.bridge.provider import ANY, Account, Opened, Provider


def _open(account: Account) -> Opened:
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    from callboard.models.providers.bridge.transport import Client

    client = AsyncOpenAI(
        api_key=account.key("OPENAI_API_KEY", environment=os.environ),
        base_url=account.url,
        max_retries=0,
        http_client=Client(account.connect),
    )
    model = OpenAIResponsesModel(account.model, provider=OpenAIProvider(openai_client=client))
    return Opened(model, client.close)


def _settings(request: ModelRequest) -> dict[str, Any]:
    from callboard.models.providers.bridge.transport import patience

    chosen: dict[str, Any] = {"timeout": patience(request.connect)}
    if request.reasoning is not None:
        chosen["openai_reasoning_effort"] = request.reasoning
    if request.metadata:
        kept = dict(request.metadata)
        if key := kept.pop("prompt_cache_key", ""):
            chosen["openai_prompt_cache_key"] = key
        if kept:
            chosen["extra_body"] = {"metadata": kept}
    return chosen


def _whole(stream: Any, answer: Any) -> bool:
    """One of the events that end a response was read: all others leave the answer incomplete."""
    return bool(answer.state == "complete")


PROVIDER = Provider(
    extra="openai",
    libraries=("pydantic_ai", "openai"),
    open=_open,
    settings=_settings,
    whole=_whole,
    prices="openai",
    abilities=ANY,
)
