"""The flows that fleets execute in tests. All that they do outside is kept in a ledger of its own, see `outside`."""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import callboard as cb
from tests.fleet.outside import Outside

SHORT = 0.3  # seconds: the time limit of `once` calls, which a reconciliation waits for
ALONE = 6.0  # seconds for which the office that everybody asks is left alone when it keeps failing
TABLES = (
    "CREATE TABLE bookings (n bigserial PRIMARY KEY, run text NOT NULL, what text NOT NULL)",
    "CREATE TABLE accounts (id int PRIMARY KEY, n int NOT NULL)",
    "CREATE SEQUENCE turns",
)


def double(n: int) -> int:
    """A step that runs in a thread."""
    return 2 * n


async def pause(seconds: float) -> float:
    """A step that takes its time."""
    await asyncio.sleep(seconds)
    return seconds


async def book(db: Any, run_id: str, what: str) -> int:
    """Writes a row of the user's own; nothing but the transaction keeps it from being there twice."""
    await db.execute("INSERT INTO bookings (run, what) VALUES ($1, $2)", run_id, what)
    return len(what)


async def move(db: Any, one: int, other: int) -> int:
    """Moves 1 from one account to another, and locks them in that order."""
    await db.execute("UPDATE accounts SET n = n - 1 WHERE id = $1", one)
    await asyncio.sleep(0.01)
    await db.execute("UPDATE accounts SET n = n + 1 WHERE id = $1", other)
    return one


async def fail_twice(db: Any, account: int) -> int:
    """Ends twice as a serializable transaction may, then counts an account up."""
    await db.execute("UPDATE accounts SET n = n + 1 WHERE id = $1", account)
    turn: int = await db.fetchval("SELECT nextval('turns')")
    if turn < 3:
        await db.execute("DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END $$")
    return turn


@dataclass(frozen=True)
class Tools:
    """What there is to call."""

    charge: Any
    ship: Any
    ship_slowly: Any
    look: Any
    ask_office: Any


def town(path: Path, *, suffixes: Sequence[str] = ("",), version: str = "1") -> cb.App:
    """An app whose tools call the world outside that is kept in `path`.

    `suffixes` of the flows' names: workers with other ones leave their runs alone. `version`: of the flow `evolving`,
    and the code that goes with it.
    """
    app, outside = cb.App("town"), Outside(path)
    tools = _tools(app, outside)
    for suffix in suffixes:
        _everyday(app, tools, suffix)
        _special(app, tools, suffix)
        _deadly(app, outside, path.parent / "mended", suffix)
        _evolving(app, tools, suffix, version)
    return app


def _tools(app: cb.App, outside: Outside) -> Tools:
    @app.tool(effect="idempotent", timeout=60)
    def charge(order: str, *, key: cb.IdempotencyKey) -> str:
        """Charges an order."""
        return str(outside.call(f"charge {order}", str(key), "idempotent", f"charged {order}"))

    def look_up(key: str) -> Any:
        found = outside.found(key)
        return cb.NotApplied() if found is None else cb.Applied(found[0])

    @app.tool(effect="once", timeout=SHORT, reconcile=look_up)
    def ship(parcel: str, *, key: cb.IdempotencyKey) -> str:
        """Sends a parcel: twice would be two parcels."""
        return str(outside.call(f"ship {parcel}", str(key), "once", f"shipped {parcel}"))

    @app.tool(effect="once", timeout=6.0, reconcile=look_up)
    async def ship_slowly(parcel: str, *, key: cb.IdempotencyKey) -> str:
        """Sends a parcel, which takes long before anybody can see it."""
        await asyncio.to_thread(outside.call, f"begin {parcel}", f"begin {key}", "read")
        await asyncio.sleep(4.0)
        return str(await asyncio.to_thread(outside.call, f"ship {parcel}", str(key), "once", f"shipped {parcel}"))

    @app.tool(effect="read", timeout=60)
    def look(item: str) -> str:
        """Looks an item up."""
        outside.call(f"look {item}", "", "read")
        return f"saw {item}"

    app.upstream("office", otherwise="fail", breaker={"open_for": ALONE})

    @app.tool(effect="read", upstream="office", retry=cb.Retry(attempts=1), timeout=60)
    def ask_office(question: str) -> str:
        """Asks an office that others ask as well, and that is closed as long as a file says so."""
        outside.call(f"office {question}", "", "read")
        if (outside.path.parent / "closed").exists():
            raise cb.UpstreamDown("the office is closed")
        return f"answer to {question}"

    return Tools(charge, ship, ship_slowly, look, ask_office)


def _everyday(app: cb.App, tools: Tools, suffix: str) -> None:
    def named(name: str, **options: Any) -> Any:
        return app.flow(name=f"{name}{suffix}", **options)

    @named("child")
    async def child(ctx: cb.Context, name: str) -> str:
        """Charges, waits, ends."""
        said = await tools.charge.call(ctx, order=name)
        await ctx.sleep(0.02)
        return str(said)

    @named("everything")
    async def everything(ctx: cb.Context, name: str) -> dict[str, Any]:
        """One of every kind of effect."""
        seen: dict[str, Any] = {"step": await ctx.step(double, len(name))}
        seen["charge"] = await tools.charge.call(ctx, order=name)
        seen["ship"] = await tools.ship.call(ctx, parcel=name)
        seen["both"] = await ctx.gather(
            tools.charge.call(ctx, order=f"{name}/a"), tools.ship.call(ctx, parcel=f"{name}/b")
        )
        seen["child"] = await ctx.spawn(child, f"{name}/child")
        seen["go"] = await ctx.wait("go")
        decision = await ctx.ask({"of": name})
        seen["ask"] = [decision.status, decision.value]
        seen["booked"] = await ctx.transaction(book, ctx.run_id, name)
        await ctx.sleep(0.02)
        seen["last"] = await tools.charge.call(ctx, order=f"{name}/last")
        return seen

    @named("chain")
    async def chain(ctx: cb.Context, given: list[Any]) -> list[Any]:
        """So many links, each with a step that takes a while and an effect outside; [name, links, seconds]."""
        name, links, seconds = given
        out = []
        for n in range(links):
            await ctx.step(pause, seconds)
            out.append(await tools.charge.call(ctx, order=f"{name}/{n}"))
        return [name, len(out), out[-1]]

    @named("counting")
    async def counting(ctx: cb.Context, given: list[int]) -> list[Any]:
        """Consumes so many signals, and begins anew now and then; [left, of one life]."""
        left, life = given
        got = [await ctx.wait("n") for _ in range(min(left, life))]
        await ctx.transaction(note, ctx.run_id, got)
        if left > life:
            ctx.continue_as_new([left - life, life])
        return got

    async def note(db: Any, run_id: str, got: list[Any]) -> None:
        await db.executemany("INSERT INTO bookings (run, what) VALUES ($1, $2)", [(run_id, str(each)) for each in got])

    @named("waiting")
    async def waiting(ctx: cb.Context, name: str) -> Any:
        """Waits for one signal."""
        return [name, await ctx.wait("go")]


def _special(app: cb.App, tools: Tools, suffix: str) -> None:
    def named(name: str, **options: Any) -> Any:
        return app.flow(name=f"{name}{suffix}", **options)

    @named("timed")
    async def timed(ctx: cb.Context, seconds: float) -> float:
        """Waits for a time; says what the clock said before."""
        begun = await ctx.now()
        await ctx.sleep(seconds)
        await ctx.step(pause, 0.0)
        return begun

    @named("posting")
    async def posting(ctx: cb.Context, parcel: str) -> str:
        """One `once` call."""
        return str(await tools.ship.call(ctx, parcel=parcel))

    @named("posting_slowly")
    async def posting_slowly(ctx: cb.Context, parcel: str) -> str:
        """One `once` call that takes longer than a lease."""
        return str(await tools.ship_slowly.call(ctx, parcel=parcel))

    @named("moving")
    async def moving(ctx: cb.Context, given: list[int]) -> int:
        """Moves money, in an order that invites deadlocks."""
        one, other = given
        moved: int = await ctx.transaction(move, one, other)
        return moved

    @named("rising")
    async def rising(ctx: cb.Context, account: int) -> int:
        """Counts an account up, after two serialization failures."""
        n: int = await ctx.transaction(fail_twice, account)
        return n

    @named("secret")
    async def secret(ctx: cb.Context, mine: str) -> dict[str, Any]:
        """Keeps its own value in what all share, across waits and children, and says what it finds there."""
        shared["now"] = mine
        seen = [await ctx.step(echo, mine)]
        await ctx.sleep(0.01)
        shared["now"] = mine
        pair = await ctx.gather(ctx.step(echo, f"{mine}/1"), ctx.spawn(whisper, f"{mine}/2"))
        return {"mine": mine, "seen": [*seen, *pair], "run": ctx.run_id}

    @named("whisper")
    async def whisper(ctx: cb.Context, mine: str) -> str:
        """A child of `secret`."""
        return await ctx.step(echo, mine)

    shared: dict[str, str] = {}

    def echo(mine: str) -> str:
        time.sleep(0.001)
        return mine

    @named("attentive")
    async def attentive(ctx: cb.Context, seconds: float) -> Any:
        """Waits for a signal while a step is in flight: it does not park."""
        await ctx.step(pause, 0.0)
        _, value = await ctx.race(ctx.wait("go"), ctx.step(pause, seconds))
        return value

    @named("asking")
    async def asking(ctx: cb.Context, question: str) -> Any:
        """Asks the office; what it says, or why nobody was asked."""
        try:
            return await tools.ask_office.call(ctx, question=question)
        except cb.ToolFailed as failed:
            return [failed.kind, failed.detail.get("by")]

    @named("unwritable")
    async def unwritable(ctx: cb.Context, name: str) -> float:
        """Asks for something that no row of PostgreSQL can hold."""
        await ctx.step(pause, 0.01)
        return await ctx.step(pause, 0.01, name=f"{name}\x00")

    @named("talking")
    async def talking(ctx: cb.Context, words: int) -> int:
        """Says how far it is."""
        for n in range(words):
            ctx.progress(n)
            await ctx.step(pause, 0.02)
        return words


def _deadly(app: cb.App, outside: Outside, mended: Path, suffix: str) -> None:
    def named(name: str, **options: Any) -> Any:
        return app.flow(name=f"{name}{suffix}", **options)

    @named("poison")
    async def poison(ctx: cb.Context, name: str) -> str:
        """Kills its worker, until it is mended."""
        return await ctx.step(die, name)

    def die(name: str) -> str:
        if not mended.exists():
            outside.call(f"die {name}", "", "read")
            os.kill(os.getpid(), signal.SIGKILL)
        return f"{name} lives"

    @named("glutton")
    async def glutton(ctx: cb.Context, megabytes: int) -> str:
        """Wants more memory than there is."""
        try:
            return await ctx.step(gorge, megabytes)
        except cb.StepFailed as failed:
            return str(failed.detail["type"])

    @named("killing_glutton")
    async def killing_glutton(ctx: cb.Context, megabytes: int) -> str:
        """Dies of it, as a process dies that the kernel picks when memory runs out; the next worker is larger."""
        return await ctx.step(gorge_to_death, megabytes)

    def gorge(megabytes: int) -> str:
        return f"{len(bytearray(megabytes << 20)) >> 20}"

    def gorge_to_death(megabytes: int) -> str:
        try:
            return gorge(megabytes)
        except MemoryError:
            outside.call("out of memory", "", "read")
            os.kill(os.getpid(), signal.SIGKILL)
            raise


def _evolving(app: cb.App, tools: Tools, suffix: str, version: str) -> None:
    def named(name: str, **options: Any) -> Any:
        return app.flow(name=f"{name}{suffix}", **options)

    @named("evolving", version=version)
    async def evolving(ctx: cb.Context, _: Any) -> list[Any]:
        """Version 2 does one thing more; the patched flow does so in version 1 already."""
        first = await ctx.step(pause, 0.05)
        word = await ctx.wait("go")
        return [version, first, word]

    if version == "1":

        @named("patched")
        async def patched(ctx: cb.Context, _: Any) -> list[Any]:
            """The old code."""
            await ctx.step(pause, 0.01)
            word = await ctx.wait("go")
            await ctx.step(pause, 0.02)
            return ["old", word]

    else:

        @named("patched")
        async def patched_anew(ctx: cb.Context, _: Any) -> list[Any]:
            """The new code, which bridges the change."""
            await ctx.step(pause, 0.01)
            changed = await ctx.patched("looks first")
            if changed:
                await tools.look.call(ctx, item="first")
            word = await ctx.wait("go")
            await ctx.step(pause, 0.02)
            return ["new" if changed else "old", word]
