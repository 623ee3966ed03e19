"""Mistral's chat completions."""

import os

from callboard.models.providers.bridge.provider import ANY, Account, Opened, Provider


def _open(account: Account) -> Opened:
    from pydantic_ai.models.mistral import MistralModel
    from pydantic_ai.providers.mistral import MistralProvider

    from callboard.models.providers.bridge.transport import Client

    client = Client(account.connect)
    provider = MistralProvider(
        api_key=account.key("MISTRAL_API_KEY", environment=os.environ),
        base_url=account.url,
        http_client=client,
    )
    return Opened(MistralModel(account.model, provider=provider), client.aclose)


# The reason to stop and the token counts come in one chunk, the last.
PROVIDER = Provider(
    extra="mistral",
    libraries=("pydantic_ai", "mistralai"),
    open=_open,
    bare_thoughts=True,
    abilities=ANY,
)
