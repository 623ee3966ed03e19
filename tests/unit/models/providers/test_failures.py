"""Whatever goes wrong at a provider has a name, and half an answer is never taken for a whole one."""

import asyncio
import gzip
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Media, Message, Role, user
from callboard.models import ModelRequest, respond
from callboard.models.providers import Adapter, provide
from tests.unit.models.providers.asking import KEY, answered, model_at
from tests.unit.models.providers.front import PAGE, Answer, Front, chat, chat_chunks, events, messages, plain
from tests.unit.models.providers.test_streams import response, responses

ASKED = ModelRequest(messages=(user("hi"),))
CHAT, CLAUDE, RESPONSES = "openai:gpt-x", "anthropic:claude-x", "openai-responses:gpt-y"


async def failure(model: Adapter, *said: Message) -> ModelFailed:
    with pytest.raises(ModelFailed) as caught:
        await answered(model, *said)
    return caught.value


def openai_error(message: str = "no", code: str | None = None, type: str = "some_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


def claude_error(type: str, message: str = "no") -> dict[str, Any]:
    return {"type": "error", "error": {"type": type, "message": message}}


@pytest.mark.parametrize(
    ("reference", "status", "body", "kind", "sent"),
    [
        (CHAT, 400, openai_error(), ErrorKind.INVALID_REQUEST, False),
        (CHAT, 404, openai_error(code="model_not_found"), ErrorKind.INVALID_REQUEST, False),
        (CHAT, 422, openai_error(), ErrorKind.INVALID_REQUEST, False),
        (CHAT, 401, openai_error(code="invalid_api_key"), ErrorKind.AUTHENTICATION, False),
        (CHAT, 403, openai_error(), ErrorKind.AUTHENTICATION, False),
        (CHAT, 429, openai_error(code="rate_limit_exceeded"), ErrorKind.RATE_LIMITED, False),
        (CHAT, 429, openai_error(code="insufficient_quota"), ErrorKind.QUOTA, False),
        (CHAT, 400, openai_error(code="context_length_exceeded"), ErrorKind.CONTEXT_TOO_LONG, False),
        (CHAT, 400, openai_error("maximum context length is 10"), ErrorKind.CONTEXT_TOO_LONG, False),
        (CHAT, 400, openai_error(code="content_policy_violation"), ErrorKind.CONTENT_FILTERED, False),
        (CHAT, 500, openai_error(), ErrorKind.UPSTREAM_DOWN, True),
        (CHAT, 502, openai_error(), ErrorKind.UPSTREAM_DOWN, True),
        (CHAT, 503, openai_error(), ErrorKind.OVERLOADED, True),
        (CHAT, 408, openai_error(), ErrorKind.TIMEOUT, True),
        (RESPONSES, 429, openai_error(code="rate_limit_exceeded"), ErrorKind.RATE_LIMITED, False),
        (CLAUDE, 529, claude_error("overloaded_error"), ErrorKind.OVERLOADED, False),
        (
            CLAUDE,
            400,
            claude_error("invalid_request_error", "prompt is too long: 9"),
            ErrorKind.CONTEXT_TOO_LONG,
            False,
        ),
        (CLAUDE, 413, claude_error("request_too_large"), ErrorKind.CONTEXT_TOO_LONG, False),
        (CLAUDE, 402, claude_error("billing_error"), ErrorKind.QUOTA, False),
        (CLAUDE, 500, claude_error("api_error"), ErrorKind.UPSTREAM_DOWN, True),
    ],
)
async def test_a_status_has_a_kind_and_is_asked_for_once(
    here: Front, reference: str, status: int, body: dict[str, Any], kind: ErrorKind, sent: bool
) -> None:
    here.say(plain(body, status), chat({"content": "a second try"}))
    failed = await failure(model_at(here, reference))
    assert (failed.kind, failed.detail["status"], failed.detail["sent"]) == (kind, status, sent)
    assert body["error"]["message"] in str(failed)
    assert len(here.asked) == 1


async def test_how_long_to_wait_is_handed_on_in_seconds(here: Front) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    here.say(
        plain(openai_error(), 429, **{"retry-after": "7"}),
        plain(openai_error(), 429, **{"retry-after-ms": "1500"}),
        plain(openai_error(), 503, **{"retry-after": soon}),
        plain(openai_error("Please try again in 250ms. Thanks"), 429),
        plain(openai_error(), 429),
    )
    waits: list[Any] = [(await failure(model_at(here))).detail.get("retry_after") for _ in range(5)]
    dated = waits.pop(2)
    assert waits == [7.0, 1.5, 0.25, None]
    assert 20 < dated <= 30


BEGUN = events(chat_chunks([{"content": "so"}])[0])
OPENED = messages().partition(b"event: message_delta")[0]
SERVER_ERROR = {"type": "error", "code": "server_error", "message": "no", "param": None, "sequence_number": 0}


@pytest.mark.parametrize(
    ("reference", "body", "kind"),
    [
        (CHAT, BEGUN + events(openai_error(code="rate_limit_exceeded")), ErrorKind.RATE_LIMITED),
        (CHAT, events(openai_error(type="server_error")), ErrorKind.UPSTREAM_DOWN),
        (CHAT, events(openai_error("The engine is overloaded", type="server_error")), ErrorKind.OVERLOADED),
        (CHAT, events({"error": {"message": "no", "type": "server_error", "code": 503}}), ErrorKind.OVERLOADED),
        (CLAUDE, OPENED + events(claude_error("overloaded_error"), named=True), ErrorKind.OVERLOADED),
        (RESPONSES, events(SERVER_ERROR, named=True), ErrorKind.UPSTREAM_DOWN),
    ],
)
async def test_an_error_inside_a_stream_has_the_kind_that_it_has_outside(
    here: Front, reference: str, body: bytes, kind: ErrorKind
) -> None:
    here.say(body)
    failed = await failure(model_at(here, reference))
    assert (failed.kind, failed.detail["sent"]) == (kind, True)


WHOLE = {
    CHAT: chat({"content": "one "}, {"content": "two"}),
    "openai-compatible:x": chat({"content": "one "}, {"content": "two"}),
    "ollama:x": chat({"content": "one "}, {"content": "two"}),
    CLAUDE: messages(({"type": "text", "text": ""}, [{"type": "text_delta", "text": t} for t in ("one ", "two")])),
}


@pytest.mark.parametrize("reference", WHOLE)
async def test_a_stream_that_ends_anywhere_before_its_end_is_no_answer(here: Front, reference: str) -> None:
    whole = WHOLE[reference]
    borders = [at + 2 for at in range(len(whole)) if whole[at : at + 2] == b"\n\n"][:-1]
    cuts = sorted({*borders, *[border - 9 for border in borders], 1})
    model = model_at(here, reference)
    for at in cuts:
        here.say(whole[:at])
        failed = await failure(model)
        assert failed.kind is ErrorKind.MALFORMED_OUTPUT, at
    here.say(whole)
    assert (await answered(model)).message.text == "one two"


async def test_a_response_that_ends_anywhere_before_its_end_is_no_answer(here: Front) -> None:
    whole = responses({"type": "response.completed", "response": response("completed", [])})
    borders = [at + 2 for at in range(len(whole)) if whole[at : at + 2] == b"\n\n"][:-1]
    for at in borders:
        here.say(whole[:at])
        assert (await failure(model_at(here, RESPONSES))).kind is ErrorKind.MALFORMED_OUTPUT, at


async def test_words_about_an_end_are_no_end(here: Front) -> None:
    block = ({"type": "text", "text": ""}, [{"type": "text_delta", "text": 'say "message_stop"'}])
    here.say(
        messages(block).partition(b"event: content_block_stop")[0],
        chat({"content": "[DONE]"}).partition(b"data: [D")[0],
    )
    assert (await failure(model_at(here, CLAUDE))).kind is ErrorKind.MALFORMED_OUTPUT
    assert (await failure(model_at(here, CHAT))).kind is ErrorKind.MALFORMED_OUTPUT


@pytest.mark.parametrize("reference", [CHAT, RESPONSES, CLAUDE])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"<html><body>Sign in</body></html>", PAGE),
        Answer(b'data: {"id": "x", "choi\n\n'),
        Answer(b"data: [1, 2]\n\n"),
        Answer(b'event: message_start\ndata: {"type": "message_start", "mess\n\n'),
        Answer(b""),
        Answer(b"data: [DONE]\n\n"),
        Answer(b"\xff\xfe\x00garbage"),
    ],
)
async def test_an_answer_that_is_none_is_malformed(here: Front, reference: str, answer: Answer) -> None:
    here.say(answer)
    failed = await failure(model_at(here, reference))
    assert (failed.kind, failed.detail["sent"]) == (ErrorKind.MALFORMED_OUTPUT, True)


@pytest.mark.parametrize("instead", [b"7", b"{}", b'{"type": "content_block_delta", "index": 0}', b"null"])
async def test_nothing_in_place_of_an_event_is_not_passed_over(here: Front, instead: bytes) -> None:
    whole = WHOLE[CLAUDE]
    piece = whole.partition(b"event: content_block_delta\ndata: ")[2].partition(b"\n\n")[0]
    here.say(whole.replace(piece, instead))
    assert (await failure(model_at(here, CLAUDE))).kind is ErrorKind.MALFORMED_OUTPUT


@pytest.mark.parametrize("reference", [CHAT, CLAUDE])
async def test_a_page_in_place_of_json_is_malformed(here: Front, reference: str) -> None:
    here.say(Answer(b"<html>Sign in</html>", PAGE))
    assert (await failure(model_at(here, reference, stream=False))).kind is ErrorKind.MALFORMED_OUTPUT


async def test_a_connection_that_breaks_in_the_answer_has_cut_it(here: Front) -> None:
    here.say(Answer(chat({"content": "one"})[:-20], reset=True))
    assert (await failure(model_at(here))).kind is ErrorKind.MALFORMED_OUTPUT


async def test_a_connection_that_breaks_before_the_answer_is_a_provider_that_is_down(here: Front) -> None:
    here.say(Answer(b"", reset=True))
    failed = await failure(model_at(here))
    assert (failed.kind, failed.detail["sent"]) == (ErrorKind.UPSTREAM_DOWN, True)


@pytest.mark.parametrize("reference", [CHAT, CLAUDE, "mistral:m", "google:gemini-2.5-pro"])
async def test_nobody_there_is_a_provider_that_is_down_and_did_nothing(reference: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        failed = await failure(provide(reference, url=url, api_key=KEY))
    assert (failed.kind, failed.detail["sent"]) == (ErrorKind.UPSTREAM_DOWN, False)


async def test_nobody_who_takes_the_call_is_a_time_out_that_did_nothing() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.create_connection(address), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(address)  # the queue is full now, and who comes next waits
            model = provide(CHAT, url=f"http://127.0.0.1:{address[1]}/v1", api_key=KEY)
            with pytest.raises(ModelFailed) as caught:
                await answered(model, connect=0.1)
    assert (caught.value.kind, caught.value.detail["sent"]) == (ErrorKind.TIMEOUT, False)


async def test_a_compressed_answer_is_judged_by_its_reason_to_stop(here: Front) -> None:
    whole, unfinished = chat({"content": "x"}), chat({"content": "x"}, finish=None)
    for body in (whole, unfinished):
        here.say(Answer(gzip.compress(body), headers={"content-encoding": "gzip"}))
    assert (await answered(model_at(here))).message.text == "x"
    assert here.asked[0].headers["accept-encoding"] == "identity"
    assert (await failure(model_at(here))).kind is ErrorKind.MALFORMED_OUTPUT


async def test_no_message_shows_a_key(here: Front) -> None:
    told = f"Incorrect API key {KEY} (sk-proj-abc123DEF456), Bearer eyJhbGciOi.x, token {'Z9' * 30}. " + "long " * 300
    here.say(plain(openai_error(told), 401))
    failed = await failure(model_at(here))
    assert "Incorrect API key" in str(failed)
    for secret in (KEY, "sk-proj", "eyJhbG", "Z9Z9"):
        assert secret not in str(failed)
    assert len(failed.why) <= 500
    assert failed.__cause__ is None  # its words would show what ours do not


async def test_a_filter_that_left_nothing_is_a_failure(here: Front) -> None:
    here.say(chat({"content": ""}, finish="content_filter"), chat({"content": "some"}, finish="content_filter"))
    assert (await failure(model_at(here))).kind is ErrorKind.CONTENT_FILTERED
    answer = await answered(model_at(here))
    assert (answer.finish, answer.message.text) == ("content_filter", "some")


async def test_a_provider_that_pauses_has_not_answered(here: Front) -> None:
    here.say(
        messages(({"type": "text", "text": ""}, [{"type": "text_delta", "text": "one moment"}]), stop="pause_turn")
    )
    assert (await failure(model_at(here, CLAUDE))).kind is ErrorKind.INCOMPLETE


async def test_media_without_bytes_is_a_mistake_of_the_caller(here: Front) -> None:
    failed = await failure(model_at(here), Message(Role.USER, (Media("blob:abc", "image/png", "cat.png"),)))
    assert (failed.kind, failed.detail) == (ErrorKind.INVALID_REQUEST, {"sent": False})
    assert "'cat.png' are missing" in str(failed)
    assert here.asked == []


async def test_a_caller_who_gives_up_leaves_the_connection(here: Front) -> None:
    model = model_at(here)
    here.say(chat({"content": "one"}), Answer(chat({"content": "one"})[:100], held=True))
    await respond(model, ASKED)
    waiting = asyncio.ensure_future(respond(model, ASKED))
    while len(here.asked) < 2:
        await asyncio.sleep(0.01)
    waiting.cancel()
    await here.left.wait()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await model.close()
