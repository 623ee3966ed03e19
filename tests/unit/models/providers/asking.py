"""Asking a provider of the tests."""

from collections.abc import Sequence
from typing import Any

from callboard.domain.message import Message, user
from callboard.models import Delta, ModelRequest, ModelResponse, respond
from callboard.models.providers import Adapter, provide
from tests.unit.models.providers.front import Front

PATHS = {"openai": "/v1", "openai-responses": "/v1", "openai-compatible": "/v1", "ollama": "/v1"}
KEY = "sk-test-0123456789"


def model_at(here: Front, reference: str = "openai:gpt-x", **options: Any) -> Adapter:
    path = PATHS.get(reference.partition(":")[0], "")
    return provide(reference, url=here.url + path, api_key=KEY, **options)


async def answered(model: Adapter, *messages: Message, **asked: Any) -> ModelResponse:
    return (await streamed(model, *messages, **asked))[1]


async def streamed(model: Adapter, *messages: Message, **asked: Any) -> tuple[list[Delta], ModelResponse]:
    seen: list[Delta] = []
    try:
        answer = await respond(model, ModelRequest(messages=messages or (user("hi"),), **asked), seen.append)
    finally:
        await model.close()
    return seen, answer


def joined(deltas: Sequence[Delta], kind: type) -> str:
    return "".join([each.text for each in deltas if type(each) is kind])  # type: ignore[union-attr]
