"""What somebody may try who knows the API: forged tokens, old keys, others' ids, inward addresses."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc.jwk import RSAKey

from callboard.connections.reachable import reachable
from callboard.domain.errors import Denied, InputInvalid
from callboard.domain.principal import Grant, Role
from callboard.domain.webhook import check_webhook
from callboard.testing.clock import WindingClock
from tests.acceptance.gateway.house import House, house
from tests.acceptance.gateway.who_may import TABLE
from tests.unit.access.test_tokens import AUDIENCE, Issuer

_STRICT = ("default-src 'none'", "frame-ancestors 'none'")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.server.shutdown()
    made.server.server_close()


async def test_only_a_good_token_of_the_issuer_opens_the_door(issuer: Issuer) -> None:
    clock = WindingClock(time.time())
    good = issuer.token(clock)
    head, body, sign = good.split(".")
    stranger = RSAKey.generate_key(2048, {"kid": "rsa"})
    nothing, shared = _encoded(b'{"alg":"none","typ":"JWT"}'), _encoded(b'{"alg":"HS256","kid":"rsa"}')
    claims = {"iss": issuer.url, "aud": AUDIENCE, "sub": "mia", "exp": 9_999_999_999, "roles": ["admin:*"]}
    raised = _encoded(json.dumps(claims).encode())
    mac = hmac.digest(_pem(issuer), f"{shared}.{raised}".encode(), "sha256")
    forged = {
        "no algorithm": f"{nothing}.{raised}.",
        "no algorithm, a signature": f"{nothing}.{raised}.{sign}",
        "another's key": issuer.token(clock, key=stranger),
        "the public key as a shared secret": f"{shared}.{raised}.{_encoded(mac)}",
        "another audience": issuer.token(clock, aud="somebody else"),
        "another issuer": issuer.token(clock, iss="https://evil.example"),
        "expired": issuer.token(clock, exp=int(clock.now()) - 3_600),
        "not yet": issuer.token(clock, nbf=int(clock.now()) + 3_600),
        "no end": issuer.token(clock, exp=None),
        "another body": f"{head}.{raised}.{sign}",
        "no signature": f"{head}.{body}.",
    }
    async with house(worker=False, oidc_issuer=issuer.url, oidc_audience=AUDIENCE) as here:

        async def who(token: str) -> httpx2.Response:
            return await here.asking.get("/v1/whoami", headers={"Authorization": f"Bearer {token}"})

        for name, token in forged.items():
            answer = await who(token)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), name
            assert token not in answer.text
        assert (await who(good)).json()["grants"] == [
            {"role": "operator", "tenant": "default", "flows": ["*"], "actions": None}
        ]


def _pem(issuer: Issuer) -> bytes:
    key = issuer.key("rsa")
    assert isinstance(key, RSAKey)
    return key.as_pem(private=False)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def test_an_old_key_or_a_used_idempotency_key_gives_nothing_away() -> None:
    async with house() as here:
        desk = here.rt.desk(here.rt.access.local("me"))
        now = here.rt.services.clock.now()
        revoked = await desk.credentials.create_key("revoked", [Grant(Role.ADMIN)])
        short = await desk.credentials.create_key("short", [Grant(Role.ADMIN)], expires_at=now + 0.05)
        other = await desk.credentials.create_key("other", [Grant(Role.ADMIN, "other")])
        body = {"flow": "hello", "input": "mine"}
        said = {"Idempotency-Key": "order 17"}
        mine = (await here.asking.post("/v1/runs", json=body, headers=said)).json()
        theirs = await _as(here, other.text, "POST", json=body, headers=said | {"Callboard-Tenant": "other"})
        assert (theirs.status_code, theirs.json()["created"]) == (201, True)
        assert theirs.json()["id"] != mine["id"]
        conflict = await here.asking.post("/v1/runs", json=body | {"input": "secret words"}, headers=said)
        assert conflict.status_code == 409
        assert "secret words" not in conflict.text
        await here.ended(mine["id"])
        assert (await _as(here, revoked.text)).status_code == 200
        await desk.credentials.revoke_key(revoked.key.id)
        while here.rt.services.clock.now() <= now + 0.05:
            await asyncio.sleep(0.01)
        for text in (revoked.text, short.text, revoked.text.swapcase(), revoked.text[:-1], f"{revoked.text}a"):
            answer = await _as(here, text)
            assert answer.status_code == 401
            assert text.split("_")[2] not in answer.text


async def _as(here: House, key: str, method: str = "GET", **options: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {key}"} | options.pop("headers", {})
    async with httpx2.AsyncClient(base_url=here.url, timeout=30) as client:
        return await client.request(method, "/v1/runs", headers=headers, **options)


_INWARD = (
    *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0", "localhost", "10.1.2.3"),  # noqa: S104
    *("192.168.0.1", "172.16.0.1", "100.64.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "198.18.0.1"),
    *("[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"),
    *("[2002:7f00:1::]", "[ff02::1]", "[::127.0.0.1]", "[64:ff9b:1::1]"),
)


async def test_no_webhook_leads_inwards() -> None:
    for host in _INWARD:
        url = f"http://{host}:80/"
        try:
            check_webhook(url)
            found = await reachable(url, ())
        except (Denied, InputInvalid, OSError):
            continue
        raise AssertionError(f"{url} would be called at {found}")

    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "127.0.0.1"]

    with pytest.raises(Denied):
        await reachable("https://two-faced.example/", (), resolve)


async def test_a_store_that_fails_is_told_without_its_place(tmp_path: Path) -> None:
    place = tmp_path / "a-place-that-nobody-may-know"
    place.mkdir()
    async with house(store=f"sqlite:///{place}/town.db", console=True) as here:
        entered = await here.rt.access.login_with_key(here.key, "x")
        await here.rt.worker.stop()  # type: ignore[union-attr]
        await here.rt.services.store.close()
        start = {"flow": "hello", "input": "x"}
        chat = {"model": "talker", "messages": [{"role": "user", "content": "x"}]}
        answers = [
            await here.asking.get("/v1/runs"),
            await here.asking.post("/v1/runs", json=start),
            await here.asking.post("/v1/runs/batch", json={"runs": [start]}),
            await here.asking.post("/v1/chat/completions", json=chat),
            await here.asking.get("/v1/runs", headers={"Authorization": f"Bearer cb_{'a' * 16}_{'b' * 52}"}),
            await here.asking.get("/readyz"),
        ]
        async with httpx2.AsyncClient(base_url=here.url, headers={"Accept": "text/html"}) as browser:
            answers.append(await browser.get("/console/runs", headers={"Cookie": f"callboard={entered.cookie}"}))
            answers.append(await browser.get("/console", headers={"Cookie": "callboard=guessed"}))
        for answer in answers:
            assert answer.status_code == 503 or "batch" in str(answer.url), (
                answer.url,
                answer.status_code,
                answer.text,
            )
            assert "nobody-may-know" not in answer.text, answer.url
            assert "town.db" not in answer.text, answer.url


async def test_every_answer_says_what_a_browser_may_do_with_it() -> None:
    async with house(worker=False, console=True) as here:
        entered = await here.rt.access.login_with_key(here.key, "x")
        run = await here.start("gate", "go", labels={"<script>": "<script>alert(1)</script>"})
        asked: list[tuple[str, str]] = [tuple(route.split(" ", 1)) for route in TABLE]  # type: ignore[misc]
        async with httpx2.AsyncClient(base_url=here.url, headers={"Accept": "text/html"}) as browser:
            for method, path in asked:
                if path.endswith("/stream"):
                    continue
                for cookie in ("", f"callboard={entered.cookie}"):
                    browser.cookies.clear()
                    url = path.replace("{run_id}", run).replace("{seq}", "0")
                    answer = await browser.request(method, url, headers={"Cookie": cookie})
                    policy = answer.headers["content-security-policy"]
                    assert all(each in policy for each in _STRICT), (path, policy)
                    assert "unsafe" not in policy, path
                    assert answer.headers["x-content-type-options"] == "nosniff", path
                    assert answer.headers["x-frame-options"] == "DENY", path
                    assert "access-control-allow-origin" not in answer.headers, path
                    assert answer.status_code < 500, (path, answer.text[:300])
                    assert "<script>alert" not in answer.text or "json" in answer.headers["content-type"], path
                    if method == "POST" and cookie:
                        assert answer.status_code in (401, 403, 422), f"{path} without the token of a form"
        assert json.loads((await here.asking.get(f"/v1/runs/{run}")).text)["status"] == "ready"


async def test_a_page_that_calls_this_its_own_server_gets_nothing() -> None:
    """DNS rebinding: the name of the page leads here now, and the browser thinks that both are one."""
    async with house(console=True, hosts=("agents.example",), proxies=("127.0.0.1",)) as here:
        for path in ("/v1/whoami", "/console/login", "/livez", "/console/static/app.css"):
            evil = await here.asking.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "localhost"})
            assert (evil.status_code, evil.json()["code"]) == (421, "misdirected"), path
        for host in ("agents.example", "localhost:1"):
            assert (await here.asking.get("/v1/whoami", headers={"Host": host})).status_code == 200
