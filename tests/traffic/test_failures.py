"""What a provider says when it does not answer, and what stands in its place, become errors of the right kind.

Here nothing is recorded but the stream that a broken chunk is put into: the bodies are what the providers document.
"""

import asyncio
import json
import socket
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import user
from callboard.models import ModelRequest, ModelResponse, respond
from callboard.models.providers import provide
from tests.traffic.asking import Desk
from tests.traffic.records import MISSING, Record, events, present, recorded
from tests.traffic.serving import Answer, Provider, Seat, replay

pytestmark = pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning")

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
MODELS = {CHAT: "gpt-4o", RESPONSES: "gpt-5-mini", MESSAGES: "claude-sonnet-4-5"}
PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Wi-Fi of the station</h1></body></html>"
LATER = 90.0  # seconds
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}

both = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
everywhere = pytest.mark.parametrize("path", MODELS)


def openai_error(message: str, code: str | int | None = None, kind: str = "invalid_request_error") -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


def anthropic_error(message: str, kind: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).encode()


OPENAI: dict[str, tuple[int, bytes, ErrorKind]] = {
    "rate": (429, openai_error("Rate limit reached", "rate_limit_exceeded", "requests"), ErrorKind.RATE_LIMITED),
    "quota": (
        429,
        openai_error("You exceeded your quota", "insufficient_quota", "insufficient_quota"),
        ErrorKind.QUOTA,
    ),
    "key": (401, openai_error("Incorrect API key provided", "invalid_api_key"), ErrorKind.AUTHENTICATION),
    "rights": (403, openai_error("Country not supported", "unsupported_country"), ErrorKind.AUTHENTICATION),
    "model": (404, openai_error("The model does not exist", "model_not_found"), ErrorKind.INVALID_REQUEST),
    "field": (400, openai_error("Unknown parameter", "unknown_parameter"), ErrorKind.INVALID_REQUEST),
    "long": (
        400,
        openai_error("This model's maximum context length is 128000 tokens.", "context_length_exceeded"),
        ErrorKind.CONTEXT_TOO_LONG,
    ),
    "filter": (400, openai_error("The response was filtered", "content_filter"), ErrorKind.CONTENT_FILTERED),
    "broken": (500, openai_error("The server had an error", None, "server_error"), ErrorKind.UPSTREAM_DOWN),
    "gateway": (502, PAGE, ErrorKind.UPSTREAM_DOWN),
    "busy": (503, openai_error("The engine is currently overloaded", None, "server_error"), ErrorKind.OVERLOADED),
    "late": (504, PAGE, ErrorKind.UPSTREAM_DOWN),
}
ANTHROPIC: dict[str, tuple[int, bytes, ErrorKind]] = {
    "rate": (429, anthropic_error("Number of requests exceeded", "rate_limit_error"), ErrorKind.RATE_LIMITED),
    "quota": (
        400,
        anthropic_error("Your credit balance is too low to access the Anthropic API.", "invalid_request_error"),
        ErrorKind.QUOTA,
    ),
    "key": (401, anthropic_error("invalid x-api-key", "authentication_error"), ErrorKind.AUTHENTICATION),
    "rights": (403, anthropic_error("not allowed", "permission_error"), ErrorKind.AUTHENTICATION),
    "model": (404, anthropic_error("model: claude-9", "not_found_error"), ErrorKind.INVALID_REQUEST),
    "field": (400, anthropic_error("max_tokens: required", "invalid_request_error"), ErrorKind.INVALID_REQUEST),
    "long": (
        400,
        anthropic_error("prompt is too long: 215000 tokens > 200000 maximum", "invalid_request_error"),
        ErrorKind.CONTEXT_TOO_LONG,
    ),
    "broken": (500, anthropic_error("Internal server error", "api_error"), ErrorKind.UPSTREAM_DOWN),
    "busy": (503, PAGE, ErrorKind.OVERLOADED),
    "overloaded": (529, anthropic_error("Overloaded", "overloaded_error"), ErrorKind.OVERLOADED),
}
SAID = [(path, each) for path in (CHAT, RESPONSES) for each in OPENAI] + [(MESSAGES, each) for each in ANTHROPIC]


@both
@pytest.mark.parametrize(("path", "name"), SAID, ids=[f"{path[4:]}-{name}" for path, name in SAID])
async def test_a_status_becomes_its_kind(path: str, name: str, streamed: bool, provider: Provider) -> None:
    status, body, kind = (ANTHROPIC if path == MESSAGES else OPENAI)[name]
    told = {"content-type": "text/html"} if body is PAGE else JSON
    seat = provider.seat([Answer(body, status=status, headers=told)])
    failure = await failed(seat, path, streamed)
    assert failure.kind is kind, failure
    assert failure.detail["status"] == status
    assert len(seat.asked) == 1  # whether it is asked again is not for the adapter to say


@both
@everywhere
@pytest.mark.parametrize("dated", [False, True], ids=["seconds", "date"])
async def test_how_long_to_wait_is_read_in_seconds_or_as_a_date(
    path: str, streamed: bool, dated: bool, provider: Provider
) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=LATER), usegmt=True)
    body = (ANTHROPIC if path == MESSAGES else OPENAI)["rate"][1]
    headers = {**JSON, "retry-after": at if dated else "90"}
    failure = await failed(provider.seat([Answer(body, status=429, headers=headers)]), path, streamed)
    assert failure.kind is ErrorKind.RATE_LIMITED
    assert LATER - 10 < failure.detail["retry_after"] <= LATER
    assert failure.detail["sent"] is False


@everywhere
async def test_after_a_refusal_for_now_the_next_answer_is_read(path: str, provider: Provider) -> None:
    body = (ANTHROPIC if path == MESSAGES else OPENAI)["rate"][1]
    seat = provider.seat([Answer(body, status=429), Answer(PAGE, status=529), Answer(PAGE, status=503)])
    kinds = [(await failed(seat, path, True)).kind for _ in range(3)]
    assert kinds == [ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED, ErrorKind.OVERLOADED]


@both
@everywhere
@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/json", "text/event-stream"])
async def test_a_page_in_place_of_an_answer_is_malformed(
    path: str, streamed: bool, content_type: str, provider: Provider
) -> None:
    seat = provider.seat([Answer(PAGE, headers={"content-type": content_type})])
    assert (await failed(seat, path, streamed)).kind is ErrorKind.MALFORMED_OUTPUT


@both
@everywhere
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'"fine"', b'{"choices": []}', b'{"output": []}', b'{"content": []}', b"\xff\xfe{}"],
    ids=lambda body: repr(body)[2:-1] or "nothing",
)
async def test_json_that_is_no_answer_is_malformed(path: str, streamed: bool, body: bytes, provider: Provider) -> None:
    sent = b"data: %b\n\ndata: [DONE]\n\n" % body if streamed else body
    seat = provider.seat([Answer(sent, headers=SSE if streamed else JSON, chunked=streamed)])
    assert (await failed(seat, path, streamed)).kind is ErrorKind.MALFORMED_OUTPUT


@everywhere
@pytest.mark.parametrize(
    ("told", "kind"),
    [("overloaded", ErrorKind.OVERLOADED), ("rate", ErrorKind.RATE_LIMITED), ("broken", ErrorKind.UPSTREAM_DOWN)],
)
async def test_an_error_in_the_midst_of_a_stream_has_its_kind(
    path: str, told: str, kind: ErrorKind, provider: Provider
) -> None:
    stream = begin(path) + complaint(path, told)
    failure = await failed(provider.seat([Answer(stream, headers=SSE, chunked=True)]), path, True)
    assert failure.kind is kind, failure
    assert failure.detail.get("sent", True) is True  # some of the answer had come, so it is billed


@pytest.mark.skipif(not present(), reason=MISSING)
@pytest.mark.parametrize("family", ["openai_chat", "openai_responses", "anthropic_messages"])
@pytest.mark.parametrize("broken", [b'data: {"type": "resp\n', b"data: {]\n\n", b"data: \xff\xfe\n\n", b"data: 7\n\n"])
async def test_a_broken_chunk_is_malformed_and_not_left_out(family: str, broken: bytes, provider: Provider) -> None:
    if family == "anthropic_messages" and broken.endswith(b"\n\n"):
        broken = b"event: content_block_delta\n" + broken  # events without a name say nothing there
    desk = Desk(provider.seat())
    for record in smallest(family):
        told = [event.encode() for event in events(record.stream_text or "")]
        for at in (1, len(told) // 2, len(told) - 3):
            body = b"".join([*told[:at], broken, *told[at:]])
            answer = replay(record)
            desk.seat.say(Answer(body, headers=answer.headers, chunked=True, path=record.path))
            found = await desk.ask(record)
            assert isinstance(found, ModelFailed), f"{record.id}, before event {at}: {found.message.text!r}"
            assert found.kind is ErrorKind.MALFORMED_OUTPUT, found
    await desk.close()


@both
@everywhere
async def test_a_refused_connection_is_a_provider_that_is_down(path: str, streamed: bool) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and never listens
        failure = await failed(Seat(f"http://127.0.0.1:{nobody.getsockname()[1]}"), path, streamed)
    assert failure.kind is ErrorKind.UPSTREAM_DOWN
    assert failure.detail["sent"] is False


@everywhere
async def test_a_name_that_nobody_has_is_a_provider_that_is_down(path: str) -> None:
    failure = await failed(Seat("http://nobody.invalid"), path, True)
    assert failure.kind is ErrorKind.UPSTREAM_DOWN
    assert failure.detail["sent"] is False


@both
@everywhere
async def test_a_provider_that_nobody_reaches_is_given_up_after_the_time_to_connect(path: str, streamed: bool) -> None:
    with socket.socket() as hole, socket.socket() as first, socket.socket() as second:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)  # with its queue full, whoever knocks next hears nothing at all
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(hole.getsockname())
        failure = await failed(Seat(f"http://127.0.0.1:{hole.getsockname()[1]}"), path, streamed, connect=0.2)
    assert failure.kind in (ErrorKind.TIMEOUT, ErrorKind.UPSTREAM_DOWN)
    assert failure.detail["sent"] is False


@both
@everywhere
async def test_whoever_asks_decides_how_long_a_silent_provider_has(
    path: str, streamed: bool, provider: Provider
) -> None:
    seat = provider.seat([Answer(b"{}", before=30.0)])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await ask(seat, path, streamed)
    assert len(seat.asked) <= 1


@everywhere
async def test_no_key_stands_in_an_error(path: str, provider: Provider) -> None:
    secret = "sk-proj-0123456789abcdefABCDEF"
    body = openai_error(f"Incorrect API key provided: {secret}", "invalid_api_key")
    failure = await failed(provider.seat([Answer(body, status=401)]), path, False, key=secret)
    assert secret not in f"{''.join(traceback.format_exception(failure))} {failure.detail} {failure.record()}"


async def ask(seat: Seat, path: str, streamed: bool, connect: float = 10.0, key: str = "no-key") -> ModelResponse:
    """One question to the adapter of the interface with that path."""
    name, base = {CHAT: ("openai", "/v1"), RESPONSES: ("openai-responses", "/v1"), MESSAGES: ("anthropic", "")}[path]
    model = provide(f"{name}:{MODELS[path]}", url=seat.url + base, api_key=key, stream=streamed)
    request = ModelRequest(messages=(user("hello"),), max_output_tokens=1_000, connect=connect)
    try:
        return await respond(model, request)
    finally:
        await model.close()


async def failed(seat: Seat, path: str, streamed: bool, **said: Any) -> ModelFailed:
    """The error that comes of one question."""
    with pytest.raises(ModelFailed) as caught:
        await ask(seat, path, streamed, **said)
    return caught.value


def begin(path: str) -> bytes:
    """The first words of a stream."""
    if path == CHAT:
        choice = {"index": 0, "delta": {"role": "assistant", "content": "I thi"}, "finish_reason": None}
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
        return event(head | {"choices": [choice]})
    if path == RESPONSES:
        told = {"type": "response.created", "sequence_number": 0, "response": response("in_progress")}
        item = {"type": "message", "id": "msg_1", "status": "in_progress", "role": "assistant", "content": []}
        added = {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item}
        return event(told) + event(added)
    usage = {"input_tokens": 10, "output_tokens": 1}
    stop: dict[str, Any] = {"stop_reason": None, "stop_sequence": None}
    message = stop | {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": []}
    message["usage"] = usage
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "I thi"}}
    return b"".join(event(each) for each in ({"type": "message_start", "message": message}, block, delta))


def complaint(path: str, told: str) -> bytes:
    """How a stream says that something went wrong."""
    if path == CHAT:
        codes: dict[str, tuple[str | int, str]] = {"overloaded": (503, "server_error"), "rate": (429, "requests")}
        code, kind = codes.get(told, ("server_error", "server_error"))
        words = {"overloaded": "The engine is currently overloaded", "rate": "Rate limit reached"}
        return b"data: " + openai_error(words.get(told, "The server had an error"), code, kind) + b"\n\n"
    if path == RESPONSES:
        code = {"overloaded": "server_is_overloaded", "rate": "rate_limit_exceeded", "broken": "server_error"}[told]
        failed = response("failed") | {"error": {"code": code, "message": "Sorry."}}
        return event({"type": "response.failed", "sequence_number": 2, "response": failed})
    kind = {"overloaded": "overloaded_error", "rate": "rate_limit_error", "broken": "api_error"}[told]
    return event({"type": "error", "error": {"type": kind, "message": "Sorry."}})


def response(status: str) -> dict[str, Any]:
    """A response of OpenAI's with nothing in it."""
    empty: dict[str, Any] = {"output": [], "tools": [], "error": None, "incomplete_details": None, "metadata": {}}
    said = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5-mini", "status": status}
    return said | empty | {"parallel_tool_calls": True, "tool_choice": "auto", "usage": None}


def event(told: dict[str, Any]) -> bytes:
    """One event of a stream, with its name if it has one."""
    name = f"event: {told['type']}\n" if "type" in told else ""
    return f"{name}data: {json.dumps(told)}\n\n".encode()


def smallest(family: str, count: int = 3) -> Iterator[Record]:
    """A few streams with words in them, and not the longest."""
    streams = [record for record in recorded(family) if record.streamed]
    yield from sorted(streams, key=lambda record: len(record.body))[:count]
