"""A gateway that is killed while it streams a response: who comes back to another one misses nothing."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

import callboard as cb
from callboard.domain.event import EventKind
from tests.acceptance.gateway.gateway_process import ROOT, gateway_process
from tests.acceptance.gateway.house import SECRET
from tests.acceptance.openai.stage import STORY

APP = "tests.acceptance.openai.app"


@asynccontextmanager
async def _worker(store: str) -> AsyncIterator[None]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = ("-m", "callboard.apps.cli", "worker", APP, "--store", store)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, env=env, cwd=ROOT, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(("database", "model"), [("sqlite", "patient"), ("postgres", "slow_teller")])
async def test_killed_in_mid_stream_a_client_that_resumes_misses_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, model: str
) -> None:
    store = f"sqlite:///{tmp_path}/stage.db"
    if database == "postgres":
        store = request.getfixturevalue("new_database")("openai")
    seen: list[Any] = []
    key = ""
    async with _worker(store):
        for life in range(2):
            async with gateway_process(store, secret=SECRET, app=APP) as gateway:
                key = gateway.key or key
                client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)
                try:
                    if not seen:
                        stream = await client.responses.create(model=model, input="go", stream=True, background=True)
                    else:
                        stream = await client.responses.retrieve(
                            seen[0].response.id, stream=True, starting_after=seen[-1].sequence_number
                        )
                    async for event in stream:
                        seen.append(event)
                        if life < 1 and len(seen) == 9:
                            await gateway.kill()
                except openai.APIConnectionError:
                    assert life < 1
                if life == 1:
                    whole = await client.responses.retrieve(seen[0].response.id)
                    again = await client.responses.retrieve(whole.id, stream=True, starting_after=-1)
                    told = [event async for event in again]
                await client.close()
    numbers = [event.sequence_number for event in seen]
    assert numbers == sorted(set(numbers))
    text = "".join(event.delta for event in seen if event.type == "response.output_text.delta")
    assert text == whole.output_text == (f"At last. {STORY * 200}" if model == "patient" else STORY)
    assert _without_pieces(seen) == _without_pieces(told)
    assert seen[-1].type == "response.completed"
    if model == "slow_teller":  # it was heard while it spoke
        assert len([event for event in seen if event.type == "response.output_text.delta"]) > 5
    async with cb.open(None, store, worker=False) as rt:
        (run,) = await rt.store.runs.find("default")
        events = await rt.store.journal.read("default", run.id)
        for kind in (EventKind.INTENT, EventKind.DONE):
            made = [event.path for event in events if event.kind is kind]
            assert len(made) == len(set(made))
        assert run.deaths == 0


def _without_pieces(events: list[Any]) -> list[tuple[int, str]]:
    return [(event.sequence_number, event.type) for event in events if event.type != "response.output_text.delta"]
