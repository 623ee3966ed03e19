"""Webhooks: told at least once, signed, tried again, and never where they must not go."""

import asyncio
from pathlib import Path
from typing import Any

from callboard.access.courier import Courier
from callboard.runtime import build
from callboard.settings import GatewaySettings, Settings
from callboard.testing import WindingClock
from tests.acceptance.gateway.house import SECRET, House, house, town
from tests.acceptance.gateway.receiver import receiver


async def _deliveries(here: House, run_id: str, status: str) -> list[dict[str, Any]]:
    for _ in range(300):
        items = (await here.asking.get(f"/v1/runs/{run_id}/deliveries")).json()["items"]
        if items and all(each["status"] == status for each in items):
            return list(items)
        await asyncio.sleep(0.02)
    raise AssertionError(f"not {status}: {items}")


async def test_a_receiver_is_told_with_a_signature_that_it_can_verify() -> None:
    async with receiver() as there, house(webhook_hosts=("localhost",)) as here:
        there.secret = (await here.asking.get("/v1/webhooks/secret")).json()["secret"]
        run_id = await here.start("hello", "Mia", webhook=there.url)
        [told] = await _deliveries(here, run_id, "done")
        assert (told["tries"], told["said"]) == (1, "HTTP 204")
        [(message, body)] = there.got
        assert (message, body["type"]) == (told["id"], "run.succeeded")
        assert body["data"] == {
            "id": run_id,
            "tenant": "default",
            "flow": "hello",
            "status": "succeeded",
            "output": "hello Mia",
        }
        broken = await here.start("breaks", webhook=there.url)
        await _deliveries(here, broken, "done")
        assert (there.got[1][1]["type"], there.got[1][1]["data"]["error"]["code"]) == ("run.failed", "flow_failed")
        assert there.forged == 0


async def test_what_points_inwards_is_never_called() -> None:
    async with receiver() as there, house() as here:
        for url in ("ftp://x/", "http://u:p@example.com/", "http://", "http://a b/", "https://x/\u00fc"):
            refused = await here.asking.post("/v1/runs", json={"flow": "hello", "input": "x", "webhook": url})
            assert refused.status_code == 422, url
        port = there.url.split(":")[2]
        for host in ("localhost", "127.0.0.1", "[::1]", "0.0.0.0", "169.254.169.254", "[::ffff:127.0.0.1]"):  # noqa: S104
            run_id = await here.start("hello", host, webhook=f"http://{host}:{port}")
            [told] = await _deliveries(here, run_id, "failed")
            assert "not public" in told["said"], (host, told)
        assert (there.got, there.forged) == ([], 0)


async def test_it_is_tried_again_also_by_another_process_and_a_redirect_is_not_followed(tmp_path: Path) -> None:
    clock = WindingClock()
    gateway = GatewaySettings(secret=SECRET, webhook_hosts=("localhost",))
    settings = Settings(store=f"sqlite:///{tmp_path}/town.db", gateway=gateway)
    async with receiver() as there:
        there.answers, there.location = [500, 302, 204], "http://localhost:1/elsewhere"
        first = build(town(), settings, clock=clock)
        await first.open()
        desk = first.desk(first.access.local("me"))
        there.secret = (await desk.webhooks.secret()).secret
        handle = await desk.runs.start("hello", "Mia", webhook=there.url)
        await handle.result(20)
        await _tries(first, handle.id, 1)
        await first.close()  # and what it had not settled is another's
        second = build(town(), settings, clock=clock, worker=False)
        await second.open()
        try:
            clock.set(clock.now() + 6)
            [dying] = await second.store.deliveries.take(clock.now(), 60, 9)  # by a process that is killed then
            assert (dying.delivery.tries, await second.courier.deliver()) == (1, 0)
            for tries, pause in ((2, 61), (3, 34)):
                clock.set(clock.now() + pause)
                assert await second.courier.deliver() == 1
                await _tries(second, handle.id, tries)
            assert await second.courier.deliver() == 0
        finally:
            await second.close()
        assert [message for message, _ in there.got] == [there.got[0][0]] * 3
        assert there.got[0][1] == there.got[1][1] == there.got[2][1]
        assert there.forged == 0


async def test_turns_and_second_ends_are_told_too_and_during_a_rotation_with_two_signatures() -> None:
    async with receiver() as there, house(webhook_hosts=("localhost",)) as here:
        old = (await here.asking.get("/v1/webhooks/secret")).json()
        there.secret = old["secret"]
        assert old["before"] is None
        bad = await here.asking.post("/v1/sessions", json={"flow": "hello", "webhook": "ftp://x"})
        assert bad.status_code == 422
        made = await here.asking.post("/v1/sessions", json={"flow": "hello", "id": "s", "webhook": there.url})
        assert made.json()["webhook"] == there.url
        sent = [
            (await here.asking.post("/v1/sessions/s/messages", json=body, headers={"Idempotency-Key": "1"})).json()
            for body in ({"text": "Mia"}, {"text": "Mia"})
        ]
        assert sent[0]["id"] == sent[1]["id"]
        [told] = await _deliveries(here, sent[0]["id"], "done")
        assert there.got == [(told["id"], there.got[0][1])]
        said = there.got[0][1]["data"]
        assert (said["id"], said["session"], said["output"]) == (sent[0]["id"], "s", "hello Mia")
        elsewhere = {"text": "Tom", "webhook": there.url + "&c=d"}
        turn = (await here.asking.post("/v1/sessions/s/messages", json=elsewhere)).json()
        [told] = await _deliveries(here, turn["id"], "done")
        assert told["url"] == elsewhere["webhook"], "the message's own takes the place of the session's"

        new = (await here.asking.post("/v1/webhooks/secret/rotate", json={"overlap": 60})).json()
        assert (new["before"], new["secret"] == old["secret"]) == (old["secret"], False)
        broken = await here.start("breaks", webhook=there.url)
        [first] = await _deliveries(here, broken, "done")
        there.secret = new["secret"]
        assert (await here.asking.post(f"/v1/runs/{broken}/requeue")).status_code == 200
        for _ in range(300):
            if len(there.got) == 4:
                break
            await asyncio.sleep(0.02)
        second, same = (await here.asking.get(f"/v1/runs/{broken}/deliveries")).json()["items"]
        assert (same["id"], same["ending"], second["ending"]) == (first["id"], 1, 2)
        assert [message for message, _ in there.got[2:]] == [first["id"], second["id"]]
        assert [body["type"] for _, body in there.got[2:]] == ["run.failed"] * 2
        assert there.signatures == [1, 1, 2, 2]
        cut = (await here.asking.post("/v1/webhooks/secret/rotate", json={"overlap": 0})).json()
        assert (cut["before"], cut["before_until"]) == (None, None)
        assert (await here.asking.post("/v1/webhooks/secret/rotate", json={"overlap": -1})).status_code == 422
        assert there.forged == 0


async def _tries(rt: Any, run_id: str, count: int) -> None:
    for _ in range(200):
        [found] = await rt.store.deliveries.find("default", run_id=run_id)
        if found.tries == count:
            assert found.status == ("done" if count == 3 else "pending")
            return
        await asyncio.sleep(0.02)
    raise AssertionError(found)


async def test_a_receiver_that_never_answers_holds_up_no_other() -> None:
    async def post(url: str, address: str, headers: dict[str, str], body: bytes) -> int:
        if "dead" in url:
            await asyncio.sleep(3_600)
        return 204

    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.215.14"]

    rt = build(town(), Settings(store="sqlite://", gateway=GatewaySettings(secret=SECRET)))
    rt.courier = Courier(rt.services, rt.access.secret, (), post=post, resolve=resolve)
    await rt.open()
    try:
        desk = rt.desk(rt.access.local("me"))
        for number in range(100):
            await desk.runs.start("hello", str(number), webhook="https://dead.example.com/")
        alive = await desk.runs.start("hello", "Mia", webhook="https://alive.example.com/")
        await alive.result(20)
        async with asyncio.timeout(9):  # shorter than one try takes that is not answered
            while (await rt.store.deliveries.find("default", run_id=alive.id))[0].status != "done":
                await asyncio.sleep(0.05)
    finally:
        await rt.close()
