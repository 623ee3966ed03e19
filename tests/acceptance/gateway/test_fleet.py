"""The gateway as a door of a PostgreSQL store, and a worker elsewhere that executes what it starts."""

import asyncio
from collections.abc import Callable

import httpx2

from callboard.runtime import migrate_schema
from callboard.runtime import open as open_runtime
from callboard.settings import GatewaySettings, Settings
from callboard.streams.stream import Chunk
from tests.acceptance.gateway.house import SECRET, follow, house, town
from tests.acceptance.gateway.receiver import receiver
from tests.servers.postgres import PostgresServer


async def test_a_door_starts_follows_and_waits_for_what_a_worker_executes(
    postgres: PostgresServer, new_database: Callable[..., str]
) -> None:
    url = new_database("gateway")
    await migrate_schema(url, ("before", "after"))
    roles = postgres.roles(url)
    settings = Settings(store=roles.worker, gateway=GatewaySettings(secret=SECRET, webhook_hosts=("localhost",)))
    async with (
        receiver() as there,
        open_runtime(town(), settings=settings) as worker,
        house(store=roles.door, worker=False) as here,
    ):
        there.secret = (await here.asking.get("/v1/webhooks/secret")).json()["secret"]
        run_id = await here.start("talker", "go on", key="one", webhook=there.url)
        assert worker.worker is not None
        said = await follow(here.asking, f"/v1/runs/{run_id}/stream")
        assert next(each.seq for each in said if each.name == "journal") == 0
        assert (said[-1].name, said[-1].data["status"]) == ("end", "succeeded")
        ended = await here.ended(run_id)
        assert ended["output"] == said[-1].data["output"]
        again = await here.asking.post("/v1/runs", json={"flow": "talker", "input": "go on", "key": "one"})
        assert (again.status_code, again.json()["id"]) == (200, run_id)
        waits = await here.start("gate", "go")
        live = asyncio.ensure_future(follow(here.asking, f"/v1/runs/{waits}/stream", until=3))
        worker.services.stream.publish(Chunk(waits, 9, "1:model", 1, "delta", {"text": "so"}, "default"))
        assert [each.data["value"] for each in await live if each.name == "delta"] == [{"text": "so"}]
        assert (await here.asking.post(f"/v1/runs/{waits}/signal", json={"name": "go", "value": 7})).status_code == 200
        assert (await here.ended(waits))["output"] == 7
        assert (await here.asking.get("/readyz")).json()["status"] == "ready"
        assert "callboard_http_requests_total" in (await here.asking.get("/metrics")).text
        other = {"Callboard-Tenant": "other"}
        assert (await here.asking.get(f"/v1/runs/{run_id}", headers=other)).status_code == 404
        theirs = await here.asking.post("/v1/runs", json={"flow": "hello", "input": "x"}, headers=other)
        told = await here.asking.get(f"/v1/runs/{theirs.json()['id']}/result", params={"wait": 20}, headers=other)
        assert told.json()["output"] == "hello x"
        assert (await here.asking.get("/v1/runs/totals")).json()["statuses"] == {"succeeded": 2}
        made = await here.asking.post("/v1/keys", json={"name": "reader", "grants": [{"role": "viewer"}]})
        assert made.status_code == 201, made.text
        async with httpx2.AsyncClient(
            base_url=here.url, headers={"Authorization": f"Bearer {made.json()['text']}"}
        ) as reader:
            assert (await reader.get(f"/v1/runs/{run_id}")).status_code == 200
            assert (await reader.post("/v1/runs", json={"flow": "hello", "input": "x"})).status_code == 403
        beyond = await here.asking.put("/v1/budgets/agent/talker", json={"usd": "1"})
        assert (beyond.status_code, beyond.json()["code"]) == (403, "store_forbidden")
        assert "--operator" in beyond.json()["remedy"]
        assert "permission denied" not in beyond.text
        assert (await here.asking.get("/v1/audit/verify")).json()["broken"] is None
        async with asyncio.timeout(20):  # the worker delivers in its own time
            while not there.got:
                await asyncio.sleep(0.02)
        assert [body["data"]["id"] for _, body in there.got] == [run_id]
        assert there.forged == 0
