"""Home, costs, health, audit, access, settings: what they show, and whom."""

import re

import pytest

from callboard.domain.principal import Grant, Role
from tests.acceptance.console.browser import ADMIN, EVIL, PASSWORD, VIEWER
from tests.acceptance.console.conftest import House

PAGES = ("", "/approvals", "/costs", "/costs?by=agent", "/health", "/audit", "/access", "/settings")
ADMINS = ("/audit", "/access", "/settings")


async def test_the_first_page_says_what_failed_and_leads_to_it(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    handle = await house.rt.start("breaks", "Oslo")
    with pytest.raises(Exception, match="no forecast"):
        await handle.result()
    await house.waiting()
    page = await browser.text("/console")
    assert "1 run failed in 24 h" in page and "1 question waits for a person" in page
    assert f'href="/console/runs/{handle.id}"' in page and "no forecast for &lt;script&gt;" in page
    assert "Nothing needs you now" not in page


async def test_no_page_runs_what_somebody_stored(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    desk = house.rt.desk(house.rt.access.local("root"))
    await desk.credentials.create_key(f"import {EVIL}", [Grant(Role.VIEWER, "default")])
    await house.rt.start("breaks", EVIL)
    await house.waiting()
    for path in PAGES:
        answer = await browser.get(f"/console{path}")
        assert answer.status_code == 200, path
        assert EVIL not in answer.text and "style=" not in answer.text, path
        assert not re.search(r"<script(?![^>]*src=)|<style|<[^>]+\son[a-z]+=|javascript:", answer.text), path
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy and "script-src 'self'" in policy


async def test_a_viewer_sees_no_levers_and_no_admins_pages(house: House) -> None:
    viewer = await house.person("vic", VIEWER)
    health = await viewer.text("/console/health")
    assert "/health/control" not in health and "/health/reset" not in health
    for path in ADMINS:
        assert (await viewer.get(f"/console{path}")).status_code == 403
        assert f'href="/console{path}"' not in health
    deeds = {
        "/health/control": {"what": "pause", "scope": "tenant", "name": "default"},
        "/health/reset": {"name": "bank"},
        "/access/keys": {"name": "x", "role": "viewer"},
        "/access/people": {"login": "x", "name": "x", "password": PASSWORD, "role": "admin"},
        "/audit/verify": {},
    }
    token = await viewer.token()
    for path, fields in deeds.items():
        assert (await viewer.post(f"/console{path}", token, None, **fields)).status_code == 403, path
    assert await house.rt.store.controls.all() == []


async def test_costs_are_told_by_each_group_and_refuse_what_they_do_not_know(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    await house.rt.start("breaks", "Oslo")
    run, _ = await house.waiting()
    await house.rt.commands.cancel("default", run.id)
    for by in ("flow", "version", "status", "agent", "model", "tenant"):
        assert "Dollars a day" in await browser.text(f"/console/costs?by={by}&range=7d")
    assert "tenant * per day" in await browser.text("/console/costs")
    for query in ("range=9d", "by=weather"):
        assert (await browser.get(f"/console/costs?{query}")).status_code == 422


async def test_an_operator_holds_back_and_lets_go(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    path = "/console/health/control"
    await browser.post(path, what="pause", scope="flow", name="refund")
    await browser.post(path, what="limit", scope="tenant", name="default", running="3")
    page = await browser.text("/console/health")
    assert "flow refund is paused" in await browser.text("/console") and "3 at a time" in page
    await browser.post(path, what="resume", scope="flow", name="refund")
    await browser.post(path, what="limit", scope="tenant", name="default", running="")
    assert "Nothing is held back" in await browser.text("/console/health")
    for fields in ({"what": "burn"}, {"what": "limit", "running": "0"}, {"what": "limit", "running": "²"}):
        given = {"scope": "flow", "name": "refund"} | fields
        assert (await browser.post(path, None, None, **given)).status_code == 422, fields
    audit = await browser.text("/console/audit?action=fleet:*")
    assert audit.count("fleet:pause") >= 1 and "before and after" in audit
    assert "flow:refund" not in await browser.text("/console/audit?action=keys:*")
    verified = await browser.post("/console/audit/verify")
    assert "The chain is intact" in verified.text
    wrong = await browser.post("/console/audit/verify", number="2", seal="00" * 32)
    assert "is not in the chain" in wrong.text


async def test_a_key_is_shown_once_works_and_is_replaced(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    made = await browser.post("/console/access/keys", name="nightly", role="operator", flows="refund", days="30")
    text = re.search(r"cb_[a-z0-9]+_[A-Za-z0-9_-]+", made.text)
    assert made.status_code == 201 and text is not None
    assert (await house.rt.access.authenticate_key(text[0])).name == "nightly"
    page = await browser.text("/console/access")
    assert text[0] not in page and "operator in default, of refund" in page
    key_id = text[0].split("_")[1]
    rotated = await browser.post(f"/console/access/keys/{key_id}/rotate", hours="1")
    assert rotated.status_code == 201 and text[0] not in rotated.text
    assert (await browser.post(f"/console/access/keys/{key_id}/revoke")).status_code == 303
    wrong = await browser.post("/console/access/keys", name="", role="king", days="x")
    assert wrong.status_code == 422 and "data-open" in wrong.text
    for path in (f"/keys/{key_id}x/revoke", "/people/disable"):
        assert (await browser.post(f"/console/access{path}")).status_code == 404


async def test_people_are_added_changed_and_kept_out(house: House) -> None:
    ann = await house.person("ann", ADMIN)
    added = await ann.post("/console/access/people", login="ben", name="Ben", password=PASSWORD, role="viewer")
    assert added.status_code == 303
    ben = house.browser()
    assert (await ben.login("ben")).status_code == 303
    assert (
        await ann.post("/console/access/people/grant", login="ben", role="approver", flows="refund")
    ).status_code == 303
    assert "approver in default, of refund" in await ann.text("/console/access")
    assert (await ann.post("/console/access/people/password", login="ben", password="short")).status_code == 303
    assert "characters" in await ann.text("/console/access")
    assert (await ben.get("/console")).status_code == 200
    assert (await ann.post("/console/access/people/logout", login="ben")).status_code == 303
    assert (await ben.get("/console")).status_code == 303
    assert (await ben.login("ben")).status_code == 303
    assert (await ann.post("/console/access/people/disable", login="ben")).status_code == 303
    assert (await ben.get("/console")).status_code == 303
    assert (await ben.login("ben")).status_code == 401


async def test_settings_show_no_secret(house: House) -> None:
    import msgspec

    browser = await house.person("ann", ADMIN)
    gateway = msgspec.structs.replace(house.rt.settings.gateway, secret="a-secret-that-nobody-may-see-0123456789")
    settings = msgspec.structs.replace(house.rt.settings, gateway=gateway, store="postgresql://u:hunter2@db/board")
    desk = house.rt.desk(house.rt.access.local("root"))
    assert "a-secret" not in str(desk.settings())
    house.rt.settings = settings
    page = await browser.text("/console/settings")
    assert "nobody-may-see" not in page and "hunter2" not in page and "CALLBOARD_GATEWAY_SECRET" in page
