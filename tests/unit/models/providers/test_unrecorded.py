"""Providers of which there are no recordings: their adapters open and send, and what they share is run with the
library's own models for tests. Their answers here are written by hand after the providers' pages."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models import Model as TheirModel
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_ai.models.test import TestModel

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message, Reasoning, Role, Text, ToolCall, ToolResult, system, user
from callboard.domain.toolspec import ToolSpec
from callboard.domain.usage import Usage
from callboard.models import CallDelta, FinishReason, ModelInfo, TextDelta
from callboard.models.providers import Account, Adapter, Opened, Provider, provide
from callboard.models.providers.bedrock import PROVIDER as BEDROCK
from tests.unit.models.providers.asking import KEY, answered, model_at, streamed
from tests.unit.models.providers.front import Answer, Front, events

SKY = ToolSpec("sky", "", {"type": "object", "properties": {"at": {"type": "integer"}}, "required": ["at"]})


def adapted(theirs: TheirModel) -> Adapter:
    async def close() -> None:
        pass

    provider = Provider(
        extra="x", libraries=(), open=lambda account: Opened(theirs, close), whole=lambda stream, answer: True
    )
    return Adapter(provider, Account("test:m", "m", None, None, 1.0, {}), ModelInfo(name="m", provider="test"))


@pytest.mark.parametrize("stream", [True, False])
async def test_the_librarys_own_test_model_calls_a_tool_and_then_speaks(stream: bool) -> None:
    model = adapted(TestModel())
    model = Adapter(model._provider, model._account, model.info, stream=stream)
    called = await answered(model, tools=(SKY,))
    (call,) = called.message.tool_calls
    assert (call.name, set(call.arguments), called.finish) == ("sky", {"at"}, FinishReason.TOOL_CALLS)
    result = Message(Role.TOOL, (ToolResult(call.id, "sky", "blue"),))
    said = await answered(model, user("hi"), called.message, result, tools=(SKY,))
    assert said.message.text == '{"sky":"blue"}'
    assert said.usage.input_tokens > 0


async def test_whatever_a_function_says_comes_as_deltas_and_as_a_whole() -> None:
    heard: list[ModelMessage] = []

    async def speak(asked: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        heard.extend(asked)
        yield {0: DeltaThinkingPart(content="hm", signature="SIG")}
        yield {1: DeltaToolCall(name="sky", json_args='{"at"', tool_call_id="a")}
        yield {1: DeltaToolCall(json_args=":1}")}
        yield {2: DeltaToolCall(name="sky", json_args='{"at":2}', tool_call_id="b")}

    deltas, answer = await streamed(
        adapted(FunctionModel(stream_function=speak)), system("be brief"), user("hi"), tools=(SKY,)
    )
    assert [type(part).__name__ for message in heard for part in message.parts] == [
        "SystemPromptPart",
        "UserPromptPart",
    ]
    assert answer.message.parts == (
        Reasoning("hm", '{"signature":"SIG"}', "test"),
        ToolCall("a", "sky", {"at": 1}),
        ToolCall("b", "sky", {"at": 2}),
    )
    assert [each.index for each in deltas if isinstance(each, CallDelta)] == [0, 0, 1]


async def test_words_of_a_function_stream() -> None:
    async def speak(asked: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield "one "
        yield "two"

    deltas, answer = await streamed(adapted(FunctionModel(stream_function=speak)))
    assert deltas == [TextDelta("one "), TextDelta("two")]
    assert answer.message.parts == (Text("one two"),)


async def test_a_mistake_of_the_library_is_no_answer() -> None:
    async def speak(asked: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield "one"
        raise KeyError("choices")

    with pytest.raises(ModelFailed, match="KeyError") as caught:
        await answered(adapted(FunctionModel(stream_function=speak)))
    assert caught.value.kind is ErrorKind.MALFORMED_OUTPUT


GEMINI: list[dict[str, Any]] = [
    {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "one "}]}, "index": 0}],
        "modelVersion": "gemini-x-1",
        "responseId": "r1",
        "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7},
    },
    {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "two"},
                        {"functionCall": {"name": "sky", "args": {"at": 1}}, "thoughtSignature": "U0lH"},
                    ],
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "modelVersion": "gemini-x-1",
        "responseId": "r1",
        "usageMetadata": {
            "promptTokenCount": 7,
            "candidatesTokenCount": 3,
            "thoughtsTokenCount": 4,
            "cachedContentTokenCount": 5,
            "totalTokenCount": 14,
        },
    },
]


@pytest.mark.parametrize("size", [1, 4096])
async def test_gemini_written_by_hand(here: Front, size: int) -> None:
    model = model_at(here, "google:gemini-2.5-pro")
    here.say(Answer(events(*GEMINI).replace(b"\n\n", b"\r\n\r\n"), size=size))
    answer = await answered(model, tools=(SKY,))
    assert (answer.message.text, answer.finish, answer.provider) == ("one two", FinishReason.TOOL_CALLS, "google")
    assert [(call.name, call.arguments) for call in answer.message.tool_calls] == [("sky", {"at": 1})]
    assert answer.usage == Usage(7, 7, 0, 5, 4)
    # The signature of the call goes back with it.
    here.say(Answer(events(GEMINI[1])))
    result = Message(Role.TOOL, (ToolResult(answer.message.tool_calls[0].id, "sky", "blue"),))
    await answered(model, user("hi"), answer.message, result, tools=(SKY,))
    assert "U0lH" in str(here.asked[-1].body["contents"][1])


async def test_gemini_cut_off_is_no_answer(here: Front) -> None:
    here.say(events(GEMINI[0]))
    with pytest.raises(ModelFailed) as caught:
        await answered(model_at(here, "google:gemini-2.5-pro"))
    assert caught.value.kind is ErrorKind.MALFORMED_OUTPUT


def mistral(*deltas: dict[str, Any], finish: str | None = "stop") -> list[dict[str, Any]]:
    about = {"id": "m1", "object": "chat.completion.chunk", "created": 1, "model": "mistral-x-1"}
    said: list[dict[str, Any]] = [
        {**about, "choices": [{"index": 0, "delta": each, "finish_reason": None}]} for each in deltas
    ]
    if finish:
        said[-1]["choices"][0]["finish_reason"] = finish
        said[-1]["usage"] = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return said


async def test_mistral_written_by_hand(here: Front) -> None:
    model = model_at(here, "mistral:mistral-large-latest")
    call = {"id": "abcdefghi", "function": {"name": "sky", "arguments": '{"at": 1}'}, "index": 0}
    said = ({"role": "assistant", "content": "one "}, {"content": "two", "tool_calls": [call]})
    here.say(events(*mistral(*said, finish="tool_calls"), "[DONE]"))
    answer = await answered(model, tools=(SKY,))
    assert (answer.message.text, answer.usage) == ("one two", Usage(7, 3))
    assert answer.message.tool_calls == (ToolCall("abcdefghi", "sky", {"at": 1}),)
    here.say(events(*mistral({"content": "one "}, {"content": "two"}, finish=None)))
    with pytest.raises(ModelFailed) as caught:
        await answered(model)
    assert caught.value.kind is ErrorKind.MALFORMED_OUTPUT


async def test_bedrock_opens_without_retries_and_with_the_key_that_it_was_given(here: Front) -> None:
    account = Account("bedrock:m", "amazon.nova-pro-v1:0", here.url, KEY, 3.0, {"region": "eu-central-1"})
    opened = await asyncio.to_thread(BEDROCK.open, account)
    client = opened.model.client
    assert client.meta.config.retries == {"total_max_attempts": 1, "mode": "standard"}
    assert (client.meta.config.connect_timeout, client.meta.region_name) == (3.0, "eu-central-1")
    await opened.close()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)


@pytest.mark.usefixtures("credentials")
async def test_bedrock_asks_once_and_sorts_what_it_hears(here: Front) -> None:
    throttled = Answer(
        b'{"message": "Too many requests"}', "application/json", 429, {"x-amzn-errortype": "ThrottlingException"}
    )
    here.say(throttled, throttled)
    model = provide("bedrock:amazon.nova-pro-v1:0", url=here.url, region="eu-central-1")
    with pytest.raises(ModelFailed) as caught:
        await answered(model, system("be brief"), user("hi"), tools=(SKY,))
    assert (caught.value.kind, caught.value.detail["sent"]) == (ErrorKind.RATE_LIMITED, False)
    assert [each.path for each in here.asked] == ["/model/amazon.nova-pro-v1%3A0/converse-stream"]
    body = here.asked[0].body
    assert "cachePoint" in str(body["system"])
    assert body["messages"][0]["content"][0] == {"text": "hi"}


async def test_bedrock_sends_no_key_where_anybody_could_read_it(here: Front) -> None:
    model = provide("bedrock:amazon.nova-pro-v1:0", url=here.url, api_key=KEY, region="eu-central-1")
    with pytest.raises(ModelFailed, match="requires an HTTPS endpoint") as caught:
        await answered(model)
    assert (caught.value.kind, caught.value.detail) == (ErrorKind.INVALID_REQUEST, {"sent": False})


async def test_bedrock_without_credentials_or_a_region_says_so(here: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "BEARER_TOKEN_BEDROCK", "DEFAULT_REGION", "REGION", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for file in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(file, "/nowhere")
    with pytest.raises(ModelFailed, match="region") as caught:
        await answered(provide("bedrock:amazon.nova-pro-v1:0", url=here.url))
    assert (caught.value.kind, caught.value.detail) == (ErrorKind.INVALID_REQUEST, {"sent": False})
    with pytest.raises(ModelFailed, match="credentials") as caught:
        await answered(provide("bedrock:amazon.nova-pro-v1:0", url=here.url, region="eu-central-1"))
    assert (caught.value.kind, caught.value.detail) == (ErrorKind.AUTHENTICATION, {"sent": False})


async def test_ollama_is_asked_where_it_is_when_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_BASE_URL", raising=False)
    model = provide("ollama:llama3")
    opened = await asyncio.to_thread(model._provider.open, model._account)
    assert str(opened.model.client.base_url) == "http://127.0.0.1:11434/v1/"
    assert opened.model.client.max_retries == 0
    await opened.close()
