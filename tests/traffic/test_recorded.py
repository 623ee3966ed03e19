"""Every recorded answer of a real provider, read by our adapters, whatever the pieces in which it comes.

What is compared: text, calls (id, name, arguments), the reason to stop, tokens (input, output, cached, reasoning), the
answer's id, and for streams that the deltas joined are the answer. With whom: a reader of its own, `reading.py`.

What is expected of the answers that are none, or not only ours:

| answer | expected |
|---|---|
| status 400 and above (9) | ModelFailed of the kind in ERRORS, with the status in `detail` |
| `queued` (2): Responses that go on in the background | ModelFailed, since there is nothing in them yet |
| `pause_turn` (1): Anthropic wants to be asked to go on | ModelFailed, since the answer is not whole |
| parts that the provider's own tools made (98) | they are kept as Opaque, and none is a call of ours; the rest agrees |
| a search for tools that we should make (2) | a call of `search_tools` like any other |
| an image with letters missing (1), in the record | ModelFailed; with the image mended it reads like all others |

All records together are 410: 397 answers and 13 errors, of which one, mended, is an answer as well.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Opaque, Reasoning
from callboard.models import Delta, FinishReason, ModelResponse
from tests.traffic.asking import Desk, pieces, words
from tests.traffic.reading import Said, said
from tests.traffic.records import FAMILIES, MISSING, Record, mended, present, recorded
from tests.traffic.serving import Provider, replay

pytestmark = [
    pytest.mark.skipif(not present(), reason=MISSING),
    pytest.mark.timeout(600),  # it is work, and the machine may be busy
    pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning"),
]

COUNTS: dict[str, dict[str, int]] = {
    "anthropic_messages": {"answers": 140, "streams": 10, "failures": 1, "calls": 51, "hosted": 51},
    "openai_chat": {"answers": 113, "streams": 26, "failures": 5, "calls": 58},
    "openai_responses": {"answers": 145, "streams": 15, "failures": 7, "calls": 46, "hosted": 47},
}
ERRORS = {400: ErrorKind.INVALID_REQUEST, 404: ErrorKind.INVALID_REQUEST}
UNFINISHED = {"queued": ErrorKind.INCOMPLETE, "pause_turn": ErrorKind.INCOMPLETE}
BROKEN = "models/test_openai_responses/test_openai_responses_code_execution_return_image_stream#0"
STOPS = {
    "stop": FinishReason.STOP,
    "tool_calls": FinishReason.TOOL_CALLS,
    "completed": FinishReason.STOP,
    "complete": FinishReason.STOP,  # what three recordings say for `completed`
    "end_turn": FinishReason.STOP,
    "tool_use": FinishReason.TOOL_CALLS,
}


@pytest.mark.parametrize("piece", [1, 7, 4096])
@pytest.mark.parametrize("family", FAMILIES)
async def test_a_recorded_answer_is_read_as_it_was_meant(family: str, piece: int, provider: Provider) -> None:
    desk, count, wrong = Desk(provider.seat()), Counter[str](), []
    records = [*recorded(family), *[mended(record) for record in recorded(family) if record.id == BROKEN]]
    for record in records:
        seen: list[Delta] = []
        desk.seat.say(replay(record, piece))
        found = await desk.ask(record, seen=seen)
        if (kind := failing(record)) is not None:
            count["failures"] += 1
            wrong += [f"{record.id}: {what}" for what in failed(record, found, kind)]
            continue
        meant = said(record)
        count.update(answers=1, streams=record.streamed, calls=len(meant.calls), hosted=len(meant.hosted))
        wrong += [f"{record.id}: {what}" for what in differences(meant, record, found, seen)]
    await desk.close()
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong)
    assert len(desk.seat.asked) == len(records)  # nobody asked twice
    assert +count == COUNTS[family]


def failing(record: Record) -> ErrorKind | None:
    """The kind of error that has to come of it, None for an answer."""
    if record.status >= 400:
        return ERRORS[record.status]
    if record.id == BROKEN and mended(record) != record:
        return ErrorKind.MALFORMED_OUTPUT
    whole: dict[str, Any] = record.response_body or {}
    return UNFINISHED.get(whole.get("status") or whole.get("stop_reason") or "")


def failed(record: Record, found: ModelResponse | ModelFailed, kind: ErrorKind) -> Iterator[str]:
    """What is wrong with an error."""
    if isinstance(found, ModelResponse):
        yield f"answered {found.message.text!r} in place of failing"
        return
    if found.kind is not kind:
        yield f"failed with {found.kind}, not with {kind}: {found}"
    if record.status >= 400 and found.detail.get("status") != record.status:
        yield f"says status {found.detail.get('status')}, not {record.status}"


def differences(meant: Said, record: Record, found: ModelResponse | ModelFailed, seen: list[Delta]) -> Iterator[str]:
    """Where our reading is not the other reader's."""
    if isinstance(found, ModelFailed):
        yield f"failed with {found.kind}: {found}"
        return
    message, usage = found.message, found.usage
    calls = tuple((call.id, call.name, call.arguments) for call in message.tool_calls)
    tokens = usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens
    finish = FinishReason.TOOL_CALLS if meant.calls else STOPS[meant.stop]
    opaque = [part for part in message.parts if isinstance(part, Opaque) and part.kind != "slip"]
    kept = [part.opaque for part in message.parts if isinstance(part, Reasoning) and part.opaque]
    pairs: list[tuple[str, Any, Any]] = [
        ("text", meant.text, message.text),
        ("calls", meant.calls, calls),
        ("reason to stop", finish, found.finish),
        ("tokens", meant.tokens, tokens),
        ("id", identity(record), found.id),
    ]
    if record.streamed:
        pairs.append(("streamed words", message.text, words(seen)))
        told = tuple((id, name, json.loads(text or "{}")) for id, name, text in pieces(seen))
        pairs.append(("streamed calls", calls, told))
    for what, theirs, ours in pairs:
        if theirs != ours:
            yield f"{what}: {theirs!r} became {ours!r}"
    if len(opaque) < len(meant.hosted):
        yield f"hosted: of {meant.hosted} only {[part.kind for part in opaque]} are kept"
    if len(kept) < sum(map(bool, meant.thoughts)):
        yield f"thoughts: of {len(meant.thoughts)} with a signature {len(kept)} have one"


def identity(record: Record) -> str:
    """The provider's id of the answer."""
    if record.stream_text is None:
        return str(record.response_body["id"])
    first = next(json.loads(line[5:]) for line in record.stream_text.split("\n") if line.startswith("data:"))
    return str((first.get("response") or first.get("message") or first)["id"])
