"""Runs through the API: started once, found, waited for, acted on, and refused with a reason."""

import asyncio

from tests.acceptance.gateway.house import House, house


async def test_a_run_from_its_start_to_its_result() -> None:
    async with house() as here:
        answer = await here.asking.post("/v1/runs", json={"flow": "hello", "input": "Mia", "labels": {"team": "red"}})
        run = answer.json()
        assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/runs/{run['id']}")
        assert (await here.ended(run["id"]))["output"] == "hello Mia"
        row = (await here.asking.get(f"/v1/runs/{run['id']}")).json()
        assert (row["status"], row["labels"], row["by"].partition(":")[0]) == ("succeeded", {"team": "red"}, "key")
        page = (await here.asking.get(f"/v1/runs/{run['id']}/events", params={"limit": 1})).json()
        rest = (await here.asking.get(f"/v1/runs/{run['id']}/events", params={"after": page["next"]})).json()
        kinds = [event["kind"] for event in page["items"] + rest["items"]]
        assert (kinds[0], kinds[-1], rest["next"]) == ("started", "run_succeeded", None)


async def test_a_key_starts_one_run_and_another_body_is_a_conflict() -> None:
    async with house() as here:
        headers = {"Idempotency-Key": "order 17"}
        answers = [
            await here.asking.post("/v1/runs", json={"flow": "hello", "input": name}, headers=headers)
            for name in ("Mia", "Mia", "Tom")
        ]
        assert [each.status_code for each in answers] == [201, 200, 409]
        first, second, other = (each.json() for each in answers)
        assert (first["id"], second["created"], other["code"]) == (second["id"], False, "key_conflict")
        both = await here.asking.post("/v1/runs", json={"flow": "hello", "input": "x", "key": "a"}, headers=headers)
        assert both.status_code == 422


async def test_a_batch_answers_each_start_for_itself() -> None:
    async with house() as here:
        wanted = [{"flow": "steps", "input": n, "key": f"n{n}"} for n in range(300)]
        wanted[7] = {"flow": "steps", "input": "seven"}
        wanted[8] = {"flow": "nowhere"}
        wanted[9] = {"flow": "steps", "input": 1, "colour": "red"}
        answer = await here.asking.post("/v1/runs/batch", json={"runs": wanted})
        found = answer.json()
        assert (found["started"], found["refused"]) == (297, 3)
        statuses = {number: found["items"][number]["status"] for number in (6, 7, 8, 9)}
        assert statuses == {6: 201, 7: 422, 8: 404, 9: 422}
        again = (await here.asking.post("/v1/runs/batch", json={"runs": wanted[:7]})).json()
        assert [each["id"] for each in again["items"]] == [each["id"] for each in found["items"][:7]]
        assert {each["status"] for each in again["items"]} == {200}
        assert (await here.asking.post("/v1/runs/batch", json={"runs": []})).status_code == 422
        assert (await here.asking.post("/v1/runs/batch", json={"runs": [{}] * 1001})).status_code == 422


async def test_runs_are_found_by_what_they_are() -> None:
    async with house() as here:
        for number in range(5):
            await here.ended(await here.start("hello", f"n{number}", labels={"even": str(number % 2 == 0)}))
        broken = await here.start("breaks")
        assert (await here.ended(broken))["error"]["code"] == "flow_failed"

        async def found(**query: str) -> list[str]:
            return [run["id"] for run in (await here.asking.get("/v1/runs", params=query)).json()["items"]]

        assert await found(status="failed") == [broken]
        assert await found(flow="br*") == [broken]
        assert await found(text="broke") == [broken]
        assert len(await found(label="even=True")) == 3
        first = (await here.asking.get("/v1/runs", params={"limit": 4})).json()
        assert len(await found(before=first["next"])) == 2
        totals = (await here.asking.get("/v1/runs/totals")).json()
        assert totals["statuses"] == {"succeeded": 5, "failed": 1}
        assert (await here.asking.get("/v1/runs", params={"label": "nothing"})).status_code == 422
        assert (await here.asking.get("/v1/runs", params={"status": "odd"})).status_code == 422


async def test_a_run_is_waited_for_told_and_ended() -> None:
    async with house() as here:
        waits = await here.start("gate", "go")
        answer = await here.asking.get(f"/v1/runs/{waits}/result", params={"wait": 0.05})
        assert answer.status_code == 202
        assert answer.json()["status"] in ("running", "waiting", "ready")
        polling = asyncio.ensure_future(here.ended(waits))
        await asyncio.sleep(0.05)
        assert (
            await here.asking.post(f"/v1/runs/{waits}/signal", json={"name": "go", "value": [1]})
        ).status_code == 200
        assert (await polling)["output"] == [1]
        other = await here.start("gate", "never")
        assert (await here.asking.post(f"/v1/runs/{other}/cancel", json={"reason": "done"})).status_code == 200
        assert (await here.ended(other))["status"] == "cancelled"
        late = await here.asking.post(f"/v1/runs/{other}/cancel")
        assert (late.status_code, late.json()["code"]) == (409, "conflict")
        asked = await here.start("asks", 700)
        question = await _question(here, asked)
        decided = await here.asking.post(f"/v1/approvals/{question}/decide", json={"status": "approved"})
        assert decided.status_code == 200, decided.text
        assert (await here.ended(asked))["output"] == ["approved", {"cents": 700}, "first admin"]
        fork = await here.asking.post(f"/v1/runs/{asked}/fork", json={"at_seq": 0})
        assert (fork.status_code, fork.json()["fork_of"]) == (201, asked)


async def _question(here: House, run_id: str) -> str:
    for _ in range(100):
        found = (await here.asking.get("/v1/approvals", params={"run_id": run_id})).json()["items"]
        if found:
            return str(found[0]["id"])
        await asyncio.sleep(0.02)
    raise AssertionError("nobody asked")


_BAD = [
    (b"{", 422),
    (b'{"flow": "hello", "input": "\xff\xfe"}', 422),
    (b'{"flow": "hello", "input": NaN}', 422),
    (b'{"flow": "hello", "input": "\\ud800"}', 422),
    (b'{"flow": "hello", "input": 1e999}', 422),
    (b'{"flow": "hel\\u0000lo"}', 422),
    (b'{"flow": "hello", "labels": {"a": "\\u0000"}}', 422),
    (b'{"flow": "hello", "input": "x", "key": ""}', 422),
    (b'{"flow": "hello", "input": "x", "start_at": 1e300}', 422),
    (b'{"flow": "hello", "input": "x", "colour": 1}', 422),
    (b"[" * 100_000, 422),
    (b"null", 422),
    (b"", 422),
]


async def test_what_cannot_be_used_is_refused_with_a_reason_and_never_breaks_anything() -> None:
    async with house() as here:
        headers = {"Content-Type": "application/json"}
        for body, status in _BAD:
            answer = await here.asking.post("/v1/runs", content=body, headers=headers)
            assert answer.status_code == status, (body[:60], answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            assert {"type", "title", "status", "detail", "code", "instance"} <= answer.json().keys()
        for path in ("/v1/runs/..%2f..%2fetc", "/v1/runs/%00", "/v1/runs/O" + "0" * 25, "/v1/runs/x/result"):
            assert (await here.asking.get(path)).status_code in (404, 422), path
        unknown = await here.asking.get("/v1/runs/01kapxq2v8w6t5r2y1x0v7n3mb")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
        assert (await here.asking.patch("/v1/runs")).json()["code"] == "method_not_allowed"
        strange = await here.asking.get("/v1/runs", headers={"Callboard-Tenant": "somebody else"})
        assert strange.json()["items"] == []


async def test_nobody_comes_in_without_a_key() -> None:
    async with house() as here:
        paths = ("/v1/runs", "/v1/flows", "/v1/whoami", "/metrics", "/openapi.json", "/v1/keys")
        for key in ("x", "cb_x_y", "cb_firstadminkey_wrong", "a.b.c", "eyJhbGciOiJub25lIn0.e30."):
            for path in paths:
                answer = await here.asking.get(path, headers={"Authorization": f"Bearer {key}"})
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), path
                assert "www-authenticate" in answer.headers
        refused = await here.asking.post("/v1/runs", content=b"not json", headers={"Authorization": "Basic eDp5"})
        assert refused.status_code == 401
        assert (await here.asking.get("/livez", headers={"Authorization": "Bearer x"})).status_code == 200
        for path in paths:
            assert (await here.asking.get(path)).status_code == 200, path
