"""Every route, for every role, in the own tenant and in another: what the doors do is what policy.access says."""

import asyncio
import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpx2

import callboard as cb
from callboard.apps.gateway.application import application
from callboard.domain.event import OUTCOMES
from callboard.domain.principal import EVERY, Grant, Kind, Principal, Role
from callboard.domain.verdict import Ruling
from callboard.policy.access import permits
from callboard.runtime import Action, ApprovalStatus
from tests.acceptance.gateway.house import House, house
from tests.acceptance.gateway.who_may import TABLE, Need, rows
from tests.house.tree import ROOT

HOME, AWAY = "default", "other"
_NEAR, _FAR = "near_", "far_"  # of flows that some grants are for, and that they are not for
_NOBODY = {
    "run_id": "01kapxq2v8w6t5r2y1x0v7n3mb",
    "turn_id": "01kapxq2v8w6t5r2y1x0v7n3mb",
    "session_id": "01kapxq2v8w6t5r2y1x0v7n3mb",
    "approval_id": "01kapxq2v8w6t5r2y1x0v7n3mb.1:ask",
    "key_id": "aaaaaaaaaaaaaaaa",
    "login": "zoe-elsewhere",
    "schedule": "nothing",
    "response_id": "resp_01kapxq2v8w6t5r2y1x0v7n3mb",
    "conversation_id": "conv_01kapxq2v8w6t5r2y1x0v7n3mb",
}
_PERSON = {"grants": [{"role": "viewer", "tenant": HOME}]}


def _app() -> cb.App:
    app = cb.App("fleetwide")
    for prefix in (_NEAR, _FAR):

        async def gate(ctx: cb.Context, name: str) -> Any:
            return await ctx.wait(name)

        async def asks(ctx: cb.Context, cents: int) -> Any:
            return (await ctx.ask({"cents": cents})).status

        app.flow(name=f"{prefix}gate")(gate)
        app.flow(name=f"{prefix}asks")(asks)
        app.agent(f"{prefix}clerk", model=cb.ScriptedModel(["yes"] * 10_000), prompt="Talk.")
    return app


@dataclass
class Someone:
    """Who asks: its headers for programs and for pages, and what it was given."""

    name: str
    grants: tuple[Grant, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    cookie: str = ""
    csrf: str = ""

    @property
    def principal(self) -> Principal:
        return Principal(kind=Kind.KEY, id=self.name, name=self.name, grants=self.grants, tenant=HOME)


_CAST: dict[str, tuple[Grant, ...]] = {
    **{str(role): (Grant(role, HOME),) for role in Role},
    "chief": (Grant(Role.ADMIN),),  # in every tenant
    "narrow": (Grant(Role.ADMIN, HOME, (f"{_NEAR}*",)),),
    "starter": (Grant(Role.OPERATOR, HOME, (EVERY,), (str(Action.RUNS_START),)),),
    "stranger": (Grant(Role.ADMIN, "elsewhere"),),
}


def _routes(routes: Sequence[Any]) -> Iterator[str]:
    for route in routes:
        if hasattr(route, "original_router"):  # what was included
            yield from _routes(route.original_router.routes)
        else:
            yield from (f"{method} {route.path}" for method in sorted(route.methods - {"HEAD"}))


async def _someone(here: House, name: str, grants: tuple[Grant, ...]) -> Someone:
    made = await here.rt.desk(here.rt.access.local("me")).credentials.create_key(name, grants)
    entered = await here.rt.access.login_with_key(made.text, "127.0.0.1")
    headers = {"Authorization": f"Bearer {made.text}"}
    return Someone(name, grants, headers, f"callboard={entered.cookie}", entered.csrf)


async def _things(here: House, tenant: str, prefix: str) -> dict[str, str]:
    """One of each kind, by the name that it has in paths."""
    desk = here.rt.desk(here.rt.access.local("me"), tenant=tenant)
    run = await desk.runs.start(f"{prefix}gate", "go", labels={"secret": f"{tenant} {prefix}"})
    asking = await desk.runs.start(f"{prefix}asks", 700)
    while not (found := await desk.approvals.find(status=ApprovalStatus.OPEN, run_id=asking.id)):
        await asyncio.sleep(0.01)
    session = await desk.sessions.create(f"{prefix}clerk")
    turn = await desk.sessions.send(session.id, "hello")
    await here.rt.handle(turn.id, tenant=tenant).outcome(10)
    said = next(event for event in await desk.runs.events(turn.id) if event.kind in OUTCOMES and "model" in event.path)
    mark = f"{tenant}-{prefix.rstrip('_')}"
    viewer = [Grant(Role.VIEWER, tenant)]
    key = await desk.credentials.create_key(mark, viewer)
    await desk.credentials.add_person(f"mia-{mark}", "Mia", "a long enough password", viewer)
    await desk.schedules.put(mark, f"{prefix}gate", "0 0 1 1 *", input="go")
    await desk.budgets.set("agent", f"{prefix}clerk", usd="5")
    return {
        "run_id": run.id,
        "session_id": session.id,
        "approval_id": found[0].id,
        "key_id": key.key.id,
        "login": f"mia-{mark}",
        "schedule": mark,
        "response_id": f"resp_{turn.id}",
        "conversation_id": f"conv_{session.id}",
        "turn_id": turn.id,
        "seq": str(said.seq),
        "path": said.path,
        "flow": f"{prefix}gate",
        "agent": f"{prefix}clerk",
        "tenant": tenant,
    }


def _sent(route: str, things: dict[str, str]) -> Any:
    """What is sent to a route; a form for pages."""
    flow, agent = things.get("flow", f"{_NEAR}gate"), things.get("agent", f"{_NEAR}clerk")
    name = things["schedule"]
    grants = [{"role": "viewer", "tenant": things.get("tenant", HOME)}]
    bodies: dict[str, Any] = {
        "POST /v1/runs": {"flow": flow, "input": "go"},
        "POST /v1/runs/batch": {"runs": [{"flow": flow, "input": "go"}]},
        "POST /v1/runs/{run_id}/signal": {"name": "other", "value": 1},
        "POST /v1/runs/{run_id}/fork": {"at_seq": 0},
        "POST /v1/sessions": {"flow": agent},
        "POST /v1/sessions/{session_id}/messages": {"text": "again"},
        "POST /v1/approvals/{approval_id}/decide": {"status": "approved"},
        "PUT /v1/budgets/{scope}/{name}": {"usd": "5.00"},
        "PUT /v1/fleet/controls/{scope}/{name}": {"running": 0},
        "PUT /v1/schedules/{name}": {"flow": flow, "cron": "0 0 1 1 *", "input": "go"},
        "POST /v1/keys": {"name": "new", "grants": grants},
        "POST /v1/people": {
            "login": things["login"],
            "name": "M",
            "password": "a long enough password",
            "grants": grants,
        },
        "PUT /v1/people/{login}/grants": {"grants": grants},
        "PUT /v1/people/{login}/password": {"password": "another long password"},
        "POST /v1/chat/completions": {"model": agent, "messages": [{"role": "user", "content": "hello"}]},
        "POST /v1/responses": {"model": agent, "input": "hello"},
        "POST /v1/conversations": {"metadata": {"model": agent}},
        "POST /console/tenant": {"tenant": HOME},
        "POST /console/runs/{run_id}/signal": {"name": "other", "value": "1"},
        "POST /console/runs/{run_id}/fork": {"at": "0"},
        "POST /console/approvals/{approval_id}/decide": {"what": "approve", "decision": "approve"},
        "POST /console/approvals/{approval_id}/difference": {"value": "{}"},
        "POST /console/health/control": {"scope": "flow", "name": flow, "what": "resume"},
        "POST /console/health/reset": {"name": "no such upstream"},
        "POST /console/health/requeue": {"run": things["run_id"]},
        "POST /console/health/schedule": {"name": name, "what": "pause"},
        "POST /console/catalog/{name:path}/start": {"in": "go"},
        "POST /console/access/keys": {"name": "new", "role": "viewer", "tenant": HOME, "flows": "*", "days": "1"},
        "POST /console/access/keys/{key_id}/rotate": {"hours": "1"},
        "POST /console/access/people": {
            "login": things["login"],
            "name": "M",
            "password": "a long enough password",
            "role": "viewer",
        },
        "POST /console/access/people/{what}": {"login": things["login"]},
    }
    return bodies.get(route, {})


def _path(route: str, things: dict[str, str]) -> str:
    path = route.partition(" ")[2]
    said = things | {
        "seq": things.get("seq", "0"),
        "what": "disable",
        "scope": "flow",
        "path:path": "none.css",
        "model": things.get("agent", f"{_NEAR}clerk"),
    }
    said["name:path"] = things.get("flow", f"{_NEAR}gate")
    said["name"] = said["name:path"]
    if "/effects" in path:
        said["run_id"] = things.get("turn_id", things["run_id"])
        path += "" if "{seq}" in path else f"?path={quote(things.get('path', ''))}"
    elif "/budgets/" in path:
        said |= {"scope": "agent", "name": said["model"]}
    elif "/schedules/" in path:
        said["name"] = things["schedule"]
    elif "/upstreams/" in path:
        said["name"] = "no such upstream"
    return re.sub(r"{([^}]*)}", lambda found: said[found[1]], path)


async def _ask(
    client: httpx2.AsyncClient, who: Someone | None, route: str, things: dict[str, str], tenant: str | None = None
) -> tuple[int, str]:
    """The status, as it is meant, and what was said."""
    method, page = route.partition(" ")[0], "/console" in route
    headers = {} if tenant is None else {"Callboard-Tenant": tenant}
    sent, options = _sent(route, things), dict[str, Any]()
    if page:
        headers["Accept"] = "text/html"
        if who is not None:
            headers["Cookie"] = who.cookie
            sent = sent | {"csrf": who.csrf}
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            options["content"] = urlencode(sent)
    else:
        headers |= who.headers if who is not None else {}
        if sent:
            options["json"] = sent
    client.cookies.clear()
    async with client.stream(method, _path(route, things), headers=headers, **options) as answer:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer.status_code, ""
        said = (await answer.aread()).decode()
    if answer.status_code == 303 and answer.headers["location"].startswith("/console/login?"):
        return 401, said
    if page and answer.status_code >= 400 and (words := re.search('<p class="what">(.*?)</p>', said)):
        said = words[1]
    flash = re.search(r"callboard-said=\"?([^;\"]+)", answer.headers.get("set-cookie", ""))
    if answer.status_code == 303 and flash:  # a page that says on the next one what came of it
        told = json.loads(base64.urlsafe_b64decode(flash[1]))
        if told["bad"]:
            return 403 if " may not " in told["text"] else 404 if told["text"].startswith("no ") else 409, told["text"]
    if route == "POST /v1/runs/batch" and answer.status_code == 200:
        return 200, said
    return answer.status_code, said


def _expected(who: Someone, need: Need, tenant: str, flow: str) -> tuple[int, ...]:
    """The statuses that are right; () for anything but a refusal."""
    where = EVERY if need.every else tenant

    def may(action: Action, of: str | None = None) -> bool:
        return permits(who.principal, action, where, of).ruling is Ruling.ALLOW

    whole = not need.whole or all(EVERY in grant.flows for grant in who.grants)
    if not whole or not all(may(action) for action in need.actions):
        hidden = need.bound and may(need.actions[0]) and not may(need.actions[0], flow)
        return (403, 404) if hidden else (403,)
    return () if not need.bound or all(may(action, flow) for action in need.actions) else (403, 404)


_REFUSALS = (401, 403, 404)


async def test_what_the_doors_do_is_what_the_table_says() -> None:
    async with house(_app(), console=True) as here, httpx2.AsyncClient(base_url=here.url, timeout=30) as client:
        near, far = await _things(here, HOME, _NEAR), await _things(here, HOME, _FAR)
        away = await _things(here, AWAY, _NEAR)
        cast = [await _someone(here, name, grants) for name, grants in _CAST.items()]
        wrong: list[str] = []

        async def tried(who: Someone | None, route: str, things: dict[str, str], tenant: str | None = None) -> None:
            need, name = TABLE[route], who.name if who else "nobody"
            status, said = await _ask(client, who, route, things, tenant)
            if who is None:
                right: tuple[int, ...] = () if need.open else (401,)
            else:
                right = () if need.open else _expected(who, need, tenant or HOME, things["flow"])
            allowed = (
                status not in _REFUSALS
                or (need.open and status in (401, 404))
                or "no such upstream" in said
                or "has no business" in said
            )
            if (status not in right) if right else not allowed:
                where = f"{things['flow']} in {tenant or HOME}"
                wrong.append(f"{route} by {name} on {where}: {status}, not {right or 'ok'}: {said[:150]}")
            for word in (f"{AWAY} {_NEAR}",) if tenant is None else ():
                if word in said:
                    wrong.append(f"{route} by {name} tells of {AWAY}")

        restore = here.rt.desk(here.rt.access.local("me"))
        for route in sorted(TABLE, key=lambda each: "logout" in each):
            await tried(None, route, near)
            for who in cast:
                for things in (near, far) if who.name == "narrow" else (near,):
                    if route.startswith("DELETE"):
                        await restore.schedules.put(things["schedule"], things["flow"], "0 0 1 1 *", input="go")
                        await restore.budgets.set("agent", things["agent"], usd="5")
                    if "logout" not in route or things is far or who.name != "narrow":
                        await tried(who, route, things)
                if who.name in ("operator", "admin", "narrow") and "logout" not in route:
                    await tried(who, route, away, AWAY)
        assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)


async def test_what_is_not_ones_own_is_not_there() -> None:
    async with house(_app(), console=True) as here, httpx2.AsyncClient(base_url=here.url, timeout=30) as client:
        near, away = await _things(here, HOME, _NEAR), await _things(here, AWAY, _NEAR)
        far = await _things(here, HOME, _FAR)
        admin = await _someone(here, "admin", _CAST["admin"])
        narrow = await _someone(here, "narrow", _CAST["narrow"])
        named = [
            route for route in TABLE if re.search("run_id|session_id|approval_id|key_id|login}|_id}|schedules/", route)
        ]
        for who, theirs in ((admin, away), (narrow, far)):
            for route in named:
                need = TABLE[route]
                if (who is narrow and not need.bound) or route.startswith("PUT /v1/schedules"):
                    continue  # the first concerns no flow; the second makes what is not there
                hidden = near | {name: value for name, value in theirs.items() if name in _NOBODY}
                nothing = near | _NOBODY
                status, said = await _ask(client, who, route, hidden)
                as_if, words = await _ask(client, who, route, nothing)
                assert (status, _plain(said, hidden)) == (as_if, _plain(words, nothing)), route
                assert status == 404, (route, status, said[:200])


def _plain(text: str, things: dict[str, str]) -> str:
    """What was said, without what it was said about."""
    text = re.sub("urn:callboard:request:[0-9a-z]+|conv_|resp_", "", text)
    for value in sorted(things.values(), key=len, reverse=True):
        if value != things.get("path") and not value.isdecimal():
            text = text.replace(value.removeprefix("resp_").removeprefix("conv_"), "?")
    return text


async def test_no_route_is_missing_from_the_table() -> None:
    async with house(_app(), worker=False) as here:
        assert sorted(set(_routes(application(here.rt).routes))) == sorted(TABLE)


def test_the_documentation_has_the_table() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    section = page.partition("## What each route takes")[2].partition("\n## ")[0]
    found = re.findall(r"^\| (.+?) \| (`.+`) \|$", section, re.MULTILINE)
    assert {takes: re.findall("`([^`]+)`", routes) for takes, routes in found} == rows()
