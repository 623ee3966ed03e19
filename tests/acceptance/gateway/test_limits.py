"""What a door lets in: not too large, not too slow, not too often, not from another site, and from whom it says."""

import asyncio
import time
from collections import Counter

import httpx2
import pytest

from callboard.apps.entrance.addresses import Addresses
from callboard.domain.errors import InputInvalid
from callboard.domain.principal import Grant, Role
from tests.acceptance.gateway.house import House, house


async def _raw(here: House, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What is answered to bytes as they are, until the connection ends."""
    target = httpx2.URL(here.url)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
    except ConnectionError:
        pass
    try:
        return await asyncio.wait_for(reader.read(), 60)
    except ConnectionError:
        return b"cut"
    finally:
        writer.close()


def _post(here: House, *headers: str) -> bytes:
    lines = (
        "POST /v1/runs HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {here.key}",
        "Content-Type: application/json",
    )
    return "\r\n".join((*lines, *headers, "", "")).encode()


async def test_a_body_above_the_limit_is_refused_and_not_read() -> None:
    async with house(body=10_000) as here:
        declared = await _raw(here, _post(here, "Content-Length: 104857600", "Expect: 100-continue"))
        assert declared.startswith(b"HTTP/1.1 413"), declared[:200]
        assert b"too_large" in declared
        assert b"100 Continue" not in declared
        chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        counted = await _raw(here, _post(here, "Transfer-Encoding: chunked"), *[chunk] * 5)
        assert counted.startswith(b"HTTP/1.1 413"), counted[:200]
        fits = await here.asking.post("/v1/runs", json={"flow": "hello", "input": "x" * 5_000})
        assert fits.status_code == 201


async def test_who_sends_slowly_is_cut_off() -> None:
    async with house(header_time=0.4) as here:
        slow_head = [bytes([each]) for each in b"GET /livez HTTP/1.1\r\nX: " + b"y" * 30]
        head, body, silent = await asyncio.gather(
            _raw(here, *slow_head, pause=0.05),
            _raw(here, _post(here, "Content-Length: 100"), b"{", pause=0.05),
            _raw(here),
        )
        assert head.startswith(b"HTTP/1.1 408") or head == b"cut"
        assert body.startswith(b"HTTP/1.1 408"), body[:100]
        assert b"too_slow" in body
        assert silent.startswith(b"HTTP/1.1 408")
        assert (await here.asking.get("/livez")).status_code == 200
    async with house(header_time=5.0) as here:
        large, unread = await asyncio.gather(
            _raw(here, b"GET /livez HTTP/1.1\r\nX: " + b"y" * 200_000 + b"\r\n\r\n"),
            _raw(here, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"),
        )
        assert large[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400", b"cut")
        assert unread.startswith(b"HTTP/1.1 200"), "what was not asked for is not waited for"
        assert (await here.asking.get("/livez")).status_code == 200


async def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    async with house(limit=5.0, start_limit=10.0) as here:
        answers = [await here.asking.get("/v1/whoami") for _ in range(10)]
        assert [each.status_code for each in answers] == [200] * 10
        more = await asyncio.gather(*(here.asking.get("/v1/whoami") for _ in range(100)))  # in twenty seconds all could
        last = next(each for each in more if each.status_code != 200)
        assert (last.status_code, last.json()["code"]) == (429, "rate_limited")
        assert int(last.headers["retry-after"]) >= 1
        assert {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= last.headers.keys()
        assert answers[0].headers["ratelimit-limit"] == "10"
    async with house(start_limit=10.0, route_limits=("/v1/runs/{run_id}=1",)) as here:
        several = await asyncio.gather(*(here.asking.get(f"/v1/runs/{'0' * 26}") for _ in range(20)))
        one = Counter(each.status_code for each in several)
        assert set(one) == {404, 429} and one[404] >= 2
        assert (await here.asking.get("/v1/runs")).status_code == 200
        runs = [{"flow": "hello", "input": "x"}] * 50
        refused = await here.asking.post("/v1/runs/batch", json={"runs": runs})
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")


async def test_a_page_of_another_site_can_do_nothing_with_a_log_in() -> None:
    async with house() as here:
        desk = here.rt.desk(here.rt.access.local("me"))
        await desk.credentials.add_person("mia", "Mia", "a long enough password", [Grant(Role.OPERATOR)])
        entered = await here.rt.access.login("mia", "a long enough password", "127.0.0.1")
        run = await here.start("gate", "never")
        async with httpx2.AsyncClient(base_url=here.url, headers={"Cookie": f"callboard={entered.cookie}"}) as mia:

            async def cancel(**headers: str) -> int:
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                return (await mia.post(f"/v1/runs/{run}/cancel", headers=named)).status_code

            assert (await mia.get(f"/v1/runs/{run}")).status_code == 200
            assert await cancel() == 403
            assert await cancel(X_CSRF_Token="guessed") == 403
            assert await cancel(X_CSRF_Token=entered.csrf, Origin="https://elsewhere.example") == 403
            assert await cancel(X_CSRF_Token=entered.csrf, Sec_Fetch_Site="cross-site") == 403
            assert await cancel(X_CSRF_Token=entered.csrf, Origin="null") == 403
            assert await cancel(X_CSRF_Token=entered.csrf, Origin=here.url, Sec_Fetch_Site="same-origin") == 200
        assert (await here.asking.get("/v1/runs", headers={"Origin": "https://elsewhere.example"})).status_code == 200


async def test_headers_say_what_browsers_may_and_nothing_comes_back_that_was_put_in() -> None:
    async with house(origins=("https://ours.example",)) as here:
        answer = await here.asking.get(
            "/v1/whoami", headers={"X-Request-Id": "abc-1", "Origin": "https://ours.example"}
        )
        assert answer.headers["x-request-id"] == "abc-1"
        assert answer.headers["access-control-allow-origin"] == "https://ours.example"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        other = await here.asking.get("/v1/whoami", headers={"Origin": "https://elsewhere.example"})
        assert "access-control-allow-origin" not in other.headers
        injected = await _raw(
            here,
            b"GET /v1/runs/%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\x01b\r\n"
            b"Connection: close\r\n\r\n",
        )
        assert b"x-evil" not in injected.lower().split(b"\r\n\r\n")[0]
        assert b"a\x01b" not in injected


async def test_what_a_process_did_is_in_its_log_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "callboard.access")
    async with house() as here:
        await here.asking.get("/v1/runs", params={"text": "hunter2"})
        line = next(each.message for each in caplog.records if each.name == "callboard.access")
        assert line.startswith("GET /v1/runs 200 ")
        assert "who=key:firstadminkey" in line
        assert "hunter2" not in caplog.text
        assert here.key not in caplog.text


def test_the_address_of_a_client_is_what_trusted_proxies_say() -> None:
    addresses = Addresses(("10.0.0.0/8", "::1"))
    told = ["1.1.1.1, 2.2.2.2, 10.9.9.9"]
    assert addresses.client("10.1.1.1", told) == "2.2.2.2"
    assert addresses.client("3.3.3.3", told) == "3.3.3.3"
    assert addresses.client("10.1.1.1", ["junk"]) == "10.1.1.1"
    assert addresses.client(None, told) == "local"
    assert addresses.client("10.1.1.1", ["4.4.4.4", "5.5.5.5"]) == "5.5.5.5", "the proxy added a line of its own"
    assert addresses.scheme("10.1.1.1", ["https"], "http") == "https"
    assert addresses.scheme("3.3.3.3", ["https"], "http") == "http"
    assert addresses.scheme("10.1.1.1", ["https", "http"], "https") == "http"
    with pytest.raises(InputInvalid):
        Addresses(("proxy.internal",))


async def test_readiness_names_what_is_wrong() -> None:
    async with house() as here:
        began = time.monotonic()
        assert (await here.asking.get("/readyz")).json() == {
            "status": "ready",
            "store": "ok",
            "dispatch": "ok",
            "stream": "ok",
            "worker": "ok",
        }
        assert time.monotonic() - began < 20
        assert here.rt.worker is not None
        await here.rt.worker.stop()
        told = await here.asking.get("/readyz")
        assert (told.status_code, told.json()["status"]) == (503, "not ready")
        assert told.json()["worker"] != "ok"
