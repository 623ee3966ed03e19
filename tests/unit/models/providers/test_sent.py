"""What a request of ours is on the wire, and that what a provider kept for itself goes back to it alone."""

from typing import Any

import pytest

from callboard.domain.errors import ModelFailed
from callboard.domain.message import (
    Media,
    Message,
    Opaque,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    system,
    user,
)
from callboard.domain.toolspec import ToolSpec
from callboard.models import ModelRequest, respond
from tests.unit.models.providers.asking import answered, model_at
from tests.unit.models.providers.front import Front, chat, messages, plain
from tests.unit.models.providers.test_streams import response, responses

CHAT, CLAUDE, RESPONSES = "openai:gpt-4o", "anthropic:claude-sonnet-4-6", "openai-responses:gpt-5"
SHAPE = {"type": "object", "properties": {"at": {"type": "integer"}}, "required": ["at"], "additionalProperties": False}
SKY = ToolSpec("sky", "What the sky is like.", SHAPE)
SEA = ToolSpec("sea", "What the sea is like.", SHAPE)
TALK = (
    system("be brief"),
    Message(Role.USER, (Text("look"), Media("blob:abc", "image/png"), Media("https://x.example/a.png", "image/png"))),
    Message(Role.ASSISTANT, (Text("let me"), ToolCall("c1", "sky", {"at": 1}), ToolCall("c2", "sky", raw='{"at"'))),
    Message(Role.TOOL, (ToolResult("c1", "sky", {"is": "blue"}),)),
    Message(Role.TOOL, (ToolResult("c2", "sky", "at is missing", "invalid_arguments"),)),
    user("and?"),
)


async def sent(here: Front, reference: str, *said: Message, **asked: Any) -> dict[str, Any]:
    """The body of the request; the answer to it is a refusal."""
    here.say(plain({"error": {"message": "no", "type": "x"}}, 400))
    with pytest.raises(ModelFailed, match="no"):
        model = model_at(here, reference, media_hosts=["x.example"])
        await answered(model, *(said or TALK), media={"abc": b"PNG"}, **asked)
    return here.asked[-1].body


async def sent_anyhow(here: Front, reference: str, *said: Message) -> dict[str, Any]:
    here.say(plain({"error": {"message": "no", "code": 400, "status": "INVALID_ARGUMENT"}}, 400))
    with pytest.raises(ModelFailed):
        await answered(model_at(here, reference), *said)
    return here.asked[-1].body


async def test_a_conversation_as_chat_completions(here: Front) -> None:
    assert (await sent(here, CHAT))["messages"] == [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,UE5H"}},
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
            ],
        },
        {
            "role": "assistant",
            "content": "let me",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "sky", "arguments": '{"at":1}'}},
                {
                    "id": "c2",
                    "type": "function",
                    "function": {"name": "sky", "arguments": '{"INVALID_JSON":"{\\"at\\""}'},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": '{"is":"blue"}'},
        {"role": "tool", "tool_call_id": "c2", "content": '{"error":"at is missing"}'},
        {"role": "user", "content": "and?"},
    ]


async def test_a_conversation_as_messages(here: Front) -> None:
    body = await sent(here, CLAUDE, cache=False)
    assert body["system"] == "be brief"
    looked, called, results = body["messages"]
    assert [each["type"] for each in looked["content"]] == ["text", "image", "image"]
    assert looked["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": "UE5H"}
    assert [each.get("input") for each in called["content"]] == [None, {"at": 1}, {"INVALID_JSON": '{"at"'}]
    assert [each.get("is_error") for each in results["content"]] == [False, True, None]
    assert results["content"][-1] == {"type": "text", "text": "and?"}
    assert "cache_control" not in str(body)


async def test_a_conversation_as_responses(here: Front) -> None:
    items = (await sent(here, RESPONSES))["input"]
    kinds = ["system", "user", "assistant", *["function_call"] * 2, *["function_call_output"] * 2, "user"]
    assert [each.get("type", each.get("role")) for each in items] == kinds
    assert items[5] == {"type": "function_call_output", "call_id": "c1", "output": '{"is":"blue"}'}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", "auto"),
        ("none", None),
        ("required", "required"),
        ("sea", {"type": "function", "function": {"name": "sea"}}),
    ],
)
async def test_which_tool_may_be_called(here: Front, choice: str, expected: object) -> None:
    body = await sent(here, CHAT, tools=(SKY, SEA), tool_choice=choice, parallel_tools=False)
    if choice == "none":
        assert body.get("tool_choice") in (None, "none")
        assert body.get("tool_choice") == "none" or not body.get("tools")
    else:
        assert body["tool_choice"] == expected
        assert body["parallel_tool_calls"] is False
        assert "sea" in [each["function"]["name"] for each in body["tools"]]


async def test_a_tool_is_sent_with_its_description_and_schema(here: Front) -> None:
    body = await sent(here, CLAUDE, tools=(SKY,), cache=False)
    assert body["tools"] == [{"name": "sky", "description": "What the sky is like.", "input_schema": SHAPE}]
    # Asked again with other tools, it sends those.
    assert [each["name"] for each in (await sent(here, CLAUDE, tools=(SEA,)))["tools"]] == ["sea"]


async def test_the_settings_of_a_request(here: Front) -> None:
    body = await sent(here, CHAT, max_output_tokens=9, temperature=0.5, stop=("END",), output_schema=SHAPE)
    assert (body["max_completion_tokens"], body["temperature"], body["stop"]) == (9, 0.5, ["END"])
    assert body["response_format"]["json_schema"]["schema"] == SHAPE
    assert body["stream_options"] == {"include_usage": True}
    assert (await sent(here, RESPONSES, reasoning="high"))["reasoning"] == {"effort": "high"}
    assert "thinking" in await sent(here, CLAUDE, reasoning="low", max_output_tokens=20_000)


async def test_a_model_without_a_mode_for_schemas_is_told_in_words(here: Front) -> None:
    body = await sent(here, "mistral:mistral-large-latest", output_schema=SHAPE)
    assert '"required": ["at"]' in str([each["content"] for each in body["messages"] if each["role"] == "system"])


@pytest.mark.parametrize("reference", ["ollama:llama3", "openai-compatible:x"])
async def test_who_may_not_know_the_newer_word_for_a_limit_gets_the_older(here: Front, reference: str) -> None:
    body = await sent(here, reference, max_output_tokens=9)
    assert body["max_tokens"] == 9
    assert "max_completion_tokens" not in body


async def test_what_a_provider_keeps_of_the_metadata(here: Front) -> None:
    metadata = {"user_id": "u", "prompt_cache_key": "k"}
    body = await sent(here, RESPONSES, metadata=metadata)
    assert (body["metadata"], body["prompt_cache_key"]) == ({"user_id": "u"}, "k")
    assert (await sent(here, CHAT, metadata=metadata))["prompt_cache_key"] == "k"
    assert (await sent(here, CLAUDE, metadata=metadata))["metadata"] == {"user_id": "u"}


async def test_the_stable_beginning_is_marked_where_that_saves_money(here: Front) -> None:
    body = await sent(here, CLAUDE, tools=(SKY, SEA))
    assert [("cache_control" in tool) for tool in body["tools"]] == [False, True]
    assert ["cache_control" in block for block in body["system"]] == [True]
    assert "cache_control" in body  # and with the last message, wherever that is
    assert "cache_control" not in str(body["messages"])
    assert "cache" not in str(await sent(here, CHAT, tools=(SKY,)))


async def test_system_words_in_between_are_sent_as_each_takes_them(here: Front) -> None:
    talk = (system("be brief"), user("a"), assistant("b"), system("be briefer"), user("c"))
    roles = [each["role"] for each in (await sent(here, CHAT, *talk))["messages"]]
    assert roles == ["system", "user", "assistant", "system", "user"]
    assert "be briefer" in str((await sent(here, CLAUDE, *talk))["messages"])


async def test_thoughts_go_back_to_who_thought_them(here: Front) -> None:
    signed = ({"type": "thinking", "thinking": "", "signature": ""}, [
        {"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "SIG"},
    ])  # fmt: skip
    hidden: tuple[dict[str, Any], list[dict[str, Any]]] = ({"type": "redacted_thinking", "data": "HIDDEN"}, [])
    here.say(messages(signed, hidden, ({"type": "text", "text": "so"}, [])))
    said = (await answered(model_at(here, CLAUDE))).message
    back = (await sent(here, CLAUDE, user("hi"), said, user("and?")))["messages"][1]["content"]
    assert back[:2] == [
        {"type": "thinking", "thinking": "hm", "signature": "SIG"},
        {"type": "redacted_thinking", "data": "HIDDEN"},
    ]
    for other in (CHAT, RESPONSES, "google:gemini-2.5-pro", "mistral:m", "ollama:x"):
        body = str(await sent_anyhow(here, other, user("hi"), said, user("and?")))
        assert "so" in body
        assert not [secret for secret in ("hm", "SIG", "HIDDEN") if secret in body], other


async def test_items_go_back_under_their_names(here: Front) -> None:
    here.say(responses({"type": "response.completed", "response": response("completed", [])}))
    said = (await answered(model_at(here, RESPONSES))).message
    items = (await sent(here, RESPONSES, user("hi"), said, user("and?")))["input"]
    assert items[1] == {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "ENC"}
    assert (items[2]["id"], items[2]["content"][0]["text"]) == ("msg_1", "yes")
    for other in (CHAT, CLAUDE):  # not even to the other interface of the same house
        body = str(await sent(here, other, user("hi"), said, user("and?")))
        assert not [secret for secret in ("rs_1", "ENC", "msg_1") if secret in body]


async def test_fields_of_a_compatible_server_go_back_to_that_server(here: Front) -> None:
    here.say(chat({"reasoning_content": "hm"}, {"content": "yes"}))
    said = (await answered(model_at(here, "openai-compatible:deep", upstream="rack"))).message
    talk = (user("hi"), said, user("and?"))
    here.say(*[chat({"content": "ok"})] * 2)
    await answered(model_at(here, "openai-compatible:deep", upstream="rack"), *talk)
    assert here.asked[-1].body["messages"][1] == {"role": "assistant", "content": "yes", "reasoning_content": "hm"}
    await answered(model_at(here, "openai-compatible:deep", upstream="cellar"), *talk)
    assert here.asked[-1].body["messages"][1] == {"role": "assistant", "content": "yes"}


async def test_a_search_that_the_provider_made_goes_back_whole(here: Front) -> None:
    found = {"type": "web_search_result", "url": "https://x.example", "title": "X", "encrypted_content": "ENC"}
    call = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]}
    here.say(messages((call, []), (result, []), ({"type": "text", "text": "found"}, [])))
    said = (await answered(model_at(here, CLAUDE))).message
    back = (await sent(here, CLAUDE, user("hi"), said, user("and?")))["messages"][1]["content"]
    assert [each["type"] for each in back] == ["server_tool_use", "web_search_tool_result", "text"]
    assert back[1]["content"][0]["encrypted_content"] == "ENC"
    assert "ENC" not in str(await sent(here, CHAT, user("hi"), said, user("and?")))


async def test_a_thought_without_any_sign_is_left_out(here: Front) -> None:
    said = Message(Role.ASSISTANT, (Reasoning("hm", provider="anthropic"), Text("so")))
    assert "hm" not in str(await sent(here, CLAUDE, user("hi"), said, user("and?")))


async def test_hosted_tools_are_offered_by_name(here: Front) -> None:
    here.say(messages(({"type": "text", "text": "ok"}, [])))
    await answered(model_at(here, CLAUDE, hosted=("web_search",)))
    assert here.asked[0].body["tools"][0]["name"] == "web_search"


async def test_settings_of_the_library_go_with_every_request(here: Front) -> None:
    here.say(chat({"content": "ok"}))
    await answered(model_at(here, CHAT, settings={"seed": 7}))
    assert here.asked[0].body["seed"] == 7


async def test_ids_that_are_too_long_for_the_next_provider_are_shortened_alike(here: Front) -> None:
    long = "toolu_01A09q90qw90lq917835lq9"
    talk = (
        user("hi"),
        Message(Role.ASSISTANT, (ToolCall(long, "sky", {"at": 1}),)),
        Message(Role.TOOL, (ToolResult(long, "sky", "blue"),)),
    )
    body = await sent_anyhow(here, "mistral:mistral-large-latest", *talk)
    called, result = body["messages"][1]["tool_calls"][0]["id"], body["messages"][2]["tool_call_id"]
    assert called == result
    assert len(called) == 9


async def test_a_slip_without_its_part_is_passed_over(here: Front) -> None:
    said = Message(Role.ASSISTANT, (Opaque("openai-responses", "slip", '{"id":"x"}'), Text("so")))
    items = (await sent(here, RESPONSES, user("hi"), said, user("and?")))["input"]
    assert "'x'" not in str(items)


async def test_what_hangs_on_a_part_is_no_business_of_another_provider(here: Front) -> None:
    said = Message(Role.ASSISTANT, (Text("so"), Opaque("openai", "slip", '{"id":"msg_9"}')))
    assert "msg_9" not in str(await sent(here, RESPONSES, user("hi"), said, user("and?")))


async def test_other_tools_in_the_next_request_are_the_ones_that_are_sent(here: Front) -> None:
    model = model_at(here, CHAT)
    here.say(*[chat({"content": "ok"})] * 3)
    for tools in ((SKY,), (SEA,), (SKY, SEA)):
        await respond(model, ModelRequest(messages=(user("hi"),), tools=tools))
    await model.close()
    sent_tools = [[tool["function"]["name"] for tool in asked.body["tools"]] for asked in here.asked]
    assert sent_tools == [["sky"], ["sea"], ["sky", "sea"]]
