"""A short talk with each real provider whose key is in the environment: `pytest -m live`. It costs a few cents.

`CALLBOARD_LIVE_ANTHROPIC=claude-...` and the like name other models than those here.
"""

import os
from collections.abc import AsyncIterator

import msgspec
import pytest

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message, Role, ToolResult, system, user
from callboard.domain.toolspec import ToolSpec
from callboard.models import Delta, FinishReason, ModelRequest, TextDelta, respond
from callboard.models.providers import Adapter, provide

pytestmark = pytest.mark.live

MODELS = {
    "openai": ("OPENAI_API_KEY", "gpt-5-mini"),
    "openai-responses": ("OPENAI_API_KEY", "gpt-5-mini"),
    "anthropic": ("ANTHROPIC_API_KEY", "claude-haiku-4-5"),
    "google": ("GOOGLE_API_KEY", "gemini-2.5-flash"),
    "mistral": ("MISTRAL_API_KEY", "mistral-small-latest"),
    "bedrock": ("AWS_BEARER_TOKEN_BEDROCK", "amazon.nova-lite-v1:0"),
    "ollama": ("OLLAMA_BASE_URL", "llama3.2"),
}
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
DOUBLE = ToolSpec("double", "Doubles a number. The only way to do it right.", NUMBER)


@pytest.fixture(params=sorted(MODELS))
async def model(request: pytest.FixtureRequest) -> AsyncIterator[Adapter]:
    name = request.param
    variable, usual = MODELS[name]
    if not os.environ.get(variable):
        pytest.skip(f"{variable} is not set: nothing was asked of {name}")
    chosen = os.environ.get(f"CALLBOARD_LIVE_{name.upper().replace('-', '_')}", usual)
    adapter = provide(f"{name}:{chosen}")
    yield adapter
    await adapter.close()


async def test_it_speaks_in_pieces_and_counts(model: Adapter) -> None:
    seen: list[Delta] = []
    asked = (system("You count in words."), user("Count from one to ten, with commas."))
    answer = await respond(model, ModelRequest(messages=asked, max_output_tokens=2_000), seen.append)
    assert "seven" in answer.message.text.lower()
    assert "".join([each.text for each in seen if isinstance(each, TextDelta)]) == answer.message.text
    assert answer.finish is FinishReason.STOP
    assert answer.usage.input_tokens > 0 < answer.usage.output_tokens


async def test_it_calls_a_tool_and_goes_on_with_what_it_heard(model: Adapter) -> None:
    question = user("Double 21 with the tool, then say the result.")
    first = await respond(model, ModelRequest(messages=(question,), tools=(DOUBLE,), max_output_tokens=4_000))
    assert first.finish is FinishReason.TOOL_CALLS
    (call,) = first.message.tool_calls
    assert (call.name, call.arguments) == ("double", {"n": 21})
    # With all that it kept for itself, as a provider that checks its signatures wants it.
    result = Message(Role.TOOL, (ToolResult(call.id, "double", 42),))
    talk = (question, first.message, result)
    second = await respond(model, ModelRequest(messages=talk, tools=(DOUBLE,), turn=1, max_output_tokens=4_000))
    assert "42" in second.message.text


async def test_it_fills_in_a_schema(model: Adapter) -> None:
    asked = ModelRequest(messages=(user("What is 6 times 7?"),), output_schema=NUMBER, max_output_tokens=4_000)
    assert msgspec.json.decode((await respond(model, asked)).message.text) == {"n": 42}


async def test_an_unknown_model_is_a_named_failure(model: Adapter) -> None:
    other = provide(f"{model.name.partition(':')[0]}:no-such-model-anywhere")
    with pytest.raises(ModelFailed) as caught:
        await respond(other, ModelRequest(messages=(user("hi"),), max_output_tokens=100))
    await other.close()
    assert caught.value.kind in (ErrorKind.INVALID_REQUEST, ErrorKind.AUTHENTICATION)
