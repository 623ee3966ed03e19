"""The scripted model's answer depends on the request alone, and it fails as ordered."""

import time
from typing import Any

import pytest

from callboard.domain.errors import InputInvalid, ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import (
    Message,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    system,
    user,
)
from callboard.domain.usage import Usage
from callboard.models import (
    CallDelta,
    Delta,
    Fault,
    FinishReason,
    ModelRequest,
    ModelResponse,
    ReasoningDelta,
    ScriptedModel,
    TextDelta,
    call,
    respond,
)


def asked(turn: int = 0, attempt: int = 1, *messages: Message) -> ModelRequest:
    return ModelRequest(messages=messages or (user("hello"),), turn=turn, attempt=attempt)


async def streamed(model: ScriptedModel, request: ModelRequest) -> tuple[list[Delta], ModelResponse]:
    seen: list[Delta] = []
    answer = await respond(model, request, seen.append)
    return seen, answer


async def test_the_turn_picks_the_reply_however_often_and_in_whatever_order() -> None:
    model = ScriptedModel(["a", "b", "c"])
    assert [(await respond(model, asked(turn))).message.text for turn in (2, 0, 2, 1)] == list("cacb")


async def test_past_the_end_of_the_script_it_fails_naming_the_turn() -> None:
    with pytest.raises(ModelFailed, match="no reply for turn 2; it has 2") as caught:
        await respond(ScriptedModel(["a", "b"]), asked(2))
    assert caught.value.kind is ErrorKind.INPUT


async def test_a_function_async_or_not_can_be_the_script() -> None:
    async def later(request: ModelRequest) -> str:
        return f"turn {request.turn}"

    assert (await respond(ScriptedModel(later), asked(7))).message == assistant("turn 7")
    assert (await respond(ScriptedModel(lambda r: r.messages[-1].text), asked())).message.text == "hello"


CALL = ToolCall("call_0_0", "order", {"id": "A"})


@pytest.mark.parametrize(
    ("reply", "parts", "finish"),
    [
        ("hi", (Text("hi"),), FinishReason.STOP),
        (call("order", id="A"), (CALL,), FinishReason.TOOL_CALLS),
        (
            [Reasoning("hm"), "so", call("order", id="A"), ToolCall("mine", "x")],
            (Reasoning("hm"), Text("so"), ToolCall("call_0_2", "order", {"id": "A"}), ToolCall("mine", "x")),
            FinishReason.TOOL_CALLS,
        ),
        (Message(Role.ASSISTANT, (Text("hi"),)), (Text("hi"),), FinishReason.STOP),
    ],
)
async def test_each_form_of_reply_becomes_a_message(reply: Any, parts: Any, finish: FinishReason) -> None:
    answer = await respond(ScriptedModel([reply]), asked())
    assert (answer.message, answer.finish) == (Message(Role.ASSISTANT, parts), finish)
    assert answer.model == "scripted"


async def test_call_ids_are_the_same_on_every_try_and_differ_between_calls_and_turns() -> None:
    model = ScriptedModel([[call("a"), call("a")]] * 2)
    ids = [
        [c.id for c in (await respond(model, asked(turn, attempt))).message.tool_calls]
        for turn, attempt in ((0, 1), (0, 2), (1, 1))
    ]
    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2]}) == 4


async def test_a_whole_answer_is_given_as_it_is() -> None:
    whole = ModelResponse(assistant("no"), Usage(9, 8, 7), FinishReason.REFUSAL, "other", "id")
    assert await streamed(ScriptedModel([whole]), asked()) == ([TextDelta("no")], whole)


async def test_something_that_is_no_reply_is_refused_by_its_type() -> None:
    for reply in (7, [7]):
        with pytest.raises(ModelFailed, match="replied with int"):
            await respond(ScriptedModel([reply]), asked())  # type: ignore[list-item]


@pytest.mark.parametrize("wrong", [{"script": "hi"}, {"script": [], "chunk": -1}, {"script": [], "latency": -1}])
def test_a_script_that_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputInvalid):
        ScriptedModel(**wrong)


async def test_texts_are_streamed_in_chunks_and_calls_whole() -> None:
    model = ScriptedModel([[Reasoning("abc"), "defg", call("x", n=1), call("y")]], chunk=2)
    assert (await streamed(model, asked()))[0] == [
        ReasoningDelta("ab"),
        ReasoningDelta("c"),
        TextDelta("de"),
        TextDelta("fg"),
        CallDelta(0, "call_0_2", "x", '{"n":1}'),
        CallDelta(1, "call_0_3", "y", "{}"),
    ]


async def test_a_call_that_is_no_json_is_streamed_as_the_model_wrote_it() -> None:
    model = ScriptedModel([ToolCall("c", "x", raw="{oops")])
    assert (await streamed(model, asked()))[0] == [CallDelta(0, "c", "x", "{oops")]


async def test_it_waits_before_the_first_delta_and_between_deltas() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    await respond(ScriptedModel(["abc"], latency=2, chunk=1, per_chunk=0.5, sleep=sleep), asked())
    assert waits == [2, 0.5, 0.5]


async def test_usage_is_four_bytes_a_token_of_what_is_new_and_rounded_up() -> None:
    model = ScriptedModel(lambda _: "abcde", price=(1_000_000, 2_000_000))
    answer = await respond(model, asked(0, 1, system("1234"), user("12345")))
    assert answer.usage == Usage(input_tokens=3, output_tokens=2, cost=7)
    result = Message(Role.TOOL, (ToolResult("c", "t", {"a": 1}),))
    later = await respond(model, asked(1, 1, user("x" * 1000), assistant("y" * 1000), result))
    assert later.usage.input_tokens == 2


async def test_a_cost_below_a_micro_dollar_is_not_free() -> None:
    assert (await respond(ScriptedModel(["a"], price=(1, 0)), asked())).usage.cost == 1


async def test_turn_ten_thousand_takes_no_longer_than_the_first() -> None:
    model = ScriptedModel(lambda _: "ok")
    long = (*[user("x" * 50), assistant("y" * 50)] * 10_000, user("now"))

    async def fastest(request: ModelRequest) -> float:
        times = []
        for _ in range(200):
            start = time.perf_counter()
            await respond(model, request)
            times.append(time.perf_counter() - start)
        return min(times)

    first, late = await fastest(asked()), await fastest(asked(10_000, 1, *long))
    assert late < 3 * first + 20e-6


@pytest.mark.parametrize("kind", [ErrorKind.RATE_LIMITED, ErrorKind.UPSTREAM_DOWN, ErrorKind.TIMEOUT])
async def test_a_fault_strikes_its_first_attempts_at_its_turn(kind: ErrorKind) -> None:
    model = ScriptedModel(["a", "b"], faults=[Fault(kind, turn=1, attempts=2)])
    for attempt in (1, 2):
        with pytest.raises(ModelFailed, match=f"turn 1, attempt {attempt}") as caught:
            await respond(model, asked(1, attempt))
        assert caught.value.kind is kind
    assert (await respond(model, asked(1, 3))).message.text == "b"
    assert (await respond(model, asked(0, 1))).message.text == "a"


async def test_a_fault_without_a_turn_strikes_at_every_turn() -> None:
    model = ScriptedModel(["a", "b"], faults=[Fault(ErrorKind.TIMEOUT)])
    for turn in (0, 1):
        with pytest.raises(ModelFailed):
            await respond(model, asked(turn))


@pytest.mark.parametrize(("after", "through"), [(0, ""), (2, "ab"), (9, "abc")])
async def test_a_fault_lets_some_deltas_through(after: int, through: str) -> None:
    seen: list[Delta] = []
    fault = Fault(ErrorKind.UPSTREAM_DOWN, after_chunks=after)
    with pytest.raises(ModelFailed):
        await respond(ScriptedModel(["abc"], chunk=1, faults=[fault]), asked(), seen.append)
    assert seen == list(map(TextDelta, through))


async def test_a_cut_stream_ends_without_an_answer() -> None:
    model = ScriptedModel(["abc"], chunk=1, faults=[Fault("cut", after_chunks=1)])
    assert [part async for part in model.stream(asked())] == [TextDelta("a")]


async def test_a_fault_says_when_to_come_back_and_takes_its_time() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    model = ScriptedModel(["a"], faults=[Fault(ErrorKind.RATE_LIMITED, retry_after=1.5, delay=60)], sleep=sleep)
    with pytest.raises(ModelFailed) as caught:
        await respond(model, asked())
    assert caught.value.detail == {"retry_after": 1.5}
    assert waits == [60]
