"""Amazon Bedrock's Converse."""

import asyncio
import os
from typing import Any

from callboard.domain.kinds import ErrorKind
from callboard.models.model import ModelRequest
from callboard.models.providers.bridge.provider import ANY, Account, Opened, Provider

_SILENCE = 3_600.0  # seconds between two pieces; the library must have a number, the caller's limit is shorter


def _open(account: Account) -> Opened:
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]
    from pydantic_ai.models.bedrock import BedrockConverseModel
    from pydantic_ai.providers.bedrock import BedrockProvider

    config: dict[str, Any] = {
        "connect_timeout": account.connect,
        "read_timeout": _SILENCE,
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "max_pool_connections": 100,
    }
    # A key is what the library calls a bearer token; without one it looks for credentials as all of AWS does.
    key = account.api_key or os.environ.get("AWS_BEARER_TOKEN_BEDROCK")
    if key:
        config["signature_version"] = "bearer"
    client = boto3.Session(botocore_session=_bearer(key) if key else None).client(
        "bedrock-runtime",
        region_name=account.options.get("region"),
        endpoint_url=account.url,
        config=Config(**config),
    )

    async def close() -> None:
        await asyncio.to_thread(client.close)

    return Opened(BedrockConverseModel(account.model, provider=BedrockProvider(bedrock_client=client)), close)


def _bearer(token: str) -> Any:
    from botocore.session import Session  # type: ignore[import-untyped]
    from botocore.tokens import FrozenAuthToken  # type: ignore[import-untyped]

    class WithToken(Session):  # type: ignore[misc]
        def get_auth_token(self, **_named: Any) -> FrozenAuthToken:
            return FrozenAuthToken(token)

        def get_credentials(self) -> None:
            return None

    return WithToken()


def _settings(request: ModelRequest) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if request.cache:
        chosen["cache"] = True  # after the tools, after the system prompt, and after the last message
    if request.metadata:
        chosen["bedrock_request_metadata"] = dict(request.metadata)
    return chosen


def _sort(error: Exception) -> ErrorKind | None:
    """What it says before it sends anything: whose credentials are missing, what it was told wrongly."""
    from botocore import exceptions  # type: ignore[import-untyped]

    if isinstance(
        error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError | exceptions.TokenRetrievalError
    ):
        return ErrorKind.AUTHENTICATION
    told_wrongly = (
        exceptions.NoRegionError,
        exceptions.ParamValidationError,
        exceptions.InvalidEndpointConfigurationError,
    )
    return ErrorKind.INVALID_REQUEST if isinstance(error, told_wrongly) else None


def _whole(stream: Any, answer: Any) -> bool:
    """A reason to stop was read and then the event that counts the tokens, the last."""
    return answer.finish_reason is not None and bool(answer.usage.input_tokens or answer.usage.output_tokens)


PROVIDER = Provider(
    extra="bedrock",
    libraries=("pydantic_ai", "boto3"),
    open=_open,
    settings=_settings,
    whole=_whole,
    sort=_sort,
    prices="aws",
    abilities=ANY,
)
