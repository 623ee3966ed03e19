"""Log-ins: what lets in, what does not, and that neither says more than it should."""

from callboard.settings import GatewaySettings
from tests.acceptance.console.browser import ADMIN, APPROVER, PASSWORD, VIEWER
from tests.acceptance.console.conftest import House

EVERYWHERE = ["//evil.example", "/\\evil.example", "/%5cevil", "https://evil.example/console", "/console//evil", "x"]


async def test_a_person_logs_in_and_out_and_the_cookie_is_kept_from_scripts(house: House) -> None:
    mia = await house.person("mia", ADMIN)
    stranger = house.browser()
    asked = await stranger.get("/console/costs?range=7d")
    assert (
        asked.status_code == 303 and asked.headers["location"] == "/console/login?next=%2Fconsole%2Fcosts%3Frange%3D7d"
    )
    entered = await stranger.login("mia", next="/console/costs?range=7d")
    cookie = entered.headers["set-cookie"].lower()
    assert entered.headers["location"] == "/console/costs?range=7d"
    assert "httponly" in cookie and "samesite=lax" in cookie and "secure" not in cookie
    assert (await mia.post("/console/logout")).status_code == 303
    assert (await mia.get("/console")).status_code == 303
    assert (await stranger.get("/console")).status_code == 200, "the other browser is still logged in"


async def test_a_login_leads_nowhere_else(house: House) -> None:
    key = await house.rt.access.first_key()
    assert key is not None
    for path in EVERYWHERE:
        entered = await house.browser().client.post("/console/login", data={"with": "key", "key": key, "next": path})
        assert (entered.status_code, entered.headers["location"]) == (303, "/console"), path


async def test_what_is_wrong_is_not_told_and_tries_are_counted(house: House) -> None:
    await house.person("mia", ADMIN)
    browser = house.browser()
    wrong = [
        await browser.login("mia", "another password"),
        await browser.login("nobody"),
        await browser.login("mia", ""),
    ]
    assert {each.status_code for each in wrong} == {401}
    pages = {each.text.replace('value="nobody"', 'value="mia"') for each in wrong}
    assert len(pages) == 1, "a name that nobody has must look like a wrong password"
    by_key = await browser.client.post("/console/login", data={"with": "key", "key": "cb_firstadminkey_x"})
    assert by_key.status_code == 401 and "cb_firstadminkey_x" not in by_key.text
    for _ in range(12):
        last = await browser.login("mia", "another password")
    assert last.status_code == 429 and int(last.headers["retry-after"]) > 0
    assert (await browser.login("mia")).status_code == 429, "the right one as well, or it could be guessed"


async def test_a_page_of_another_site_cannot_log_somebody_in(house: House) -> None:
    await house.person("mia", ADMIN)
    client = house.browser().client
    fields = {"with": "password", "name": "mia", "password": PASSWORD}
    other = await client.post("/console/login", data=fields, headers={"Origin": "https://evil.example"})
    assert other.status_code == 403 and "set-cookie" not in other.headers


async def test_an_entry_link_lets_in_once(house: House) -> None:
    token = house.rt.access.entry_token("ann")
    first = await house.browser().client.get(f"/console/enter?token={token}")
    assert first.status_code == 303 and first.headers["location"] == "/console"
    assert (await house.browser().client.get(f"/console/enter?token={token}")).status_code == 401


async def test_https_makes_the_cookie_secure_and_bound_to_its_host(house: House) -> None:
    import msgspec

    from callboard.apps.gateway.application import application

    await house.person("mia", ADMIN)
    house.rt.settings = msgspec.structs.replace(
        house.rt.settings, gateway=GatewaySettings(public_url="https://board.test")
    )
    house.app = application(house.rt, bound="board.test")
    entered = await house.browser().login("mia")
    cookie = entered.headers["set-cookie"]
    assert (
        cookie.startswith("__Host-callboard=")
        and "; Secure" in cookie
        and "Path=/" in cookie
        and "Domain" not in cookie
    )


async def test_who_has_several_tenants_changes_between_them(house: House) -> None:
    browser = await house.person("mia", VIEWER, APPROVER, ADMIN)
    assert (await browser.post("/console/tenant", tenant="other")).status_code == 303
    assert "<b>other</b>" in await browser.text("/console")
    local = await house.person("vic", VIEWER)
    assert (await local.post("/console/tenant", tenant="other")).status_code == 403
    assert (await local.post("/console/tenant", tenant="a;b")).status_code == 422
