"""Runs and sessions live: everything once, in order, whoever comes and goes; the slow are told, the end is said."""

import asyncio
import socket
from collections.abc import Callable

import httpx2
import pytest

from callboard.engine import tails
from callboard.streams.stream import Chunk
from tests.acceptance.gateway.house import Said, follow, house, parsed


def journal(said: list[Said]) -> list[int]:
    return [each.seq for each in said if each.name == "journal"]


def delta(said: list[Said]) -> list[tuple[int, int]]:
    return [(each.data["epoch"], each.data["number"]) for each in said if each.name == "delta"]


async def test_a_run_is_followed_with_its_words_between_its_events() -> None:
    async with house() as here:
        run_id = await here.start("talker", "go on")
        path = f"/v1/runs/{run_id}/stream"
        said = await follow(here.asking, path)
        rows = (await here.asking.get(f"/v1/runs/{run_id}/events", params={"limit": 1000})).json()["items"]
        assert journal(said) == [row["seq"] for row in rows]
        assert [each.data for each in said if each.name == "journal"] == rows
        assert (said[-1].name, said[-1].data["status"]) == ("end", "succeeded")
        words = "".join(each.data["value"].get("text", "") for each in said if each.name == "delta")
        assert words.startswith("word0 word1") or "word20" in words
        assert delta(said) == sorted(set(delta(said)))
        assert len({each.id for each in said}) == len(said)
        ended = await here.asking.get(path, headers={"Last-Event-ID": said[-1].id})
        assert ended.status_code == 204


async def test_a_reader_that_comes_back_at_any_event_misses_nothing_and_sees_nothing_twice() -> None:
    async with house() as here:
        run_id = await here.start("talker", "go on")
        path, last = f"/v1/runs/{run_id}/stream", None
        seen: list[Said] = []
        while not seen or seen[-1].name != "end":
            seen += await follow(here.asking, path, last, until=3)
            last = seen[-1].id
        assert journal(seen) == list(range(len(journal(seen))))
        assert delta(seen) == sorted(set(delta(seen)))
        assert seen[-1].data["output"].startswith("word0")
        for bad in ("x", "1.2", "99999999999", "-2", "1.2-3.4"):
            assert (await here.asking.get(path, params={"after": bad})).status_code == 422, bad


async def test_an_event_arrives_when_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "_LOOK", 3_600.0)  # nobody looks for what is new: it is said
    async with house() as here, asyncio.timeout(60):
        run_id = await here.start("gate", "go")
        async with here.asking.stream("GET", f"/v1/runs/{run_id}/stream") as answer:
            pieces = answer.aiter_text()
            while "intent" not in await anext(pieces):
                pass
            await here.asking.post(f"/v1/runs/{run_id}/signal", json={"name": "go"})
            while "done" not in await anext(pieces):
                pass


async def test_too_slow_a_reader_is_told_and_comes_back_and_one_that_reads_nothing_is_cut_off() -> None:
    async with house(backlog=300_000, header_time=0.5) as here:
        run_id = await here.start("gate", "go")
        path = f"/v1/runs/{run_id}/stream"

        async def flood(first: int) -> None:
            for number in range(first, first + 60):  # more than sockets and backlog hold together
                chunk = Chunk(run_id, 7, "9:model", number, "delta", {"text": "x" * 200_000}, "default")
                here.rt.services.stream.publish(chunk)
                await asyncio.sleep(0.001)

        reader, writer = await _raw(here.url, path, here.key)
        await flood(1)
        await asyncio.sleep(0.7)
        said = list(parsed((await reader.read()).replace(b"\r\n", b"\n").decode()))
        writer.close()
        assert said[-1].name == "slow"
        assert 0 < len(delta(said)) < 60
        last = [each.id for each in said if each.id][-1]
        more = await follow(here.asking, path, last, until=8)
        assert delta(more)[0] == (7, delta(said)[-1][1] + 1)

        _, writer = await _raw(here.url, path, here.key)
        await flood(61)
        await _until(lambda: here.rt.services.metrics.streams == 0)
        writer.close()


async def test_a_process_that_ends_sends_its_streams_away_and_lets_requests_finish() -> None:
    async with house() as here:
        run_id = await here.start("gate", "never")
        following = asyncio.ensure_future(follow(here.asking, f"/v1/runs/{run_id}/stream"))
        polling = asyncio.ensure_future(here.asking.get(f"/v1/runs/{run_id}/result", params={"wait": 60}))
        while here.rt.services.metrics.streams < 1:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        here.stop.set()
        said = await following
        assert said[-1].name == "bye"
        assert (await polling).status_code == 202
        await here.serving
        try:
            await here.asking.get("/livez")
        except httpx2.ConnectError:
            return
        raise AssertionError("it still answers")


async def test_there_are_only_so_many_streams() -> None:
    async with house(streams=1) as here:
        run_id = await here.start("gate", "never")
        async with here.asking.stream("GET", f"/v1/runs/{run_id}/stream"):
            refused = await here.asking.get(f"/v1/runs/{run_id}/stream")
            assert (refused.status_code, refused.json()["code"]) == (503, "try_later")
            assert "retry-after" in refused.headers
        await _until(lambda: here.rt.services.metrics.streams == 0)
        async with here.asking.stream("GET", f"/v1/runs/{run_id}/stream") as again:
            assert again.status_code == 200


async def test_a_session_is_followed_turn_by_turn() -> None:
    async with house() as here:
        begun = await here.asking.post("/v1/sessions", json={"flow": "talker", "id": "chat 1"})
        assert begun.status_code == 201, begun.text
        turns = []
        for text in ("one", "two"):
            sent = await here.asking.post("/v1/sessions/chat 1/messages", json={"text": text})
            assert sent.status_code == 201, sent.text
            turns.append(sent.json()["id"])
        seen: list[Said] = []
        last = None
        while sum(each.name == "end" for each in seen) < 2:
            seen += await follow(here.asking, "/v1/sessions/chat 1/stream", last, until=5)
            last = seen[-1].id
        assert [each.data["id"] for each in seen if each.name == "turn"] == turns
        first, second = (range(r["items"][-1]["seq"] + 1) for r in [await _events(here.asking, run) for run in turns])
        assert journal(seen) == [*first, *second]
        listed = (await here.asking.get("/v1/sessions/chat 1/turns")).json()["items"]
        assert [(turn["number"], turn["id"]) for turn in listed] == [(1, turns[0]), (2, turns[1])]


async def _events(asking: httpx2.AsyncClient, run_id: str) -> dict:
    return (await asking.get(f"/v1/runs/{run_id}/events", params={"limit": 1000})).json()


async def _raw(url: str, path: str, key: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A reader with a small window that has read the answer's head and then takes its time."""
    target = httpx2.URL(url)
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, (target.host, target.port))
    reader, writer = await asyncio.open_connection(sock=made, limit=1024)
    writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    return reader, writer


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came to be")


def test_the_reader_of_this_test_reads() -> None:
    assert [each.id for each in parsed('retry: 1\n\n: alive\n\nid: 3\nevent: journal\ndata: {"seq": 3}\n\nid: 4')] == [
        "3"
    ]


async def test_a_reader_who_was_told_the_end_is_told_what_came_after_a_requeue() -> None:
    async with house() as here:
        run_id = await here.start("breaks")
        path = f"/v1/runs/{run_id}/stream"
        first = await follow(here.asking, path)
        assert (await here.asking.post(f"/v1/runs/{run_id}/requeue", json={"reason": "again"})).status_code < 300
        await here.ended(run_id)
        second = await follow(here.asking, path, first[-1].id)
        rows = (await here.asking.get(f"/v1/runs/{run_id}/events")).json()["items"]
        assert journal(first) + journal(second) == [row["seq"] for row in rows]
        assert (second[-1].name, len(journal(second)) > 1) == ("end", True)
