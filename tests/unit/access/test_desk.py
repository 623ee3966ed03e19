"""Every method of the desk asks whether it may be done, and what changes something is recorded before it is done.

The table names each method with what it takes; one that is not in the table fails the first test.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from argon2 import PasswordHasher

import callboard as cb
from callboard.access.desk import Desk
from callboard.access.passwords import Passwords
from callboard.domain.errors import Conflict, Denied, InputInvalid, NotFound, StoreUnavailable
from callboard.domain.principal import Grant, Kind, Principal, Role
from callboard.domain.run import RunStatus
from callboard.policy.access import Action
from callboard.store.controls import Scope
from callboard.store.runs import Search
from callboard.testing.runtime import TestRuntime, runtime

PASSWORD = "correct horse battery"
Call = Callable[[Desk, Any], Any]


@dataclass(frozen=True)
class Row:
    """What a method takes, how it is called, and under which name it is recorded."""

    needs: Action
    call: Call
    deed: str = ""


A = Action
VIEWER = [Grant(Role.VIEWER, "default")]
TABLE = {
    "runs.start": Row(A.RUNS_START, lambda d, s: d.runs.start("wait", 1)),
    "runs.search": Row(A.RUNS_READ, lambda d, s: d.runs.search(Search())),
    "runs.totals": Row(A.RUNS_READ, lambda d, s: d.runs.totals(Search())),
    "runs.reach": Row(A.RUNS_READ, lambda d, s: d.runs.reach(Search(among=1))),
    "runs.last": Row(A.RUNS_READ, lambda d, s: d.runs.last(s.waiting)),
    "runs.get": Row(A.RUNS_READ, lambda d, s: d.runs.get(s.waiting)),
    "runs.handle": Row(A.RUNS_READ, lambda d, s: d.runs.handle(s.waiting)),
    "runs.events": Row(A.RUNS_READ, lambda d, s: d.runs.events(s.waiting)),
    "runs.outcome": Row(A.RUNS_READ, lambda d, s: d.runs.outcome(s.waiting)),
    "runs.children": Row(A.RUNS_READ, lambda d, s: d.runs.children(s.waiting)),
    "runs.seen": Row(A.RUNS_READ, lambda d, s: d.runs.seen(s.waiting)),
    "runs.deliveries": Row(A.RUNS_READ, lambda d, s: d.runs.deliveries(s.waiting)),
    "runs.signal": Row(A.RUNS_CONTROL, lambda d, s: d.runs.signal(s.waiting, "other"), "runs:signal"),
    "runs.cancel": Row(A.RUNS_CONTROL, lambda d, s: d.runs.cancel(s.waiting, "enough"), "runs:cancel"),
    "runs.requeue": Row(A.RUNS_REPAIR, lambda d, s: d.runs.requeue(s.failed[0]), "runs:requeue"),
    "runs.requeue_all": Row(A.RUNS_REPAIR, lambda d, s: d.runs.requeue_all(s.failed[1:]), "runs:requeue"),
    "runs.fork": Row(A.RUNS_REPAIR, lambda d, s: d.runs.fork(s.failed[0], 0), "runs:fork"),
    "sessions.create": Row(A.RUNS_START, lambda d, s: d.sessions.create("talk", session_id="s2")),
    "sessions.get": Row(A.RUNS_READ, lambda d, s: d.sessions.get("s1")),
    "sessions.find": Row(A.RUNS_READ, lambda d, s: d.sessions.find()),
    "sessions.turns": Row(A.RUNS_READ, lambda d, s: d.sessions.turns("s1")),
    "sessions.turn": Row(A.RUNS_READ, lambda d, s: d.sessions.turn(s.turn)),
    "sessions.send": Row(A.RUNS_START, lambda d, s: d.sessions.send("s1", "hello")),
    "approvals.find": Row(A.APPROVALS_READ, lambda d, s: d.approvals.find()),
    "approvals.flows": Row(A.APPROVALS_READ, lambda d, s: d.approvals.flows([])),
    "webhooks.secret": Row(A.ACCESS_MANAGE, lambda d, s: d.webhooks.secret(), "webhooks:secret"),
    "webhooks.rotate": Row(A.ACCESS_MANAGE, lambda d, s: d.webhooks.rotate(), "webhooks:rotate"),
    "approvals.get": Row(A.APPROVALS_READ, lambda d, s: d.approvals.get(s.approval)),
    "approvals.decide": Row(
        A.APPROVALS_DECIDE, lambda d, s: d.approvals.decide(s.approval, "approved"), "approvals:decide"
    ),
    "costs.sums": Row(A.COSTS_READ, lambda d, s: d.costs.sums(0.0, "flow")),
    "costs.tenants": Row(A.COSTS_READ, lambda d, s: d.costs.tenants()),
    "budgets.standings": Row(A.COSTS_READ, lambda d, s: d.budgets.standings()),
    "budgets.set": Row(A.BUDGETS_WRITE, lambda d, s: d.budgets.set("flow", "wait", usd="1"), "budgets:set"),
    "budgets.remove": Row(A.BUDGETS_WRITE, lambda d, s: d.budgets.remove("flow", "wait"), "budgets:remove"),
    "fleet.workers": Row(A.FLEET_READ, lambda d, s: d.fleet.workers()),
    "fleet.backlog": Row(A.FLEET_READ, lambda d, s: d.fleet.backlog()),
    "fleet.controls": Row(A.FLEET_READ, lambda d, s: d.fleet.controls()),
    "fleet.upstreams": Row(A.FLEET_READ, lambda d, s: d.fleet.upstreams()),
    "fleet.metrics_allowed": Row(A.FLEET_READ, lambda d, s: d.fleet.metrics_allowed()),
    "fleet.pause": Row(A.FLEET_CONTROL, lambda d, s: d.fleet.pause(Scope.FLOW, "wait"), "fleet:pause"),
    "fleet.resume": Row(A.FLEET_CONTROL, lambda d, s: d.fleet.resume(Scope.FLOW, "wait"), "fleet:resume"),
    "fleet.limit": Row(A.FLEET_CONTROL, lambda d, s: d.fleet.limit(Scope.TENANT, "default", 9), "fleet:limit"),
    "fleet.reset": Row(A.FLEET_CONTROL, lambda d, s: d.fleet.reset("shop"), "fleet:reset"),
    "schedules.list": Row(A.FLEET_READ, lambda d, s: d.schedules.list()),
    "schedules.get": Row(A.FLEET_READ, lambda d, s: d.schedules.get("daily")),
    "schedules.standing": Row(A.FLEET_READ, lambda d, s: d.schedules.standing(s.schedule)),
    "schedules.put": Row(
        A.FLEET_CONTROL, lambda d, s: d.schedules.put("x", "wait", "0 9 * * *", input=1), "schedules:put"
    ),
    "schedules.pause": Row(A.FLEET_CONTROL, lambda d, s: d.schedules.pause("daily"), "schedules:pause"),
    "schedules.resume": Row(A.FLEET_CONTROL, lambda d, s: d.schedules.resume("daily"), "schedules:resume"),
    "schedules.trigger": Row(A.FLEET_CONTROL, lambda d, s: d.schedules.trigger("daily"), "schedules:trigger"),
    "schedules.remove": Row(A.FLEET_CONTROL, lambda d, s: d.schedules.remove("daily"), "schedules:remove"),
    "catalog.flows": Row(A.AGENTS_READ, lambda d, s: d.catalog.flows()),
    "catalog.flow": Row(A.AGENTS_READ, lambda d, s: d.catalog.flow("wait")),
    "catalog.routes": Row(A.AGENTS_READ, lambda d, s: d.catalog.routes()),
    "credentials.keys": Row(A.ACCESS_MANAGE, lambda d, s: d.credentials.keys()),
    "credentials.create_key": Row(A.ACCESS_MANAGE, lambda d, s: d.credentials.create_key("k", VIEWER), "keys:create"),
    "credentials.rotate_key": Row(A.ACCESS_MANAGE, lambda d, s: d.credentials.rotate_key(s.key), "keys:rotate"),
    "credentials.revoke_key": Row(A.ACCESS_MANAGE, lambda d, s: d.credentials.revoke_key(s.key), "keys:revoke"),
    "credentials.people": Row(A.ACCESS_MANAGE, lambda d, s: d.credentials.people()),
    "credentials.add_person": Row(
        A.ACCESS_MANAGE, lambda d, s: d.credentials.add_person("new", "N", PASSWORD, VIEWER), "people:add"
    ),
    "credentials.grant": Row(A.ACCESS_MANAGE, lambda d, s: d.credentials.grant("mia", VIEWER), "people:grant"),
    "credentials.set_password": Row(
        A.ACCESS_MANAGE, lambda d, s: d.credentials.set_password("mia", PASSWORD), "people:password"
    ),
    "credentials.disable": Row(A.ACCESS_MANAGE, lambda d, s: d.credentials.disable("mia"), "people:disable"),
    "credentials.enable": Row(A.ACCESS_MANAGE, lambda d, s: d.credentials.enable("mia"), "people:enable"),
    "credentials.end_logins": Row(A.ACCESS_MANAGE, lambda d, s: d.credentials.end_logins("mia"), "people:logout"),
    "audit.find": Row(A.AUDIT_READ, lambda d, s: d.audit.find()),
    "audit.head": Row(A.AUDIT_READ, lambda d, s: d.audit.head()),
    "audit.verify": Row(A.AUDIT_READ, lambda d, s: d.audit.verify()),
    "runs.purge": Row(
        A.RUNS_PURGE,
        lambda d, s: d.runs.purge(older_than=1e6, statuses=[RunStatus.CANCELLED], batch=9, grace=1e6),
        "runs:purge",
    ),
    "settings": Row(A.SETTINGS_READ, lambda d, s: d.settings()),
}
# It needs no right: it answers whether there is one.
FREE = {"fleet.may_control"}
# Recorded, and then there is nothing to do it to.
NOTHING = {"fleet.reset"}


def methods() -> set[str]:
    """Every public method of every part of the desk."""
    found = {"settings"}
    for part, kind in parts().items():
        found |= {
            f"{part}.{name}" for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")
        }
    return found


def parts() -> dict[str, type]:
    """The parts of a desk by the names that they have on it."""
    house = SimpleNamespace(
        services=SimpleNamespace(store=SimpleNamespace(), clock=None), settings=None, schedules=None, sessions=None
    )
    made = Desk(house, SimpleNamespace(), somebody(), "t", "")  # type: ignore[arg-type]
    return {name: type(part) for name, part in vars(made).items() if not name.startswith("_")}


def somebody(*grants: Grant, kind: Kind = Kind.PERSON) -> Principal:
    return Principal(kind=kind, id="mia", name="Mia", grants=grants, tenant="default")


def without(action: Action) -> Principal:
    """Somebody who may do everything but one thing."""
    return somebody(Grant(Role.ADMIN, actions=tuple(each for each in Action if each is not action)))


def built() -> cb.App:
    app = cb.App("stage")

    @app.flow
    async def wait(ctx: cb.Context, n: int) -> int:
        await ctx.wait("go")
        return n

    @app.flow
    async def broken(ctx: cb.Context, n: int) -> int:
        raise cb.ToolFailed("broken")

    @app.flow
    async def asks(ctx: cb.Context, n: int) -> bool:
        return (await ctx.ask({"pay": n})).approved

    @app.flow
    async def talk(ctx: cb.Context, said: str) -> str:
        return said

    app.schedule("0 9 * * *", wait, name="daily", input=1, overlap="allow")
    return app


@pytest.fixture
async def stage() -> AsyncIterator[tuple[TestRuntime, Any]]:
    async with runtime(built()) as test:
        rt = test.rt
        rt.access.passwords = quick()
        boss = rt.desk(rt.access.local("boss"), source="cli")
        waiting = await test.start("wait", 1)
        failed = [(await test.start("broken", n)).id for n in range(3)]
        await test.start("asks", 5)
        await boss.sessions.create("talk", session_id="s1")
        turn = await boss.sessions.send("s1", "hello")
        await test.settle()
        key = await boss.credentials.create_key("old", VIEWER)
        await boss.credentials.add_person("mia", "Mia", PASSWORD, VIEWER)
        things = SimpleNamespace(
            waiting=waiting.id,
            failed=failed,
            approval=(await boss.approvals.find())[0].id,
            key=key.key.id,
            turn=turn.id,
            schedule=await boss.schedules.get("daily"),
        )
        yield test, things


def quick() -> Passwords:
    """How slow a real one is, no test here is about."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


async def called(row: Row, desk: Desk, things: Any) -> Any:
    answer = row.call(desk, things)
    return await answer if isinstance(answer, Awaitable) else answer


def test_the_table_has_every_method_of_the_desk() -> None:
    assert methods() == set(TABLE) | FREE


async def test_without_the_right_everything_is_denied_and_attempts_to_change_are_recorded(stage: Any) -> None:
    test, things = stage
    audit = test.rt.store.audit
    for name, row in TABLE.items():
        before = (await audit.find("default", limit=1))[0].number
        desk = test.rt.desk(without(row.needs), source="192.0.2.7")
        with pytest.raises(Denied):
            await called(row, desk, things)
            pytest.fail(f"{name} was not denied")
        new = [entry.deed for entry in await audit.find("default") if entry.number > before]
        assert [(deed.action, deed.outcome) for deed in new] == ([(row.deed, "denied")] if row.deed else []), name
        assert all((deed.actor, deed.source) == ("person:mia", "192.0.2.7") for deed in new)
    run = await test.rt.store.runs.get("default", things.waiting)
    assert run.status is RunStatus.WAITING


async def test_with_the_right_it_is_done_and_recorded_once(stage: Any) -> None:
    test, things = stage
    audit = test.rt.store.audit
    desk = test.rt.desk(somebody(Grant(Role.ADMIN)), source="192.0.2.7")
    for name, row in TABLE.items():
        before = (await audit.find("default", limit=1))[0].number
        if name in NOTHING:
            with pytest.raises(NotFound):
                await called(row, desk, things)
        else:
            await called(row, desk, things)
        new = [entry.deed for entry in await audit.find("default") if entry.number > before]
        outcomes = ["not_found", "done"] if name in NOTHING else ["done"] * bool(row.deed)
        assert [(deed.action, deed.outcome) for deed in new] == [(row.deed, each) for each in outcomes], name
    assert (await desk.audit.verify()).whole
    assert (await desk.runs.get((await desk.runs.start("wait", 1)).id)).by == "person:mia"


async def test_what_cannot_be_recorded_is_not_done(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    test, things = stage

    async def away(*_: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    desk = test.rt.desk(somebody(Grant(Role.ADMIN)))
    monkeypatch.setattr(test.rt.store.audit, "append", away)
    for name, row in TABLE.items():
        if row.deed:
            with pytest.raises(StoreUnavailable):
                await called(row, desk, things)
                pytest.fail(f"{name} was done")
    assert (await test.rt.store.runs.get("default", things.waiting)).status is RunStatus.WAITING
    assert len(await test.rt.store.keys.list("default")) == 1


async def test_a_failure_that_cannot_be_recorded_is_still_told(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    test, things = stage
    append = test.rt.store.audit.append
    calls: list[Any] = []

    async def fills_up(tenant: str, deed: Any) -> Any:
        calls.append(deed)
        if len(calls) > 1:
            raise StoreUnavailable("the disk is full")
        return await append(tenant, deed)

    monkeypatch.setattr(test.rt.store.audit, "append", fills_up)
    with pytest.raises(Conflict):
        await test.rt.desk(somebody(Grant(Role.ADMIN))).runs.requeue(things.waiting)
    assert [deed.outcome for deed in calls] == ["done", "conflict"]


async def test_what_fails_is_recorded_again_with_its_outcome(stage: Any) -> None:
    test, things = stage
    desk = test.rt.desk(somebody(Grant(Role.ADMIN)))
    with pytest.raises(Conflict):
        await desk.runs.requeue(things.waiting, "again")
    failed, begun = (await desk.audit.find(limit=2))[:2]
    assert (begun.deed.outcome, failed.deed.outcome) == ("done", "conflict")
    assert failed.deed.after["entry"] == begun.number
    assert begun.deed.before == {"flow": "wait", "status": "waiting"}
    refused = await desk.runs.requeue_all([things.failed[0], things.waiting, "nothing"])
    assert {each: error.code for each, error in refused.items()} == {things.waiting: "conflict", "nothing": "not_found"}


async def test_somebody_of_some_flows_sees_and_does_nothing_else(stage: Any) -> None:
    test, things = stage
    one = somebody(Grant(Role.OPERATOR, "default", ("wai*",)), Grant(Role.APPROVER, "default", ("asks",)))
    desk = test.rt.desk(one)
    assert {run.flow for run in await desk.runs.search(Search())} == {"wait", "asks"}
    assert await desk.runs.search(Search(flows=("b*",))) == []
    assert (await desk.runs.totals(Search(flows=("*n",)))).statuses == {}
    assert await desk.runs.reach(Search(flows=("b*",), among=1)) is None
    assert {card.name: card.startable for card in desk.catalog.flows()} == {"wait": True, "asks": False}
    for hidden in (things.failed[0], things.failed[0] + "x", "../../etc/passwd", "\x00", "", "é" * 26):
        with pytest.raises(NotFound):
            await desk.runs.cancel(hidden)
    other = test.rt.desk(somebody(Grant(Role.ADMIN, "other")), "other")
    for call in (other.runs.get, other.runs.cancel, other.runs.events):
        with pytest.raises(NotFound):
            await call(things.waiting)
    with pytest.raises(NotFound):
        await other.approvals.decide(things.approval, "approved")
    outsider = Principal(kind=Kind.KEY, id="out", name="Out", grants=(Grant(Role.ADMIN, "other"),), tenant="other")
    stranger = test.rt.desk(outsider, "default")
    for row in TABLE.values():
        with pytest.raises(Denied):
            await called(row, stranger, things)
    assert await test.rt.store.audit.find("default", actor="key:out") == []  # nor does it fill others' records
    for action in (desk.budgets.standings(), desk.fleet.backlog()):
        with pytest.raises(Denied, match="some flows only"):
            await action


async def test_an_admin_of_one_tenant_does_not_touch_what_belongs_to_all(stage: Any) -> None:
    test, _ = stage
    desk = test.rt.desk(somebody(Grant(Role.ADMIN, "default")))
    assert await desk.fleet.limit(Scope.TENANT, "default", 3)
    tries: list[Callable[[], Awaitable[Any]]] = [
        lambda: desk.fleet.pause(Scope.FLOW, "wait"),
        lambda: desk.fleet.pause(Scope.TENANT, "other"),
        lambda: desk.fleet.reset("shop"),
        lambda: desk.budgets.set("flow", "wait", usd="1", everywhere=True),
        lambda: desk.budgets.set("tenant", "other", usd="1"),
        lambda: desk.costs.sums(0.0, "day", tenants=("other",)),
        lambda: desk.credentials.create_key("k", [Grant(Role.ADMIN)]),
        lambda: desk.credentials.create_key("k", [Grant(Role.VIEWER, "other")]),
        lambda: desk.credentials.grant("mia", [Grant(Role.VIEWER)]),
    ]
    for attempt in tries:
        with pytest.raises(Denied):
            await attempt()
    with pytest.raises(Denied):
        desk.settings()
    boss = test.rt.desk(test.rt.access.local("boss"))
    mighty = await boss.credentials.create_key("root", [Grant(Role.ADMIN)])
    for change in (desk.credentials.rotate_key, desk.credentials.revoke_key):
        with pytest.raises(Denied):
            await change(mighty.key.id)


async def test_a_schedule_takes_the_right_to_start(stage: Any) -> None:
    test, _ = stage
    kept = tuple(each for each in Action if each is not Action.RUNS_START)
    desk = test.rt.desk(somebody(Grant(Role.ADMIN, actions=kept)))
    tries: list[Callable[[], Awaitable[Any]]] = [
        lambda: desk.schedules.put("x", "wait", "0 9 * * *", input=1),
        lambda: desk.schedules.trigger("daily"),
        lambda: desk.schedules.resume("daily"),
    ]
    for attempt in tries:
        with pytest.raises(Denied):
            await attempt()
    await desk.schedules.pause("daily")


async def test_a_tenant_or_a_webhook_that_cannot_be_is_refused(stage: Any) -> None:
    test, _ = stage
    for tenant in ("", "*", "a\nb", "x" * 201):
        with pytest.raises(InputInvalid):
            test.rt.desk(somebody(), tenant)
    desk = test.rt.desk(somebody(Grant(Role.ADMIN)))
    for url in ("ftp://a/b", "javascript:alert(1)", "https://u:p@host/", "https:///x", "http://[::1", "nothing"):
        with pytest.raises(InputInvalid):
            await desk.runs.start("wait", 1, webhook=url)
    handle = await desk.runs.start("wait", 1, webhook="https://hooks.example/x")
    assert [each.url for each in await desk.runs.deliveries(handle.id)] == ["https://hooks.example/x"]
