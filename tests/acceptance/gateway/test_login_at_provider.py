"""People log in to the console at their identity provider: as a browser does it, and as those do who want to be one."""

import base64
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.acceptance.gateway.house import House, house
from tests.unit.access.identity import CLIENT, SECRET, IdentityProvider

BACK = "/console/login/callback"


@pytest.fixture(scope="module")
def made() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


@pytest.fixture
def there(made: IdentityProvider) -> IdentityProvider:
    made.reset()
    made.status = 200
    return made


@asynccontextmanager
async def gateway(there: IdentityProvider, **options: Any) -> AsyncIterator[tuple[House, httpx2.AsyncClient]]:
    """A gateway that knows the provider, and a browser before it."""
    given = {
        "public_url": "http://127.0.0.1:{port}",
        "oidc_issuer": there.url,
        "oidc_client": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_name": "Acme <ID>",
    }
    async with house(worker=False, console=True, **(given | options)) as here:
        there.back.add(f"{here.rt.settings.gateway.public_url}{BACK}")
        async with httpx2.AsyncClient(base_url=here.url, headers={"Accept": "text/html"}, timeout=30) as browser:
            yield here, browser


async def departed(browser: httpx2.AsyncClient, next: str = "/console/runs?status=failed") -> str:
    """The address at the provider that a click on the button leads to."""
    left = await browser.get("/console/login/oidc", params={"next": next})
    assert left.status_code == 303, left.text
    return str(left.headers["location"])


async def test_a_browser_goes_there_and_comes_back(there: IdentityProvider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with gateway(there) as (here, browser):
        asked = await browser.get("/console/runs?status=failed")
        shown = await browser.get(asked.headers["location"])
        found = re.search(r'href="(/console/login/oidc\?[^"]*)">Log in with Acme &lt;ID&gt;<', shown.text)
        assert found and 'name="password"' in shown.text
        browser.cookies.set("callboard", "planted by somebody")
        left = await browser.get(found[1].replace("&amp;", "&"))
        kept = left.headers["set-cookie"]
        assert all(each in kept for each in ("callboard-login=", "HttpOnly", "SameSite=lax", "Path=/", "Max-Age=600"))
        answer = there.decide(left.headers["location"])
        arrived = await browser.get(answer, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"})
        assert (arrived.status_code, arrived.headers["location"]) == (303, "/console/runs?status=failed")
        given = [each for each in arrived.headers.get_list("set-cookie") if each.startswith("callboard=")]
        assert len(given) == 1 and "HttpOnly" in given[0] and "planted" not in given[0]
        assert "callboard-login" not in browser.cookies
        page = await browser.get("/console/runs?status=failed")
        assert page.status_code == 200 and "Mia &lt;b&gt;" in page.text
        again = await browser.get(answer)
        assert (again.status_code, "callboard=" in again.headers.get("set-cookie", "")) == (401, False)
        form = {"csrf": re.findall(r'name="csrf" (?:content|value)="([^"]+)"', page.text)[0]}
        out = await browser.post("/console/logout", data=form)
        assert (out.status_code, out.headers["location"]) == (303, "/console/login?left=1")
        page = await browser.get(out.headers["location"])
        place = re.search(r'href="([^"]+/end\?[^"]*)"', page.text)
        assert place and "You are logged out here." in page.text
        query = parse_qs(urlsplit(place[1].replace("&amp;", "&")).query)
        assert query == {"client_id": [CLIENT], "post_logout_redirect_uri": [f"{here.url}/console/login"]}
        assert (await browser.get("/console/runs")).status_code == 303
        settings = (await here.asking.get("/v1/settings")).text
        logged = [each.getMessage() for each in caplog.records if each.name.startswith(("callboard", "uvicorn"))]
        assert any(BACK in each for each in logged)
        words = f"{logged} {settings} {page.text}"
        assert '"oidc_client_secret":"(set)"' in settings.replace(" ", "")
        hidden = [*there.given, SECRET, parse_qs(urlsplit(answer).query)["state"][0]]
        assert not [each for each in hidden if each in words]


async def test_what_goes_wrong_is_a_page_that_says_what_to_do(there: IdentityProvider) -> None:
    async with gateway(there, login_by=("provider",)) as (_, browser):
        cases: tuple[tuple[dict[str, Any], int, str], ...] = (
            (
                {"decision": "deny"},
                401,
                "Acme &lt;ID&gt; did not let you in (access_denied): she &lt;b&gt;said&lt;/b&gt; no.",
            ),
            ({"sent": {"state": "x"}}, 401, "another log-in"),
            ({"wrong": {"nonce": "x"}}, 401, "another log-in"),
            ({"wrong": {"roles": []}}, 403, "but nothing is granted to you"),
            ({"instead": (502, b"<html>")}, 503, "The provider does not answer"),
        )
        for fault, status, words in cases:
            there.reset()
            for name, value in fault.items():
                setattr(there, name, value)
            answer = await browser.get(there.decide(await departed(browser)))
            assert (answer.status_code, words in answer.text) == (status, True), (fault, answer.text)
            assert re.search(r'role="alert">.*?<br>\w[^<]*\.</span>', answer.text, re.DOTALL), "what to do"
            assert (
                'href="/console/login/oidc?next=%2Fconsole%2Fruns%3Fstatus%3Dfailed"' in answer.text
            )  # where to, still
            assert 'name="password"' not in answer.text and 'name="key"' not in answer.text
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert "callboard=" not in answer.headers.get("set-cookie", "")
            assert (status == 503) == ("retry-after" in answer.headers)
        there.reset()
        for path in ("//evil.example", "https://evil.example/console", "javascript:alert(1)"):
            tossed = f"a.9999999999.{base64.urlsafe_b64encode(path.encode()).decode().rstrip('=')}"
            answer = await browser.get(f"{BACK}?code=x&state=y", headers={"Cookie": f"callboard-login={tossed}"})
            assert answer.status_code == 401 and 'href="/console/login/oidc?next=%2Fconsole"' in answer.text
        good = there.decide(await departed(browser))
        for place in ("iframe", "image", "empty"):  # nothing that another page loads finishes a log-in, or spends it
            assert (await browser.get(good, headers={"Sec-Fetch-Dest": place})).status_code == 403
        assert (await browser.post(good)).status_code == 405
        for _ in range(10):  # a stranger's link does not end the log-in that is under way
            assert (await browser.get(f"{BACK}?code=x&state=y")).status_code == 401
        assert (await browser.get(good)).status_code == 303
        form = {"with": "key", "key": "cb_x_y", "next": "/console"}
        assert (await browser.post("/console/login", data=form)).status_code == 401


async def test_it_leads_to_no_other_place_and_its_cookies_are_for_https(there: IdentityProvider) -> None:
    async with gateway(there, public_url="https://agents.example.com") as (_, browser):
        asked = "/console/login/oidc"
        # Who came by another name of it is led to the one to which they come back.
        other = await browser.get(asked, params={"next": "/console/runs"})
        assert other.headers["location"] == f"https://agents.example.com{asked}?next=%2Fconsole%2Fruns&moved=1"
        assert (await browser.get(asked, params={"moved": "1"})).headers["location"].startswith(there.url)
        host = {"Host": "agents.example.com"}
        for next in ("//evil.example", "https://evil.example/", asked, "/console\\@evil", "/v1/runs"):
            left = await browser.get(asked, params={"next": next}, headers=host)
            kept = left.headers["set-cookie"].partition(";")[0]
            assert kept.startswith("__Host-callboard-login=") and "Secure" in left.headers["set-cookie"]
            query = parse_qs(urlsplit(left.headers["location"]).query)
            assert query["redirect_uri"] == [f"https://agents.example.com{BACK}"]
            answer = urlsplit(there.decide(left.headers["location"]))
            back = await browser.get(f"{BACK}?{answer.query}", headers=host | {"Cookie": kept})
            assert (back.status_code, back.headers["location"]) == (303, "/console")
            cookies = back.headers.get_list("set-cookie")
            assert any(each.startswith("__Host-callboard=") and "Secure" in each for each in cookies)
        there.status = 503
    async with gateway(there) as (_, browser):
        away = await browser.get(f"{asked}?next=/console/runs")
        assert away.status_code == 503 and "cannot be had" in away.text and "location" not in away.headers
        assert (await browser.get("/console/login?left=1")).status_code == 200  # a page without that link
