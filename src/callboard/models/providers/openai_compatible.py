"""Whoever speaks OpenAI's chat completions at an address of their own: vLLM, llama.cpp, a gateway."""

from typing import Any

from callboard.models.providers.bridge.provider import Account, Opened, Provider
from callboard.models.providers.openai import settings, whole

# The older word for the most tokens of an answer: who knows only that one would leave the newer unread, and a limit
# that is not kept costs money.
PLAIN: Any = {"openai_chat_supports_max_completion_tokens": False}


def _open(account: Account) -> Opened:
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    from callboard.models.providers.bridge.transport import Client

    client = AsyncOpenAI(
        # Most of them want no key, and the library wants one.
        api_key=account.api_key or "none",
        base_url=account.url,
        max_retries=0,
        http_client=Client(account.connect),
    )
    model = OpenAIChatModel(account.model, provider=OpenAIProvider(openai_client=client), profile=PLAIN)
    return Opened(model, client.close)


PROVIDER = Provider(
    extra="openai",
    libraries=("pydantic_ai", "openai"),
    open=_open,
    settings=settings,
    whole=whole,
    needs_url=True,
    many=True,
)
