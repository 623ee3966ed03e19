"""When an adapter opens its connections, and when it lets go of them."""

import asyncio
import socket

from callboard.domain.message import user
from callboard.models import ModelRequest, TextDelta, respond
from callboard.models.providers import provide
from tests.unit.models.providers.asking import model_at
from tests.unit.models.providers.front import Answer, Front, chat, front

ASKED = ModelRequest(messages=(user("hi"),))


async def test_the_first_words_come_while_the_provider_still_speaks(here: Front) -> None:
    here.say(Answer(chat({"content": "one"}, {"content": "two"}, {"content": "three"})[:400], held=True))
    model = model_at(here)
    stream = model.stream(ASKED)
    assert await anext(stream) == TextDelta("one")
    await stream.aclose()  # type: ignore[attr-defined]
    await here.left.wait()
    await model.close()


async def test_who_reads_no_further_leaves_the_connection_also_the_second_time(here: Front) -> None:
    model = model_at(here)
    for _ in range(2):
        here.left.clear()
        here.say(Answer(chat({"content": "one"}, {"content": "two"}, {"content": "three"})[:400], held=True))
        stream = model.stream(ASKED)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        await here.left.wait()
    await model.close()


async def test_many_who_come_first_open_it_once(here: Front) -> None:
    model = model_at(here)
    here.say(*[chat({"content": str(n)}) for n in range(5)])
    answers = await asyncio.gather(*[respond(model, ASKED) for _ in range(5)])
    assert sorted(each.message.text for each in answers) == list("01234")
    await model.close()


async def test_the_first_who_gives_up_leaves_it_to_the_next(here: Front) -> None:
    model = model_at(here)
    first = asyncio.ensure_future(respond(model, ASKED))
    await asyncio.sleep(0)
    first.cancel()
    here.say(chat({"content": "for the second"}))
    assert (await respond(model, ASKED)).message.text == "for the second"
    await model.close()


async def test_after_it_was_closed_it_opens_again(here: Front) -> None:
    model = model_at(here)
    await model.close()
    for word in ("a", "b"):
        here.say(chat({"content": word}))
        assert (await respond(model, ASKED)).message.text == word
        await model.close()


def test_one_model_serves_one_loop_after_the_other() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = provide("openai:gpt-x", url=f"http://127.0.0.1:{port}/v1", api_key="k")

    async def ask(word: str) -> str:
        async with front(port) as here:
            here.say(chat({"content": word}))
            return (await respond(model, ASKED)).message.text

    assert [asyncio.run(ask(word)) for word in "ab"] == ["a", "b"]


async def test_an_idle_connection_is_used_again(here: Front) -> None:
    model = model_at(here)
    for word in ("a", "b", "c"):
        here.say(chat({"content": word}))
        await respond(model, ASKED)
    assert here.connections == 1
    await model.close()


async def test_how_much_fits_in_is_known_once_the_library_is_there(here: Front) -> None:
    model = model_at(here, "openai:gpt-5-mini")
    before = model.info.context
    here.say(chat({"content": "a"}))
    await respond(model, ASKED)
    assert (before, model.info.context) == (None, 400_000)
    await model.close()
