"""A stream is deltas and then one answer; anything else is malformed."""

from collections.abc import AsyncIterator, Sequence

import pytest

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import assistant
from callboard.models import (
    CallDelta,
    Delta,
    ModelRequest,
    ModelResponse,
    ReasoningDelta,
    StreamPart,
    TextDelta,
    respond,
)

ANSWER = ModelResponse(assistant("hi"))
REQUEST = ModelRequest(messages=())


class Parts:
    """A model that streams these parts, whatever it is asked."""

    name = "parts"

    def __init__(self, parts: Sequence[StreamPart | Exception]) -> None:
        self.parts = parts
        self.closed = False

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamPart]:
        try:
            for part in self.parts:
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            self.closed = True


async def test_each_delta_is_handed_on_in_order_and_the_answer_is_returned() -> None:
    seen: list[Delta] = []
    deltas: list[Delta] = [ReasoningDelta("hm"), TextDelta("h"), TextDelta("i"), CallDelta(0, "c", "order", "{}")]
    assert await respond(Parts([*deltas, ANSWER]), REQUEST, seen.append) is ANSWER
    assert seen == deltas


async def test_nobody_need_listen() -> None:
    assert await respond(Parts([TextDelta("hi"), ANSWER]), REQUEST) is ANSWER


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([], "ended without an answer"),
        ([TextDelta("h")], "ended without an answer"),
        ([ANSWER, TextDelta("h")], "went on after its answer"),
        ([ANSWER, ANSWER], "went on after its answer"),
    ],
)
async def test_a_stream_without_exactly_one_answer_at_its_end_is_malformed(parts: list[StreamPart], why: str) -> None:
    with pytest.raises(ModelFailed, match=why) as caught:
        await respond(Parts(parts), REQUEST)
    assert caught.value.kind is ErrorKind.MALFORMED_OUTPUT


async def test_a_failure_of_the_model_goes_through() -> None:
    error = ModelFailed("x", kind=ErrorKind.RATE_LIMITED)
    with pytest.raises(ModelFailed) as caught:
        await respond(Parts([TextDelta("h"), error]), REQUEST)
    assert caught.value is error


async def test_a_stream_left_half_way_is_closed_at_once() -> None:
    model = Parts([TextDelta("h"), ANSWER])

    def gone(delta: Delta) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await respond(model, REQUEST, gone)
    assert model.closed
