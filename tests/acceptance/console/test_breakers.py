"""The page of a run says how breakers stood when it called: opened by real failures, open, probed, closed again."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import callboard as cb
from callboard.apps.gateway.application import application
from callboard.domain.errors import ModelFailed, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.models import ModelRequest
from callboard.resilience.breaker import BreakerRules
from callboard.runtime import Runtime
from callboard.settings import EngineSettings, Settings

RULES = BreakerRules(failures=2, open_for=0.6)
DOWN = {"tool": True, "model": True}


def made() -> cb.App:
    app = cb.App("breakers")
    app.upstream("shelf", breaker=RULES)
    app.upstream("brain", breaker=RULES, retry=cb.Retry(attempts=1))

    @app.tool(effect="read", upstream="shelf", retry=cb.Retry(attempts=1))
    async def stock(item: str) -> int:
        if DOWN["tool"]:
            raise ToolFailed("nobody is there", kind=ErrorKind.UPSTREAM_DOWN)
        return 3

    def play(request: ModelRequest) -> Any:
        if DOWN["model"]:
            raise ModelFailed("it is down", kind=ErrorKind.UPSTREAM_DOWN)
        return "There are three."

    app.model("brain", cb.ScriptedModel(play, name="brain"))
    app.agent("teller", model="brain", prompt="You know the stock.")

    @app.flow
    async def counts(ctx: cb.Context, item: str) -> Any:
        return await stock.call(ctx, item=item)

    return app


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[tuple[Runtime, httpx2.AsyncClient]]:
    DOWN.update(tool=True, model=True)
    settings = Settings(store=f"sqlite:///{tmp_path}/b.db", engine=EngineSettings(sweep=0.1, drain=0.2))
    async with cb.open(made(), settings=settings) as rt:
        transport = httpx2.ASGITransport(app=application(rt))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            await client.get(f"/console/enter?token={rt.access.entry_token()}")
            yield rt, client


async def seen(there: tuple[Runtime, httpx2.AsyncClient], flow: str) -> tuple[str, str, list[str]]:
    """How a run ends, and what its picture and its effect say about a breaker."""
    rt, client = there
    handle = await rt.start(flow, "tea")
    outcome = await handle.outcome(10)
    page = (await client.get(f"/console/runs/{handle.id}")).text
    row = re.search(r">breaker ([a-z ]+)<", page)
    told: list[str] = []
    for seq in sorted(set(re.findall(r'data-seq="(\d+)"', page)), key=int):
        effect = (await client.get(f"/console/runs/{handle.id}/effects/{seq}")).text
        told += re.findall(r"<dt>Breaker</dt><dd>(.*?)</dd>", effect, re.DOTALL)
    plain = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", each)).strip() for each in told]
    return str(outcome.status), row[1] if row else "", plain


async def test_of_a_tool_the_page_says_what_was_refused_and_what_was_let_through(
    there: tuple[Runtime, httpx2.AsyncClient],
) -> None:
    refused, probed = (
        "open of shelf this call was not made",
        "half open of shelf this call was let through to see, and ",
    )
    assert await seen(there, "counts") == ("failed", "", [])
    assert await seen(there, "counts") == ("failed", "", []), "the second one opens it"
    assert await seen(there, "counts") == ("failed", "open", [refused])
    await asyncio.sleep(0.7)
    assert await seen(there, "counts") == ("failed", "half open", [f"{probed}failed"])
    DOWN["tool"] = False
    assert await seen(there, "counts") == ("failed", "open", [refused])
    await asyncio.sleep(0.7)
    assert await seen(there, "counts") == ("succeeded", "half open", [f"{probed}it answered"])
    assert await seen(there, "counts") == ("succeeded", "", []), "closed: nothing is written of it"


async def test_of_a_model_that_is_waited_for_it_says_both(there: tuple[Runtime, httpx2.AsyncClient]) -> None:
    for _ in range(2):
        assert await seen(there, "teller") == ("failed", "", [])
    DOWN["model"] = False
    assert await seen(there, "teller") == (
        "succeeded",
        "half open",
        [
            "open of brain this call was not made (attempt 1)",
            "half open of brain this call was let through to see, and it answered (attempt 2)",
        ],
    )
    assert await seen(there, "teller") == ("succeeded", "", [])
