"""Google's Gemini."""

import os

from callboard.models.providers.bridge.provider import ANY, Account, Opened, Provider


def _open(account: Account) -> Opened:
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    from callboard.models.providers.bridge.transport import Client

    client = Client(account.connect)
    provider = GoogleProvider(
        api_key=account.key("GOOGLE_API_KEY", "GEMINI_API_KEY", environment=os.environ),
        base_url=account.url,
        http_client=client,
    )
    return Opened(GoogleModel(account.model, provider=provider), client.aclose)


# A stream of theirs has no last word but the reason to stop, which is in the chunk with the last tokens.
PROVIDER = Provider(
    extra="google",
    libraries=("pydantic_ai", "google.genai"),
    open=_open,
    schema_with_tools="google_supports_tool_combination",
    abilities=ANY,
)
