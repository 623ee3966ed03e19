"""Ollama, on this machine or another."""

import os

from callboard.models.providers.bridge.provider import Account, Opened, Provider
from callboard.models.providers.openai import settings, whole
from callboard.models.providers.openai_compatible import PLAIN

_HERE = "http://127.0.0.1:11434/v1"


def _open(account: Account) -> Opened:
    from openai import AsyncOpenAI
    from pydantic_ai.models.ollama import OllamaModel
    from pydantic_ai.providers.ollama import OllamaProvider

    from callboard.models.providers.bridge.transport import Client

    client = AsyncOpenAI(
        api_key=account.api_key or os.environ.get("OLLAMA_API_KEY") or "none",  # only their cloud wants one
        base_url=account.url or os.environ.get("OLLAMA_BASE_URL") or _HERE,
        max_retries=0,
        http_client=Client(account.connect),
    )
    # Not through the model's own argument: that would take the place of what its class knows of their cloud.
    model = OllamaModel(account.model, provider=OllamaProvider(openai_client=client))
    model.profile.update(PLAIN)
    return Opened(model, client.close)


PROVIDER = Provider(
    extra="openai",
    libraries=("pydantic_ai", "openai"),
    open=_open,
    settings=settings,
    whole=whole,
)
