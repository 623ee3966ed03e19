"""The official client works unchanged against durable agents."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest

from callboard.store.runs import Search
from tests.acceptance.gateway.house import House, house
from tests.acceptance.openai.stage import STORY, stage


@asynccontextmanager
async def stages(**options: Any) -> AsyncIterator[tuple[House, openai.AsyncOpenAI]]:
    async with (
        house(stage(), **options) as here,
        openai.AsyncOpenAI(base_url=f"{here.url}/v1", api_key=here.key, max_retries=0) as client,
    ):
        yield here, client


def _user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


async def test_models_and_completions() -> None:
    async with stages() as (here, client):
        models = {model.id: model async for model in client.models.list()}
        assert {"echo", "clerk", "gate"} <= models.keys()
        assert (models["echo"].owned_by, models["echo"].object) == ("default", "model")
        assert (await client.models.retrieve("total")).created > 0

        chat: list[Any] = [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "1"},
            {"role": "user", "content": [{"type": "text", "text": "two"}]},
        ]
        made = await client.chat.completions.create(
            model="echo", messages=chat, user="mia", metadata={"team": "red"}, temperature=0.2
        )
        choice = made.choices[0]
        assert choice.message.content == "system:Echo. | system:Be brief. | user:one | assistant:1 | user:two"
        assert (choice.finish_reason, made.model, made.object) == ("stop", "echo", "chat.completion")
        assert made.usage is not None
        assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens > 0
        run = await here.rt.handle(made.id.removeprefix("chatcmpl-")).run()
        assert run.labels == {"team": "red", "user": "mia"}
        total = await client.chat.completions.create(model="total", messages=_user("[1, 2]"))
        assert total.choices[0].message.content == '{"total":3}'

        keyed = [
            await client.chat.completions.create(
                model="echo", messages=_user("once"), extra_headers={"Idempotency-Key": "k"}
            )
            for _ in range(2)
        ]
        assert keyed[0].id == keyed[1].id

        ends = {
            model: (await client.chat.completions.create(model=model, messages=_user("?"))).choices[0]
            for model in ("prude", "short")
        }
        assert {model: end.finish_reason for model, end in ends.items()} == {
            "prude": "content_filter",
            "short": "length",
        }
        assert ends["short"].message.content == "Let me look."


@pytest.mark.parametrize("model", ["teller", "clerk"])
async def test_a_completion_in_pieces_is_the_output(model: str) -> None:
    async with stages() as (here, client):
        stream = await client.chat.completions.create(
            model=model, messages=_user("go on"), stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        told = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        run_id = chunks[0].id.removeprefix("chatcmpl-")
        output = await here.rt.handle(run_id).result(5)
        assert "".join(told) == output
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens > 0
        # The teller is heard while it speaks; what an agent with tools says is its answer only when it has ended.
        assert (len([each for each in told if each]) > 20) is (model == "teller")


async def test_responses_go_on_branch_and_belong_to_a_conversation() -> None:
    async with stages() as (here, client):
        first = await client.responses.create(
            model="echo", input="one", instructions="Be brief.", metadata={"team": "red"}, user="mia"
        )
        assert (first.output_text, first.status) == ("system:Echo. | system:Be brief. | user:one", "completed")
        assert (first.instructions, first.metadata) == ("Be brief.", {"team": "red"})
        second = await client.responses.create(model="echo", input="two", previous_response_id=first.id)
        before = f"system:Echo. | user:one | assistant:{first.output_text}"
        assert second.output_text == f"{before} | user:two"
        third = await client.responses.create(model="echo", input="three", previous_response_id=first.id)
        assert third.output_text == f"{before} | user:three"
        assert third.conversation is not None
        fourth = await client.responses.create(model="echo", input="four", conversation=third.conversation.id)
        assert fourth.output_text.endswith(f"user:three | assistant:{third.output_text} | user:four")
        seen = await client.responses.retrieve(first.id)
        assert (seen.output_text, seen.metadata, seen.usage) == (first.output_text, {"team": "red"}, first.usage)
        run = await here.rt.handle(first.id.removeprefix("resp_")).run()
        assert run.labels == {"team": "red", "user": "mia", "session": third.conversation.id.removeprefix("conv_")}

        begun = await client.conversations.create()
        kept = await client.conversations.create(metadata={"model": "echo", "team": "red"})
        assert (await client.conversations.retrieve(kept.id)).metadata == {"model": "echo", "team": "red"}
        for conversation in (begun.id, kept.id):
            items: list[Any] = [*_user("a"), {"role": "assistant", "content": "b"}, *_user("c")]
            await client.responses.create(model="echo", input=items, conversation=conversation)
            last = await client.responses.create(model="echo", input="d", conversation=conversation)
            assert last.output_text.startswith("system:Echo. | user:a | assistant:b | user:c | assistant:")

        keyed = [
            await client.responses.create(model="echo", input="once", extra_headers={"Idempotency-Key": "k"})
            for _ in range(2)
        ]
        assert keyed[0].id == keyed[1].id
        with pytest.raises(openai.ConflictError, match="which had another input"):
            await client.responses.create(model="echo", input="twice", extra_headers={"Idempotency-Key": "k"})
        unkept = await client.responses.create(model="echo", input="hi", store=False)
        assert (unkept.output_text, unkept.model_dump()["store"]) == ("system:Echo. | user:hi", False)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(unkept.id)


async def test_a_response_in_events() -> None:
    async with stages() as (_, client):
        events = [event async for event in await client.responses.create(model="clerk", input="where?", stream=True)]
        kinds = [event.type for event in events]
        numbers = [event.sequence_number for event in events]
        assert numbers == sorted(set(numbers))
        assert kinds[:4] == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.mcp_call.in_progress",
        ]
        assert [kind for kind in kinds if kind.startswith("response.mcp_call.")][2:] == [
            "response.mcp_call.completed",
            "response.mcp_call.failed",
        ]
        assert kinds[-4:] == [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
        told = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        done: Any = events[-1]
        assert told == done.response.output_text == f"It comes tomorrow. {STORY}"
        called, missing, message = done.response.output
        assert (called.type, called.name, called.output) == ("mcp_call", "order", '{"id":"A1","state":"sent"}')
        assert (missing.status, message.type) == ("failed", "message")
        assert (await client.responses.retrieve(done.response.id)).output_text == told
        for seen in range(len(events)):  # whoever comes back at any place gets the rest, and nothing else
            again = await client.responses.retrieve(done.response.id, stream=True, starting_after=numbers[seen])
            rest = [(event.sequence_number, event.type) async for event in again]
            assert rest == list(zip(numbers, kinds, strict=True))[seen + 1 :]

        live = [event async for event in await client.responses.create(model="teller", input="go", stream=True)]
        deltas = [event for event in live if event.type == "response.output_text.delta"]
        assert "".join(event.delta for event in deltas) == STORY
        assert len(deltas) > 20
        response_id: Any = live[0]
        for seen, event in enumerate(live):
            again = await client.responses.retrieve(
                response_id.response.id, stream=True, starting_after=event.sequence_number
            )
            rest_text = "".join([each.delta async for each in again if each.type == "response.output_text.delta"])
            assert rest_text == "".join(each.delta for each in live[seen + 1 :] if each in deltas)


async def test_background_cancel_and_refusals() -> None:
    async with stages() as (here, client):
        made = await client.responses.create(model="gate", input="wait", background=True)
        behind = await client.responses.create(
            model="gate", input="then", background=True, previous_response_id=made.id
        )
        assert (await client.responses.retrieve(behind.id)).status == "queued"
        while (await client.responses.retrieve(made.id)).status != "in_progress":
            await asyncio.sleep(0.02)
        await client.responses.cancel(made.id)
        while (cancelled := await client.responses.retrieve(made.id)).status == "in_progress":
            await asyncio.sleep(0.02)
        assert cancelled.status == "cancelled"
        assert (await client.responses.cancel(made.id)).status == "cancelled"
        handle = here.rt.handle(behind.id.removeprefix("resp_"))
        while not await here.rt.store.runs.rows("default", [handle.id]):
            await asyncio.sleep(0.02)
        await handle.signal("go", "at last")
        while (ended := await client.responses.retrieve(behind.id)).status != "completed":
            await asyncio.sleep(0.02)
        assert (ended.output_text, ended.previous_response_id) == ("at last", made.id)

        failed = await client.responses.create(model="broken", input="?")
        assert failed.status == "failed"
        assert failed.error is not None
        assert "out of order" in failed.error.message
        create, respond = client.chat.completions.create, client.responses.create
        with pytest.raises(openai.BadRequestError, match="out of order") as refused:
            await create(model="broken", messages=_user("?"))
        assert refused.value.response.headers["x-should-retry"] == "false"
        with pytest.raises(openai.APIError, match="out of order"):
            _ = [chunk async for chunk in await create(model="broken", messages=_user("?"), stream=True)]

        with pytest.raises(openai.NotFoundError) as unknown:
            await create(model="nobody", messages=_user("?"))
        assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        bad: list[tuple[dict[str, Any], str | None]] = [
            ({"n": 2}, "n"),
            ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
            ({"logprobs": True}, "logprobs"),
            ({"response_format": {"type": "json_object"}}, "response_format"),
            ({"extra_body": {"wishes": 1}}, "wishes"),
            ({"messages": [{"role": "assistant", "content": "I first"}]}, "messages"),
            ({"messages": [{"role": "user", "content": [image]}]}, None),
        ]
        for fields, param in bad:
            with pytest.raises(openai.BadRequestError) as refusal:
                await create(**({"model": "echo", "messages": _user("?")} | fields))
            assert param is None or refusal.value.param == param
            assert refusal.value.type == "invalid_request_error"
        with pytest.raises(openai.BadRequestError, match="not JSON"):
            await respond(model="total", input="two apples")
        with pytest.raises(openai.NotFoundError):
            await respond(model="echo", input="?", previous_response_id="resp_../../x")
        with pytest.raises(openai.AuthenticationError) as stranger:
            await client.with_options(api_key="cb_nobody_secret").models.list()
        assert stranger.value.code == "invalid_api_key"
        before = await here.rt.store.runs.totals("default", Search())
        with pytest.raises(openai.BadRequestError):
            await respond(model="echo", input="?", tools=[{"type": "web_search"}])
        assert await here.rt.store.runs.totals("default", Search()) == before


async def test_a_key_that_may_not_read_starts_nothing() -> None:
    async with stages() as (here, client):
        grants = [{"role": "author", "tenant": "default", "actions": ["runs:start"]}]
        made = await here.asking.post("/v1/keys", json={"name": "blind", "grants": grants})
        blind = client.with_options(api_key=made.json()["text"])
        with pytest.raises(openai.PermissionDeniedError):
            await blind.chat.completions.create(model="echo", messages=_user("?"))
        with pytest.raises(openai.PermissionDeniedError):
            await blind.responses.create(model="echo", input="?")
        assert not await here.rt.store.runs.find("default")
        assert not await here.rt.sessions.find("default")


async def test_too_many_requests() -> None:
    async with stages(limit=1.0) as (_, client):
        with pytest.raises(openai.RateLimitError) as refused:
            for _ in range(5):
                await client.models.list()
        assert int(refused.value.response.headers["retry-after"]) >= 1
