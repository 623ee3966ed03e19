"""Who is compared: each asks one question of one provider, for the whole answer or for a stream."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol, TypeAlias

import callboard as cb
from bench.places.place import opened
from bench.providers.wire import TEXT
from callboard.domain.message import system, user
from callboard.domain.toolspec import ToolSpec
from callboard.models import ModelRequest, ModelResponse, TextDelta

PROMPT, QUESTION = "You answer in short words. " * 10, "What is the weather in Paris, and what in Rome?"
TOOL = ToolSpec(
    "weather",
    "What the weather is like in a city.",
    {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "its name"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
KEY = "no-key"
PATIENCE = 60.0  # seconds for one stream
LENGTH = 4096  # tokens at most: without it one library asks for so many that the provider insists on a stream


class Caller(Protocol):
    """Asks one model in one way."""

    async def call(self) -> str:
        """The text of the whole answer."""
        ...

    def stream(self) -> AsyncIterator[str]:
        """The texts of a streamed answer as they come."""
        ...


Callers: TypeAlias = Mapping[str, Caller]


class ChatSdk:
    """OpenAI's own client, chat completions."""

    def __init__(self, url: str) -> None:
        from openai import AsyncOpenAI

        self._client = AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
        function = {"name": TOOL.name, "description": TOOL.description, "parameters": TOOL.parameters}
        self._asked: dict[str, Any] = {
            "model": "gpt-4o",
            "max_completion_tokens": LENGTH,
            "messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": QUESTION}],
            "tools": [{"type": "function", "function": function}],
        }

    async def call(self) -> str:
        answer = await self._client.chat.completions.create(**self._asked)
        return answer.choices[0].message.content or ""

    async def stream(self) -> AsyncIterator[str]:
        asked = self._asked | {"stream": True, "stream_options": {"include_usage": True}}
        async for chunk in await self._client.chat.completions.create(**asked):
            for choice in chunk.choices:
                if choice.delta.content:
                    yield choice.delta.content


class MessagesSdk:
    """Anthropic's own client, messages."""

    def __init__(self, url: str) -> None:
        from anthropic import AsyncAnthropic

        self._client = AsyncAnthropic(base_url=url, api_key=KEY, max_retries=0)
        self._asked: dict[str, Any] = {
            "model": "claude-sonnet-4-5",
            "max_tokens": LENGTH,
            "system": PROMPT,
            "messages": [{"role": "user", "content": QUESTION}],
            "tools": [{"name": TOOL.name, "description": TOOL.description, "input_schema": TOOL.parameters}],
        }

    async def call(self) -> str:
        answer = await self._client.messages.create(**self._asked)
        return "".join(block.text for block in answer.content if block.type == "text")

    async def stream(self) -> AsyncIterator[str]:
        async for event in await self._client.messages.create(**self._asked, stream=True):
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                yield event.delta.text


class Library:
    """The model class of pydantic-ai, as its agents use it."""

    def __init__(self, model: Any) -> None:
        from pydantic_ai import messages, models, tools

        self._model, self._settings = model, {"max_tokens": LENGTH}
        parts: list[Any] = [messages.SystemPromptPart(PROMPT), messages.UserPromptPart(QUESTION)]
        self._messages: list[Any] = [messages.ModelRequest(parts=parts)]
        known = tools.ToolDefinition(
            name=TOOL.name, description=TOOL.description, parameters_json_schema=TOOL.parameters
        )
        self._parameters = models.ModelRequestParameters(function_tools=[known])

    async def call(self) -> str:
        answer = await self._model.request(self._messages, self._settings, self._parameters)
        return answer.text or ""

    async def stream(self) -> AsyncIterator[str]:
        from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

        async with self._model.request_stream(self._messages, self._settings, self._parameters) as events:
            async for event in events:
                match event:
                    case PartStartEvent(part=TextPart(content=text)) if text:
                        yield text
                    case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                        yield text
                    case _:
                        pass
            assert events.get().usage.output_tokens


class Ours:
    """Our adapter, asked directly."""

    def __init__(self, whole: Any, streaming: Any) -> None:
        self._whole, self._streaming = whole, streaming
        messages = (system(PROMPT), user(QUESTION))
        self._request = ModelRequest(messages=messages, tools=(TOOL,), max_output_tokens=LENGTH)

    async def call(self) -> str:
        async for part in self._whole.stream(self._request):
            if isinstance(part, ModelResponse):
                return part.message.text
        raise AssertionError("no answer")

    async def stream(self) -> AsyncIterator[str]:
        async for part in self._streaming.stream(self._request):
            if isinstance(part, TextDelta):
                yield part.text


class Run:
    """A whole agent run of one call, from its start to its result, in a store in memory."""

    def __init__(self, rt: cb.Runtime, whole: Any, streaming: Any) -> None:
        self._rt, self._whole, self._streaming = rt, whole, streaming

    async def call(self) -> str:
        return str(await self._rt.run(self._whole, QUESTION))

    async def stream(self) -> AsyncIterator[str]:
        handle = await self._rt.start(self._streaming, QUESTION)
        left = len(TEXT)
        async with asyncio.timeout(PATIENCE):
            async for chunk in handle.stream():
                if isinstance(chunk.value, TextDelta):
                    yield chunk.value.text
                    left -= len(chunk.value.text)
                    if not left:
                        break
        assert await handle.result() == TEXT


async def callers(api: str, url: str, held: AsyncExitStack) -> Callers:
    """The four of one interface, the one with the fewest layers first."""
    from callboard.models.providers import provide

    sdk, library, reference, base = _parts(api, url)
    whole, streaming = (provide(reference, url=base, api_key=KEY, stream=stream) for stream in (False, True))
    for ours in (whole, streaming):
        held.push_async_callback(ours.close)
    app = cb.App(f"providers-{api}")

    @app.tool(effect="read")
    async def weather(city: str) -> str:
        """What the weather is like in a city."""
        return "fine"

    agents = [
        app.agent(name, model=model, prompt=PROMPT, tools=[weather], max_output_tokens=LENGTH)
        for name, model in (("whole", whole), ("streaming", streaming))
    ]
    rt = await held.enter_async_context(opened(app, "sqlite:///:memory:"))
    return {"sdk": sdk, "library": Library(library), "ours": Ours(whole, streaming), "run": Run(rt, *agents)}


def _parts(api: str, url: str) -> tuple[Caller, Any, str, str]:
    """The SDK's caller, the library's model, our reference, and the URL as both take it."""
    if api == "chat":
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        base = f"{url}/v1"
        model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(base_url=base, api_key=KEY))
        return ChatSdk(url), model, "openai:gpt-4o", base
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    messages = AnthropicModel("claude-sonnet-4-5", provider=AnthropicProvider(base_url=url, api_key=KEY))
    return MessagesSdk(url), messages, "anthropic:claude-sonnet-4-5", url
