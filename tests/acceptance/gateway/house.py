"""An app behind a real server on loopback, and somebody with its first key."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec

import callboard as cb
from callboard.apps.gateway.application import application
from callboard.apps.gateway.serving import listen, serve
from callboard.runtime import Runtime
from callboard.runtime import open as open_runtime
from callboard.settings import EngineSettings, GatewaySettings, Settings

SECRET = "a secret of this test that is long enough"


def town() -> cb.App:
    """Flows that wait, count, fail and talk."""
    app = cb.App("town")

    @app.flow
    async def hello(ctx: cb.Context, name: str) -> str:
        return f"hello {name}"

    @app.flow
    async def steps(ctx: cb.Context, count: int) -> int:
        for _ in range(count):
            await ctx.now()
        return count

    @app.flow
    async def slowly(ctx: cb.Context, seconds: list[float]) -> int:
        for each in seconds:
            await ctx.sleep(each)
        return len(seconds)

    @app.flow
    async def gate(ctx: cb.Context, name: str) -> Any:
        return await ctx.wait(name)

    @app.flow
    async def breaks(ctx: cb.Context, _: None) -> None:
        raise ValueError("it broke")

    @app.flow
    async def asks(ctx: cb.Context, cents: int) -> Any:
        decision = await ctx.ask({"cents": cents})
        return [decision.status, decision.value, decision.by]

    words = " ".join(f"word{number}" for number in range(40))
    app.agent("talker", model=cb.ScriptedModel([words], latency=0.01), prompt="Talk.")
    return app


@dataclass
class House:
    """What a test works with. `asking` sends the first key."""

    rt: Runtime
    url: str
    key: str
    asking: httpx2.AsyncClient
    stop: asyncio.Event
    serving: "asyncio.Task[None]"

    async def start(self, flow: str, value: Any = None, **fields: Any) -> str:
        """The id of a new run."""
        answer = await self.asking.post("/v1/runs", json={"flow": flow, "input": value, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def ended(self, run_id: str) -> dict[str, Any]:
        """How a run ended."""
        answer = await self.asking.get(f"/v1/runs/{run_id}/result", params={"wait": 20})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@asynccontextmanager
async def house(
    app: cb.App | None = None, *, store: str = "sqlite://", worker: bool = True, console: bool = False, **options: Any
) -> AsyncIterator[House]:
    """A gateway that answers; `options` are its settings, where `{port}` in its `public_url` is its own."""
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    given: dict[str, Any] = {"secret": SECRET, "limit": 0, "tenant_limit": 0, "start_limit": 0}
    given |= options
    given["public_url"] = given.get("public_url", "").format(port=port)
    gateway = GatewaySettings(**given)
    settings = Settings(store=store, gateway=gateway, engine=EngineSettings(drain=3))
    async with open_runtime(app or town(), worker=worker, settings=settings) as rt:
        key = await rt.access.first_key()
        assert key is not None
        stop, up = asyncio.Event(), asyncio.Event()
        made = application(rt, console=console)
        serving = asyncio.get_running_loop().create_task(serve(made, rt, listening, stop.wait, ready=up.set))
        await up.wait()
        url = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30) as asking:
            yield House(rt, url, key, asking, stop, serving)
        stop.set()
        await serving


class Said(msgspec.Struct):
    """One server-sent event."""

    name: str
    id: str
    data: Any

    @property
    def seq(self) -> int:
        """Of an event of the journal."""
        return int(self.data["seq"])


def parsed(text: str) -> Iterator[Said]:
    """The whole events of a stream."""
    for block in text.split("\n\n")[:-1]:
        lines = [line for line in block.splitlines() if ": " in line and not line.startswith((":", "retry"))]
        fields = dict(line.split(": ", 1) for line in lines)
        if fields:
            yield Said(fields["event"], fields.get("id", ""), msgspec.json.decode(fields["data"]))


async def follow(
    asking: httpx2.AsyncClient, path: str, last: str | None = None, until: int | None = None
) -> list[Said]:
    """What a stream says until it ends; or, to one who leaves then, until a run has or there are so many events."""
    text, headers = "", {} if last is None else {"Last-Event-ID": last}
    async with asking.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, (await answer.aread()).decode()
        async for piece in answer.aiter_text():
            text += piece
            said = list(parsed(text))
            ends = [number for number, each in enumerate(said, 1) if each.name == "end"]
            if until is not None and (ends or len(said) >= until):
                return said[: min([until, *ends])]
    return list(parsed(text))
