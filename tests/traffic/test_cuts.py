"""A stream that ends before its end is an error with a name, wherever it ends and however politely.

The end is what the provider itself calls it: OpenAI's chat completions say `[DONE]` (between the reason to stop and
that stand the token counts, and a call without them would look free), Responses say `response.completed` (or incomplete
or failed), Anthropic says `message_stop`. Each stream is cut at every border between two events up to there, and at 20
bytes that a seed picks, in a body that claims to be whole, as a proxy makes it that lost its upstream. With the
connection dropped, which is easier to notice, it is cut at the same bytes and at every 25th border.
"""

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.models import ModelResponse
from tests.traffic.asking import Desk
from tests.traffic.reading import final_event, said
from tests.traffic.records import FAMILIES, MISSING, Record, events, mended, present, recorded
from tests.traffic.serving import Provider, replay

pytestmark = [
    pytest.mark.skipif(not present(), reason=MISSING),
    pytest.mark.timeout(600),  # it is work, and the machine may be busy
    pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning"),
]
BYTES, FEWER = 20, 25
STREAMS = {"anthropic_messages": 10, "openai_chat": 26, "openai_responses": 15}
DONE = b"data: [DONE]\n\n"
NOT_WHOLE, LOST = ErrorKind.MALFORMED_OUTPUT, ErrorKind.UPSTREAM_DOWN


# All borders are 2,000 cuts, some minutes: what each change gets is every fifth.
@pytest.mark.parametrize(
    ("clean", "every"),
    [(False, FEWER), (True, 5), pytest.param(True, 1, marks=pytest.mark.soak)],
    ids=["dropped", "ended", "ended-anywhere"],
)
@pytest.mark.parametrize("family", FAMILIES)
async def test_a_cut_stream_is_an_error_and_never_a_short_answer(
    family: str, clean: bool, every: int, provider: Provider
) -> None:
    desk, kinds, wrong = Desk(provider.seat()), Counter[ErrorKind](), []
    streams = [mended(record) for record in recorded(family) if record.streamed]
    cuts = 0
    for record in streams:
        for cut in cuts_of(record, every):
            cuts += 1
            desk.seat.say(replay(record, cut=cut, clean=clean))
            found = await desk.ask(record)
            if isinstance(found, ModelResponse):
                wrong.append(f"{record.id} cut after {cut} of {end(record)}: answered {found.message.text[:80]!r}")
                continue
            kinds[found.kind] += 1
            if not named(found, clean):
                wrong.append(f"{record.id} cut after {cut} of {end(record)}: {found.kind}, {found.detail}: {found}")
    await desk.close()
    print(f"{family}: {len(streams)} streams, {cuts} cuts, {dict(kinds)}")
    assert not wrong, f"{len(wrong)} of {cuts} cuts:\n" + "\n".join(wrong)
    assert len(streams) == STREAMS[family]
    assert cuts >= sum(len(events(record.stream_text or "")) // every + BYTES - 2 for record in streams)


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_stream_that_is_cut_after_its_end_is_whole(family: str, provider: Provider) -> None:
    desk = Desk(provider.seat())
    for record in (mended(record) for record in recorded(family) if record.streamed):
        desk.seat.say(replay(record, cut=end(record), clean=True))
        found = await desk.ask(record)
        assert isinstance(found, ModelResponse), f"{record.id}: {found}"
        assert found.message.text == said(record).text, record.id
        assert found.usage.output_tokens > 0, record.id
    await desk.close()


@pytest.mark.parametrize("family", FAMILIES)
async def test_an_answer_in_one_piece_that_is_cut_is_an_error(family: str, provider: Provider) -> None:
    desk, chance, wrong = Desk(provider.seat()), random.Random(family), []
    plain = [record for record in recorded(family) if not record.streamed and record.status == 200]
    for record in plain:
        for clean in (False, True):
            desk.seat.say(replay(record, cut=chance.randrange(len(record.body)), clean=clean))
            found = await desk.ask(record)
            if isinstance(found, ModelResponse) or not named(found, clean):
                wrong.append(f"{record.id}, {clean=}: {getattr(found, 'kind', 'answered')}: {found}")
    await desk.close()
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("limit", [None, 1_000, 64_000, 1_000_000])
async def test_what_is_asked_in_one_piece_never_comes_as_a_stream(limit: int | None, provider: Provider) -> None:
    """Some libraries make a stream of it by themselves when the answer may be long, and do not look for its end."""
    record = next(each for each in recorded("anthropic_messages") if not each.streamed and said(each).text)
    asked = Record(
        record.id, record.provider, record.path, {"model": record.model, "max_tokens": limit}, 200, {}, [], {}
    )
    desk = Desk(provider.seat([replay(record)]))
    found = await desk.ask(asked)
    assert [each.body["stream"] for each in desk.seat.asked] == [False]
    assert isinstance(found, ModelResponse)
    await desk.close()


def named(found: ModelFailed, clean: bool) -> bool:
    """An answer that is no whole one; or a connection that was lost, as long as nothing of the answer had come.

    Either way the provider may have worked, and may bill it.
    """
    return found.kind in ({NOT_WHOLE} if clean else {NOT_WHOLE, LOST}) and found.detail.get("sent", True) is True


def cuts_of(record: Record, step: int) -> Iterator[int]:
    """Borders, then bytes by chance."""
    yield from list(borders(record))[::step]
    chance = random.Random(record.id)
    for _ in range(BYTES):
        yield chance.randrange(needed(record))


def borders(record: Record) -> Iterator[int]:
    """How many bytes each event, from none of them up to the last but the final one, ends after."""
    at = 0
    for event in events(record.stream_text or ""):
        if at >= end(record):
            return
        yield at
        at += len(event.encode())


def needed(record: Record) -> int:
    """How many bytes an answer cannot do without. Anthropic's last event says nothing but its name."""
    name = record.body.rfind(b"event: message_stop")
    return name if name >= 0 else end(record) - len(b"\n\n")


def end(record: Record) -> int:
    """How many bytes it takes until the answer is whole."""
    if record.body.endswith(DONE):
        return len(record.body)
    told = events(record.stream_text or "")[: final_event(record) + 1]
    return len("".join(told).encode())
