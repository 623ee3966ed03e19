"""One opened model: asks it, and streams what it says."""

from collections.abc import AsyncIterator
from typing import Any

from pydantic_ai import native_tools
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.messages import (
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.tools import ToolDefinition

from callboard.domain import codec
from callboard.domain.errors import InputInvalid, ModelFailed
from callboard.domain.message import Media, Role
from callboard.domain.toolspec import ToolSpec
from callboard.models.info import ModelInfo
from callboard.models.model import (
    CallDelta,
    FinishReason,
    ModelRequest,
    ModelResponse,
    ReasoningDelta,
    StreamPart,
    TextDelta,
)
from callboard.models.providers.bridge.failures import cut, failure_of, unreadable, unsent
from callboard.models.providers.bridge.fetching import check_media
from callboard.models.providers.bridge.mapping import definition_of, messages_of, parameters_of, settings_of
from callboard.models.providers.bridge.provider import Account, Opened, Provider
from callboard.models.providers.bridge.reading import answer_of


class Asking:
    """A provider's model, opened.

    Args:
        provider: whose it is.
        account: where it is, and with which options.
        info: what is known of it.
        mark: whose its thoughts are, in our messages.
        opened: the adapter library's model.
    """

    def __init__(self, provider: Provider, account: Account, info: ModelInfo, mark: str, opened: Opened) -> None:
        self._provider = provider
        self._account = account
        self._info = info
        self._mark = mark
        self._model = opened.model
        self._system = opened.model.system
        profile = opened.model.profile
        self._schema = bool(profile.get("supports_json_schema_output", False))
        both = provider.schema_with_tools
        self._schema_with_tools = self._schema and (not both or bool(profile.get(both, False)))
        self._short_ids = profile.get("tool_call_id_length") is not None
        self._media_hosts = frozenset(account.options.get("media_hosts", ()))
        self._hosted = [_hosted(each) for each in account.options.get("hosted", ())]
        self._extra = dict(account.options.get("settings", {}))
        self._tools: tuple[tuple[ToolSpec, ...], list[ToolDefinition]] = ((), [])
        self.close = opened.close

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamPart]:
        """Ask, and yield what comes as it comes, the whole answer last. Raises ModelFailed."""
        begun = False
        calls: dict[int, int] = {}
        await self._look_at_media(request)
        asked = self._asked(request)  # a mistake of ours in there is no failure of the provider's
        try:
            async with self._model.request_stream(*asked) as stream:
                async for event in stream:
                    begun = True
                    kind = type(event)
                    if kind is PartDeltaEvent:
                        delta = event.delta
                        if type(delta) is TextPartDelta:
                            if delta.content_delta:
                                yield TextDelta(delta.content_delta)
                        elif type(delta) is ThinkingPartDelta:
                            if delta.content_delta:
                                yield ReasoningDelta(delta.content_delta)
                        elif type(delta) is ToolCallPartDelta and event.index in calls and delta.args_delta:
                            yield CallDelta(calls[event.index], arguments_text=_written(delta.args_delta))
                    elif kind is PartStartEvent:
                        part = event.part
                        if isinstance(part, TextPart):
                            if part.content:
                                yield TextDelta(part.content)
                        elif isinstance(part, ThinkingPart):
                            if part.content:
                                yield ReasoningDelta(part.content)
                        elif isinstance(part, ToolCallPart):
                            at = calls.setdefault(event.index, len(calls))
                            yield CallDelta(at, part.tool_call_id, part.tool_name, _written(part.args))
                answer = stream.get()
                if not self._provider.whole(stream, answer):
                    raise cut(self._account.reference)
        except Exception as error:
            raise self._failure(error, request, begun) from None  # what it is made from may show keys
        whole = answer_of(answer, self._info, self._mark)
        if whole.finish is FinishReason.REFUSAL and not any(isinstance(p, TextPart) for p in answer.parts):
            yield TextDelta(whole.message.text)  # a refusal comes at the end, in no part
        yield whole

    async def whole(self, request: ModelRequest) -> ModelResponse:
        """Ask for the answer in one piece. Raises ModelFailed."""
        await self._look_at_media(request)
        messages, settings, parameters = self._asked(request)
        settings.update(self._provider.at_once(request))
        try:
            answer = await self._model.request(messages, settings, parameters)
        except Exception as error:
            raise self._failure(error, request, False) from None
        return answer_of(answer, self._info, self._mark)

    async def _look_at_media(self, request: ModelRequest) -> None:
        if _fetches(request):
            await check_media(request, self._media_hosts)

    def _asked(self, request: ModelRequest) -> tuple[Any, Any, Any]:
        messages = messages_of(request, self._mark, self._system, bare_thoughts=self._provider.bare_thoughts)
        settings = settings_of(request)
        settings.update(self._provider.settings(request))
        settings.update(self._extra)
        native = self._schema_with_tools if request.tools else self._schema
        parameters = parameters_of(request, self._definitions(request.tools), self._hosted, native)
        if self._short_ids or any(message.role is Role.SYSTEM for message in request.messages[1:]):
            # Ids of another provider's calls may be too long here, and not all take system messages in between.
            messages = self._model.prepare_messages(messages, parameters)
        return messages, settings, parameters

    def _definitions(self, tools: tuple[ToolSpec, ...]) -> list[ToolDefinition]:
        """The tools as the library describes them; they are the same from turn to turn."""
        known, found = self._tools
        if known is not tools and (
            len(known) != len(tools) or any(a is not b for a, b in zip(known, tools, strict=True))
        ):
            found = [definition_of(tool) for tool in tools]
            self._tools = (tools, found)
        return found

    def _failure(self, error: Exception, request: ModelRequest, begun: bool) -> Exception:
        reference = self._account.reference
        if not begun and _fetches(request) and not isinstance(error, ModelFailed | AgentRunError | UserError):
            return unreadable(error, reference)  # the library has words of its own for all that providers do
        if not begun and (kind := self._provider.sort(error)) is not None:
            return unsent(error, reference, kind, self._account.api_key)
        return failure_of(error, reference, begun=begun, secret=self._account.api_key)


def _fetches(request: ModelRequest) -> bool:
    parts = (part for message in request.messages for part in message.parts)
    return any(isinstance(part, Media) and not part.ref.startswith("blob:") for part in parts)


def _written(arguments: str | dict[str, Any] | None) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return codec.encode(arguments).decode()


def _hosted(name: str) -> Any:
    kind = native_tools.NATIVE_TOOL_TYPES.get(name)
    if kind is None:
        known = ", ".join(sorted(native_tools.NATIVE_TOOL_TYPES))
        raise InputInvalid(f"hosted={name!r} is no tool that a provider runs itself", remedy=f"take one of {known}")
    return kind()
